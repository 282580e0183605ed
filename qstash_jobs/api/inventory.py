"""An account -> the Draft of a job file that a plan finds unchanged, with what no file can say as its omissions."""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import field, replace
from pathlib import Path

from qstash_jobs.api.account import explain_unread, open_asking
from qstash_jobs.api.declared import Elsewhere, find_declared
from qstash_jobs.api.inputs import STDIN, Inputs
from qstash_jobs.api.trial import OpenSession, Thing, Unlike, find_unlike, keep_valid, leave_out, opener
from qstash_jobs.api.workspace import Workspace, load
from qstash_jobs.api.world import Service, find_service, system_clock
from qstash_jobs.errors import UsageError
from qstash_jobs.files import PROJECT_FILE
from qstash_jobs.plan.account import Account
from qstash_jobs.plan.ownership import Owner
from qstash_jobs.reconcile import ALL_KINDS, Asking, Failed, observe
from qstash_jobs.report.inventory import VARIANTS, Terms, draft_account
from qstash_jobs.report.inventory.defaults import merge_defaults
from qstash_jobs.report.job_file import Draft, write_job_file
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StockWish:
    """How an account is to be written down."""

    here: Path
    environment: str = ""
    takes_over: bool = False
    out: Path | None = None
    """The job file that it is for; None for standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """An account, written down."""

    draft: Draft
    text: str
    secrets: tuple[str, ...]
    """What has to be set before a plan can compare all of it."""
    declared: int = 0
    """How many things of the account other files of the project declare already."""
    doubts: tuple[str, ...] = ()
    """Files that may declare something, and are out of order."""
    warnings: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What goes beside the job file, by the path from there."""


def take_stock(wish: StockWish, env: Mapping[str, str]) -> Stock:
    """Ask the account for all that it holds, and write it down; StopError where that cannot be done."""
    around = load(
        Inputs(paths=(STDIN,), here=wish.here, environment=wish.environment, stdin=b"schedules: {}\n")
    )
    _check_place(around, wish)
    service, warnings = find_service(env, around.project)
    account = read_account(service)
    elsewhere = find_declared(around, env, but=None if wish.out is None else wish.here / wish.out)
    terms = Terms(
        owner=Owner(project=around.project_name or "", environment=around.project.environment),
        takes_over=wish.takes_over,
        defaults=merge_defaults(source.fields for source in around.project.defaults),
        group_keys=elsewhere.group_keys(),
        taken_keys=frozenset(elsewhere.group_keys().values()),
    )
    stock = write_down(
        elsewhere.rest(account),
        terms,
        opener(here=wish.here, environment=wish.environment, env=env),
        folder=None if wish.out is None else f"{wish.out.stem}-bodies",
        title=_title(service),
    )
    return replace(
        stock, declared=_count_declared(account, elsewhere), doubts=elsewhere.doubts, warnings=warnings
    )


def read_account(service: Service) -> Account:
    """Read all that an account holds; StopError where it cannot be read."""
    with closing(open_asking(service, system_clock())) as asking:
        return read_with(asking, service)


def read_with(asking: Asking, service: Service) -> Account:
    """Read all that an account holds, on a line that is there; StopError where it cannot be read."""
    account = observe(ALL_KINDS, asking)
    if isinstance(account, Failed):
        error = explain_unread(account)
        text = str(error).replace("QSTASH_TOKEN", service.token_from)
        raise type(error)(text.replace("the account", f"the account at {service.name}", 1))
    return account


def write_down(
    account: Account, terms: Terms, open_session: OpenSession, *, folder: str | None, title: str
) -> Stock:
    """Draft an account, less what would be refused, and less what a plan would not find unchanged."""
    terms, reasons, checked = _settle(account, terms, open_session)
    # what was tried had its bodies in it: the files beside it are not there yet
    final = draft_account(account, replace(terms, folder=folder)).draft.without(reasons)
    draft = replace(final, omissions=checked.omissions, remarks=(title, *final.remarks))
    text = write_job_file(draft)
    names = draft_account(account, terms).secrets
    return Stock(
        draft=draft,
        text=text,
        secrets=tuple(name for name in names if f"secrets.{name} " in text),
        files={
            path: data
            for _, drafted in draft.sections()
            for one in drafted
            for path, data in one.files.items()
        },
    )


def _settle(
    account: Account, terms: Terms, open_session: OpenSession
) -> tuple[Terms, Collection[Thing], Draft]:
    """Find the terms under which as much as possible is as the account has it, and what is not all the same."""
    while True:
        draft = draft_account(account, terms).draft
        kept = keep_valid(draft, open_session)
        unlike = find_unlike(kept, account, open_session)
        varied = _vary(terms, kept, unlike)
        if varied == terms:
            break
        terms = varied
    while unlike:
        kept = keep_valid(leave_out(kept, {thing: one.reason for thing, one in unlike.items()}), open_session)
        unlike = find_unlike(kept, account, open_session)
    return terms, _list_things(draft) - _list_things(kept), kept


def _vary(terms: Terms, draft: Draft, unlike: Mapping[Thing, Unlike]) -> Terms:
    """Try the next way to say a schedule that seems right, and is not by the digest that it carries."""
    ids = {
        one.key: str(one.fields.get("schedule_id", terms.owner.schedule_id(one.key)))
        for one in draft.schedules
    }
    tried = {ids[key]: terms.variants.get(ids[key], 0) for (_, key), one in unlike.items() if one.is_unseen}
    more = {id_: number + 1 for id_, number in tried.items() if number + 1 < len(VARIANTS)}
    return replace(terms, variants={**terms.variants, **more})


def _list_things(draft: Draft) -> set[Thing]:
    return {(section, one.key) for section, drafted in draft.sections() for one in drafted}


def _check_place(around: Workspace, wish: StockWish) -> None:
    project = around.project
    if project.environments and not project.environment:
        raise UsageError(
            f"say which account to write down: --environment {' or --environment '.join(project.environments)}"
        )
    if wish.out is not None and wish.out.name == PROJECT_FILE:
        raise UsageError(
            f"{wish.out} is the name of a project file; name a job file, such as jobs/account.yaml"
        )
    if not around.project_name:
        raise UsageError(
            "the project has no name, which says whose a schedule is: write `project: NAME` into qstash-jobs.yaml, "
            "or let `qstash-jobs init` do it"
        )
    if wish.out is not None and not (wish.here / wish.out).resolve().is_relative_to(around.root.resolve()):
        raise UsageError(f"{wish.out} is outside the project in {around.root}; name a file inside it")


def _count_declared(account: Account, elsewhere: Elsewhere) -> int:
    rest = elsewhere.rest(account)
    return sum(
        len(whole) - len(left)
        for whole, left in (
            (account.schedules, rest.schedules),
            (account.groups, rest.groups),
            (account.queues, rest.queues),
            (account.flow_controls, rest.flow_controls),
        )
    )


def _title(service: Service) -> str:
    account = f"The account {service.account}" if service.account else "An account"
    return f"{account} at {service.name}, as it was; a plan finds it unchanged"
