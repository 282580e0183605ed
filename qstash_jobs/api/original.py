"""An account -> what it holds, declared such that another account can be made the same; and what of it cannot."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.inventory import read_account
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.scheduled import declare_schedules
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.trial import STDIN_SHOWN, find_refused
from qstash_jobs.api.validate import NO_RUN
from qstash_jobs.api.workspace import Workspace
from qstash_jobs.api.world import Service, system_clock
from qstash_jobs.document import read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.job import read_job_file
from qstash_jobs.plan.account import Account, Declared, plan_account
from qstash_jobs.plan.ownership import Owner, is_mark, read_mark
from qstash_jobs.plan.schedule_fields import DeclaredSchedule, digest_unseen
from qstash_jobs.project import Project
from qstash_jobs.report.changes import KINDS
from qstash_jobs.report.inventory import KINDS as SECTIONS
from qstash_jobs.report.inventory import VARIANTS, Terms, draft_account
from qstash_jobs.report.job_file import Draft, write_job_file
from qstash_jobs.resources import Resource, Resources
from qstash_jobs.schema import check_job_file
from qstash_jobs.value import dataclass
from qstash_jobs.wire.resources.schedules import ObservedSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What the source holds, in a form that can be made elsewhere."""

    declared: Declared
    schedules: Mapping[str, ObservedSchedule]
    refusals: tuple[str, ...]
    """What cannot be copied, and why; with any, nothing is."""
    missing: tuple[str, ...]
    """Secrets that have to be set, since QStash does not give back what they hold."""
    warnings: tuple[str, ...]
    """What is copied in part."""


def read_original(
    source: Service, *, env: Mapping[str, str], secrets: Mapping[str, str], skip: Sequence[str]
) -> Original:
    """Read the source account, and write it down such that a plan finds it unchanged there."""
    account = _leave_out(read_account(source), skip)
    owner = Owner(project=f"copy of {source.target}", environment="", names_things=False)
    terms = Terms(owner=owner, takes_over=True)
    sayable = _take_pauses_off(account)
    opener = _Opener(source, env, secrets)
    while True:
        inventory = draft_account(sayable, terms)
        draft = inventory.draft
        refused = find_refused(draft, opener.open)
        declared = _declare(draft.without(refused), account, owner, opener)
        more = {
            one.id: number + 1
            for one in declared.schedules
            if not _has_true_marks(one) and (number := terms.variants.get(one.id, 0)) + 1 < len(VARIANTS)
        }
        if not more:
            break
        terms = replace(terms, variants={**terms.variants, **more})
    refusals = [f"{one.what}; {one.reason}" for one in draft.omissions]
    refusals += [f"{_name(draft, thing)}; {reason}" for thing, reason in refused.items()]
    return Original(
        declared=declared,
        schedules={one.id: one for one in account.schedules},
        refusals=(*refusals, *_find_unlike(declared, account)),
        missing=tuple(name for name in inventory.secrets if name not in secrets),
        warnings=tuple(_find_losses(account)),
    )


def _take_pauses_off(account: Account) -> Account:
    """Take off what no file can say and no copy makes: it is told by itself."""
    keys = tuple(replace(key, paused=False) for key in account.flow_controls)
    return replace(account, flow_controls=keys)


def _leave_out(account: Account, patterns: Sequence[str]) -> Account:
    """Leave out what is skipped; UsageError for a pattern that is no name of anything."""
    idle = set(patterns)

    def stays(name: str) -> bool:
        matching = {pattern for pattern in patterns if fnmatchcase(name, pattern)}
        idle.difference_update(matching)
        return not matching

    rest = Account(
        schedules=tuple(one for one in account.schedules if stays(one.id)),
        groups=tuple(one for one in account.groups if stays(one.name)),
        queues=tuple(one for one in account.queues if stays(one.name)),
        flow_controls=tuple(one for one in account.flow_controls if stays(one.key)),
    )
    if idle:
        raise UsageError(f"nothing in the account matches --skip {' or '.join(sorted(idle))}")
    return rest


