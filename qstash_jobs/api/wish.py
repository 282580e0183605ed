"""What a run is asked to do and works with, what it is about to do, and how it went."""

from collections.abc import Mapping
from dataclasses import field

from qstash_jobs.api.world import Service
from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.problem import Problem
from qstash_jobs.publish import Ending, Options
from qstash_jobs.record import Record
from qstash_jobs.render import MissingSecret
from qstash_jobs.resources import Resources
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run was asked to do, besides what to read."""

    run_key: str | None = None
    again: bool = False
    skip: tuple[str, ...] = ()
    options: Options = Options()
    missing_secret: MissingSecret = "error"  # noqa: S105 - what to do, not a secret
    lock_wait_s: float = 0
    needs_lasting_ledger: bool = False
    """The ledger goes with this machine, and nobody has said that this is meant."""
    looks_up: bool = True
    """Ask the account whether it has the URL groups and queues that the jobs name, and its log about new run keys."""
    recorded_keys: Mapping[str, str] = field(default_factory=dict)
    """The run keys of an earlier run, by file, where that one is continued."""
    recorded_generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What of the world a run works with."""

    service: Service
    ledger: Ledger
    clock: Clock
    env: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intention:
    """What a run is about to do, for whoever is asked whether it may."""

    run: str
    messages: int
    jobs: int
    disabled: tuple[str, ...]
    service: Service
    project: str
    environment: str
    keys: Mapping[str, str]
    """The run key of each file, by what the names of its jobs begin with."""
    resources: Resources
    """What the job files declare of the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run went."""

    run: str | None
    exit_code: int
    totals: Mapping[str, int]
    """Messages by state; `planned` counts those that were not reached."""
    problems: tuple[Problem, ...] = ()
    ending: Ending | None = None
    orphans: tuple[Record, ...] = ()
    """What earlier runs left in doubt and the files publish no more."""
