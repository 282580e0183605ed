"""A Draft -> what of it would be refused, and what of it is not as an account has it: told before it is written."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from qstash_jobs.api.account import declare
from qstash_jobs.api.inputs import STDIN, Inputs
from qstash_jobs.api.session import Session
from qstash_jobs.api.validate import keys_of, look_at
from qstash_jobs.api.workspace import load
from qstash_jobs.document import Document, read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.plan.account import Account, plan_account
from qstash_jobs.plan.changes import Change
from qstash_jobs.plan.schedule_fields import UNSEEN
from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.inventory import KINDS
from qstash_jobs.report.job_file import Draft, Drafted, Omission, write_job_file
from qstash_jobs.value import dataclass

OpenSession = Callable[[bytes], Session]
"""Opens the text of a job file as a command would that reads it, under the name `stdin`."""

Thing = tuple[str, str]
"""A part of a job file, and the key of something there."""


def opener(*, here: Path, environment: str, env: Mapping[str, str]) -> OpenSession:
    """Make what opens a text as a job file of the working directory's project, where no secret is known."""

    def open_session(text: bytes) -> Session:
        workspace = load(Inputs(paths=(STDIN,), here=here, environment=environment, stdin=text))
        return look_at(workspace, env, {}, keys=keys_of(workspace))

    return open_session


def keep_valid(draft: Draft, open_session: OpenSession) -> Draft:
    """Leave out what `validate` would refuse, each with the reason: what is written has to be in order."""
    while len(draft):
        refused = find_refused(draft, open_session)
        if not refused:
            return draft
        draft = leave_out(draft, refused)
    return draft


def leave_out(draft: Draft, reasons: Mapping[Thing, str]) -> Draft:
    """Take things out of a draft, and say of each why."""
    omissions = (*draft.omissions, *_omit(draft, reasons))
    return replace(draft.without(reasons), omissions=omissions)


def find_refused(draft: Draft, open_session: OpenSession) -> Mapping[Thing, str]:
    """Find what is not in order, and why."""
    text = write_job_file(draft).encode()
    return _find_faults(open_session(text).check(), _Places(draft, text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """How something of a draft would not be as the account has it."""

    reason: str
    is_unseen: bool
    """All that differs is what QStash does not give back, by the digest that the project left there."""


def find_unlike(draft: Draft, account: Account, open_session: OpenSession) -> Mapping[Thing, Unlike]:
    """Find what of a draft that is in order a plan would change in the account."""
    text = write_job_file(draft).encode()
    session = open_session(text)
    session.check()
    declared, problems = declare(session)
    plan = plan_account(declared, account, prunes="nothing")
    places = _Places(draft, text)
    faults = _find_faults([*problems, *plan.problems], places)
    unlike = {thing: Unlike(reason=reason, is_unseen=False) for thing, reason in faults.items()}
    for change in plan.changes:
        if change.location is not None and change.is_waiting:
            unlike[places.find(change.location, change.name)] = _explain_change(change)
    return unlike


def _explain_change(change: Change) -> Unlike:
    fields = [one.field for one in change.fields]
    if fields == [UNSEEN]:
        return Unlike(reason=_UNSEEN, is_unseen=True)
    shown = ", ".join(field for field in fields if field != UNSEEN)
    return Unlike(reason=f"it cannot be said as it is: a plan would change {shown or 'it'}", is_unseen=False)


_UNSEEN = (
    "this project made it, with settings that QStash does not give back, such as the retries of a callback; only the "
    "file that declared it knows them"
)


def _find_faults(problems: Iterable[Problem], places: "_Places") -> dict[Thing, str]:
    refused: dict[Thing, list[str]] = {}
    for problem in problems:
        if problem.severity is Severity.ERROR:
            reasons = refused.setdefault(places.find(problem.location, problem.message), [])
            reasons += [_explain(problem)]
    return {thing: "; ".join(dict.fromkeys(reasons)) for thing, reasons in refused.items()}


class _Places:
    """Where things stand in the text of a draft."""

    def __init__(self, draft: Draft, text: bytes) -> None:
        document: Document = read_document(text, file=STDIN_SHOWN)
        self._places = sorted(
            (document.locate((section, one.key), key=True).line, section, one.key)
            for section, drafted in draft.sections()
            for one in drafted
        )

    def find(self, location: Location, message: str) -> Thing:
        """Find what stands at a place; UsageError where it is no place of the draft's."""
        index = bisect_right(self._places, location.line, key=lambda place: place[0]) - 1
        if location.file == STDIN_SHOWN and index < 0:
            raise UsageError(f"this is too much, or too odd, for one job file: {message}")
        if location.file != STDIN_SHOWN:
            raise UsageError(f"{location.file}:{location.line}: {message}; mend that first")
        return self._places[index][1:]


STDIN_SHOWN = "stdin"


def _explain(problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{problem.message}{hint} ({problem.rule})"


def _omit(draft: Draft, reasons: Mapping[Thing, str]) -> Iterator[Omission]:
    for section, drafted in draft.sections():
        for one in drafted:
            reason = reasons.get((section, one.key))
            if reason is not None:
                yield Omission(what=" ".join(_name(section, one)), reason=reason)


def _name(section: str, drafted: Drafted) -> Iterable[str]:
    if drafted.source is not None:
        return (drafted.source,)
    return (KINDS[section], str(drafted.fields.get("schedule_id", drafted.fields.get("name", drafted.key))))