class _Opener:
    """Opens the text of a draft as a job file of no project, with the secrets that are set."""

    def __init__(self, source: Service, env: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self._source = source
        self._env = env
        self._secrets = secrets
        self._now = system_clock().now()

    def open(self, text: bytes) -> Session:
        document = read_document(text, file=STDIN_SHOWN)
        problems = list(document.problems) or check_job_file(document)
        files = () if problems else (read_job_file(document, name="copy", single=False),)
        workspace = Workspace(
            inputs=Inputs(paths=(), here=Path()),
            root=Path(),
            project=Project(),
            project_name="copy",
            files=files,
            variables=(),
            problems=tuple(problems),
            documents=(STDIN_SHOWN,),
        )
        keys = Keys(None, run_id=NO_RUN, started_at=self._now, project="copy", environment="", target="")
        return Session(
            workspace,
            Surroundings(
                env=self._env,
                secrets=self._secrets,
                missing_secret="error",  # noqa: S106 - what to do, not a secret
                now=self._now,
                server_is_local=self._source.server.is_local,
                project_name="copy",
                run_id=NO_RUN,
                facts_of=keys.facts,
            ),
        )


def _declare(draft: Draft, account: Account, owner: Owner, opener: _Opener) -> Declared:
    """Declare all of a draft that is in order, as the account has it: pauses, marks and headers of groups included."""
    session = opener.open(write_job_file(draft).encode())
    session.check()
    schedules, _ = declare_schedules(session.scheduled, owner, missing_secrets=frozenset())
    known = {one.id: one for one in account.schedules}
    told = {group.name for group in account.groups if group.headers is not None}
    return Declared(
        owner=owner,
        schedules=tuple(_with_marks(one, known[one.id]) for one in schedules),
        resources=Resources(resources=tuple(_whole(one, told) for one in session.resources.resources)),
    )


def _with_marks(schedule: DeclaredSchedule, observed: ObservedSchedule) -> DeclaredSchedule:
    """Keep the marks of projects, so that their plans find their schedules in the other region too."""
    marks = tuple(label for label in observed.labels if is_mark(label))
    message = replace(schedule.message, labels=(*schedule.message.labels, *marks))
    return replace(schedule, key=schedule.id, is_adopted=True, message=message)


def _whole(resource: Resource, told: Collection[str]) -> Resource:
    """Say of a group without headers that it has none, so that the other's go; where QStash tells of none, nothing."""
    if resource.kind != "url_group" or resource.name not in told:
        return replace(resource, key=resource.name)
    return replace(resource, key=resource.name, fields={"headers": {}, **resource.fields})


def _has_true_marks(schedule: DeclaredSchedule) -> bool:
    """Say whether what the schedule's marks tell of the settings that are not given back is true of the copy."""
    marks = filter(None, map(read_mark, schedule.message.labels))
    return {digest for _, digest in marks} <= {digest_unseen(schedule.message)}


def _find_unlike(declared: Declared, account: Account) -> Iterator[str]:
    """Find what the copy would have otherwise than the source."""
    with_secrets = {one.id for one in declared.schedules if one.message.secrets}
    for change in plan_account(declared, account, prunes="nothing").changes:
        if change.is_waiting:
            fields = ", ".join(one.field for one in change.fields)
            why = ": is the secret the right one?" if change.name in with_secrets else ""
            yield f"{KINDS[change.kind]} {change.name}; a copy would differ in {fields}{why}"
    for schedule in declared.schedules:
        if not _has_true_marks(schedule):
            yield (
                f"schedule {schedule.id}; a project keeps it as code, with settings that QStash does not give back: "
                "apply its job files to the other account"
            )


def _find_losses(account: Account) -> Iterator[str]:
    for one in account.schedules:
        if one.callback is not None or one.failure_callback is not None:
            yield (
                f"schedule {one.id}: of callbacks QStash gives back URL and headers only, so the copy's have no other "
                "settings"
            )
    for key in account.flow_controls:
        if key.paused:
            yield f"flow control {key.key}: it is paused, and the copy is not"
    if any(group.headers is None for group in account.groups):
        yield "no headers of URL groups are given back, so none are copied"
    for group in account.groups:
        if any(endpoint.name is None for endpoint in group.endpoints):
            yield f"URL group {group.name}: its endpoints without a name get one"


def _name(draft: Draft, thing: tuple[str, str]) -> str:
    section, key = thing
    found = next(
        one for part, drafted in draft.sections() if part == section for one in drafted if one.key == key
    )
    return f"{SECTIONS[section]} {found.fields.get('schedule_id', found.fields.get('name', key))}"
