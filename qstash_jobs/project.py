"""The project file and the chosen environment -> what they say to every job; all of it may be absent."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from qstash_jobs.document import Document
from qstash_jobs.grammar import LONGEST_S, GrammarError, read_seconds
from qstash_jobs.job import Source
from qstash_jobs.problem import Location, Path
from qstash_jobs.value import dataclass

# upstash.com/pricing/qstash: message size in bytes, longest delay in seconds, longest response time in seconds. The
# fixed plans have a million messages a day, or ten: which of them it is, only the user can say
QUOTAS: Mapping[str, Mapping[str, int]] = {
    "free": {"message_size": 1_048_576, "delay": 604_800, "timeout": 900, "messages_per_day": 1_000},
    "payg": {"message_size": 10 * 1_048_576, "delay": 31_536_000, "timeout": 7_200},
    "fixed": {"message_size": 50 * 1_048_576},
}


SIZES: Mapping[str, int] = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What holds for every job file of a project, in one environment."""

    name: str | None = None
    environment: str = ""
    """Empty where none is chosen."""
    url: str | None = None
    ledger: str | None = None
    token_from: str = "QSTASH_TOKEN"  # noqa: S105 - the name of a variable
    account: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    """Limits by name: sizes in bytes, times in seconds."""
    quota_place: Location | None = None
    """Where the messages of a day stand, or the plan that says how many there are."""
    defaults: tuple[Source, ...] = ()
    """Weakest first."""
    vars: tuple[Source, ...] = ()
    """The project's own."""
    environment_vars: tuple[Source, ...] = ()
    """Those of the environment, which are stronger than a job file's."""
    environments: tuple[str, ...] = ()
    policies: tuple[Source, ...] = ()
    """The project's and the environment's; each holds."""


def read_project(document: Document, environment: str) -> Project:
    """Read a project file that the schema has found in order.

    An empty environment chooses none; one that is not declared is nothing but its name.
    """
    data = document.data or {}
    environments = data.get("environments") or {}
    chosen = environments.get(environment) or {}
    here: Path = ("environments", environment)
    quota = chosen.get("quota", data.get("quota"))
    return Project(
        name=data.get("project"),
        environment=environment,
        url=chosen.get("url", data.get("url")),
        ledger=chosen.get("ledger", data.get("ledger")),
        token_from=chosen.get("token_from", "QSTASH_TOKEN"),
        account=chosen.get("account", data.get("account")),
        quota=_read_quota(quota),
        quota_place=_find_quota(document, (*here, "quota") if "quota" in chosen else ("quota",), quota),
        defaults=(*_source(document, data, ("defaults",)), *_source(document, chosen, (*here, "defaults"))),
        vars=_source(document, data, ("vars",)),
        environment_vars=_source(document, chosen, (*here, "vars")),
        environments=tuple(environments),
        policies=(*_source(document, data, ("policy",)), *_source(document, chosen, (*here, "policy"))),
    )


def _source(document: Document, mapping: Mapping[str, Any], path: Path) -> tuple[Source, ...]:
    fields = mapping.get(str(path[-1]))
    return (Source(document=document, path=path, fields=fields),) if fields else ()


def _find_quota(document: Document, path: Path, quota: Any) -> Location:
    return document.locate((*path, "messages_per_day") if isinstance(quota, dict) else path)


def _read_quota(quota: Any) -> Mapping[str, int]:
    if isinstance(quota, str):
        return QUOTAS[quota]
    return {name: _read_limit(name, limit) for name, limit in (quota or {}).items()}


def _read_limit(name: str, limit: Any) -> int:
    """Read one limit as the schema allows it: a whole number, a size such as `10MiB`, a duration such as `90d`."""
    if not isinstance(limit, str):
        return int(limit)
    if name != "message_size":
        try:
            return read_seconds(limit)
        except GrammarError:  # over a hundred years, which no delay can reach
            return LONGEST_S
    digits = limit.rstrip("BGKMi")
    return int(digits) * SIZES[limit.removeprefix(digits)]
