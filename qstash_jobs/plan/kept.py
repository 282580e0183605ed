"""A masked AccountPlan -> the document that `plan --out` keeps, and back; and what has become another since."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from qstash_jobs.plan.account import AccountPlan
from qstash_jobs.plan.changes import Change
from qstash_jobs.value import dataclass

VERSION = 1


class NotAPlanError(Exception):
    """it is no plan that `plan --out` wrote"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """A plan that somebody looked at. No secret is in it.

    Those in the headers of callbacks go into its digests, as they go into a schedule's label.
    """

    target: str
    """Server and account that it is for."""
    environment: str
    paths: tuple[str, ...]
    """As they were given."""
    prunes: bool
    forces: bool
    """Deletions that need a second word were planned with it."""
    checksum: str
    changes: Mapping[str, str]
    """Each change that would be sent, by kind and name, with its digest."""


def keep_plan(
    plan: AccountPlan, *, target: str, environment: str, paths: Sequence[str], prunes: bool, forces: bool
) -> KeptPlan:
    """Keep a masked plan."""
    return KeptPlan(
        target=target,
        environment=environment,
        paths=tuple(paths),
        prunes=prunes,
        forces=forces,
        checksum=plan.checksum,
        changes={_name(change): AccountPlan(changes=(change,)).checksum for change in plan.sent},
    )


def write_kept(kept: KeptPlan, plan: AccountPlan) -> bytes:
    """Write a kept plan as JSON, with its changes for people and tools to read."""
    document = {
        "qstash_jobs_plan": VERSION,
        "target": kept.target,
        "environment": kept.environment or None,
        "paths": list(kept.paths),
        "prune": kept.prunes,
        "force": kept.forces,
        "checksum": kept.checksum,
        "changes": [_write_change(change, kept) for change in plan.sent],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_kept(data: bytes) -> KeptPlan:
    """Read a kept plan; NotAPlanError where it is something else."""
    try:
        document = orjson.loads(data)
        if document["qstash_jobs_plan"] != VERSION:
            raise NotAPlanError("another version of qstash-jobs wrote it; plan again")
        return KeptPlan(
            target=_text(document["target"]),
            environment=_text(document["environment"] or ""),
            paths=tuple(map(_text, document["paths"])),
            prunes=document["prune"] is True,
            forces=document["force"] is True,
            checksum=_text(document["checksum"]),
            changes={
                f"{_text(one['kind'])} {_text(one['name'])}": _text(one["checksum"])
                for one in document["changes"]
            },
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise NotAPlanError("it is no plan that `plan --out` wrote") from error


def find_differences(kept: KeptPlan, plan: AccountPlan) -> list[str]:
    """Say what a masked plan would do now that the kept one would not, and the other way round."""
    now = {_name(change): change for change in plan.sent}
    said: list[str] = []
    for name in sorted({*kept.changes, *now}):
        if name not in now:
            said.append(f"{name} was to change, and is as declared now")
        elif name not in kept.changes:
            said.append(f"{name} is to change now ({now[name].action}), and was not")
        elif AccountPlan(changes=(now[name],)).checksum != kept.changes[name]:
            said.append(f"{name} is to change in another way than was planned")
    return said


def _name(change: Change) -> str:
    return f"{change.kind} {change.name}"


def _write_change(change: Change, kept: KeptPlan) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "key": change.key,
        "name": change.name,
        "action": change.action,
        "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in change.fields],
        "file": change.location.file if change.location else None,
        "line": change.location.line if change.location else None,
        "checksum": kept.changes[_name(change)],
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
