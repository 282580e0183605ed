"""The Message: one publication with every unit read and every body encoded, nothing left to interpret."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import Enum, auto

from qstash_jobs.identity import message_name
from qstash_jobs.job import Job
from qstash_jobs.problem import Finding
from qstash_jobs.rows import Row
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where QStash sends a delivery's result."""

    url: str
    method: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Forwarded to the callback."""
    retries: int | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowControl:
    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    body: bool = False
    all_headers: bool = False
    headers: tuple[str, ...] = ()


class DedupKind(Enum):
    PER_RUN = auto()
    """An id derived from the message's identity."""
    CONTENT = auto()
    """QStash hashes the message."""
    KEY = auto()
    """An id derived from project, environment, job and the user's key."""
    ID = auto()
    """The user's own id, as it is."""
    NONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    kind: DedupKind = DedupKind.PER_RUN
    value: str | None = None
    """The user's key or id."""
    window_s: float = 600
    """How long the ledger refuses the same id; infinity for `forever`."""


@dataclass(frozen=True, slots=False, kw_only=True)
class Message:
    """One message, ready to be translated into a publish request. `None` means that the job does not say.

    It has no slots, so that a row's is made from the one before by `vary`.
    """

    job: Job
    row: Row | None = None
    row_key: str | None = None
    """The row's own identity, where the job names one."""
    url: str | None = None
    url_group: str | None = None
    """The group's name in the account. Exactly one of `url` and `url_group` is set."""
    queue: str | None = None
    method: str | None = None
    body: bytes = b""
    binary: bool = False
    """The body is not UTF-8 text, so it cannot travel in a batch."""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: int | None = None
    not_before: datetime | None = None
    """Aware, UTC, whole seconds."""
    retries: int | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None
    callback: Callback | None = None
    failure_callback: Callback | None = None
    dedup: Dedup = Dedup()
    flow_control: FlowControl | None = None
    labels: tuple[str, ...] = ()
    redaction: Redaction = Redaction()
    run_labels: bool = True
    cron: str | None = None
    """Of a schedule only, without its zone."""
    timezone: str | None = None
    """Of a schedule only."""
    schedule_id: str | None = None
    """Of a schedule only: its id in the account, where the file names it."""
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The names of the secrets that went into each top-level field."""
    outside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The `env.` and `row.` look-ups that went into each top-level field."""

    @property
    def row_id(self) -> str:
        """What tells it from the other messages of its job: its row's key, else the row's number, else nothing."""
        return self.row_key or ("" if self.row is None else str(self.row.number))

    @property
    def name(self) -> str:
        """The job's full name, with the row's key or number in brackets behind it for a row."""
        return self.job.name if self.row is None else message_name(self.job.name, self.row_id)


class UnreadableError(Exception):
    """a field cannot be read"""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding
