"""The files of a project -> what of an account they declare, each file by itself, without network or secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from qstash_jobs.api.account import declare
from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.validate import keys_of, look_at
from qstash_jobs.api.whole import may_declare
from qstash_jobs.api.workspace import Workspace, load
from qstash_jobs.errors import StopError
from qstash_jobs.files import list_job_files
from qstash_jobs.plan.account import Account
from qstash_jobs.problem import Severity
from qstash_jobs.resources import Kind
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What job files declare already."""

    schedules: frozenset[str] = frozenset()
    """By their ids in the account."""
    resources: Mapping[tuple[Kind, str], str] = field(default_factory=dict)
    """The key of each, by its kind and its name in the account."""
    doubts: tuple[str, ...] = ()
    """Files that cannot be told, and why."""

    def group_keys(self) -> dict[str, str]:
        """Give the keys of URL groups by their names."""
        return {name: key for (kind, name), key in self.resources.items() if kind == "url_group"}

    def rest(self, account: Account) -> Account:
        """Take out of an account what is declared."""
        return Account(
            schedules=tuple(one for one in account.schedules if one.id not in self.schedules),
            groups=tuple(one for one in account.groups if ("url_group", one.name) not in self.resources),
            queues=tuple(one for one in account.queues if ("queue", one.name) not in self.resources),
            flow_controls=tuple(
                one for one in account.flow_controls if ("flow_control", one.key) not in self.resources
            ),
        )


def find_declared(around: Workspace, env: Mapping[str, str], *, but: Path | None) -> Elsewhere:
    """Find what the files of a project declare; `but` is the file that is going to be written anew."""
    schedules: set[str] = set()
    resources: dict[tuple[Kind, str], str] = {}
    doubts: list[str] = []
    for path, shown in _find_files(around, but):
        try:
            workspace = load(
                Inputs(paths=(path,), here=around.inputs.here, environment=around.inputs.environment)
            )
            session = look_at(workspace, env, {}, keys=keys_of(workspace))
            problems = [one for one in session.check_declared() if one.severity is Severity.ERROR]
        except StopError as error:
            doubts.append(f"{shown}: {error}")
            continue
        doubts += [f"{one.location.file}:{one.location.line}: {one.message}" for one in problems[:1]]
        declared, _ = declare(session)
        schedules |= {one.id for one in declared.schedules}
        resources |= {(one.kind, one.name): one.key for one in declared.resources.resources}
    return Elsewhere(schedules=frozenset(schedules), resources=resources, doubts=tuple(doubts))


def _find_files(around: Workspace, but: Path | None) -> Iterator[tuple[str, str]]:
    for found in list_job_files(around.root, here=around.inputs.here):
        is_the_one = but is not None and Path(found.path).resolve() == but.resolve()
        if found.root == around.root and not is_the_one and may_declare(found.path, found.shown):
            yield found.path, found.shown
