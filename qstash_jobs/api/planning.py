"""A checked Session -> what `run` would send and skip, message by message; nothing is sent."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import islice

from qstash_jobs.api.account import (
    choose_pruning,
    declare,
    hide_plan,
    is_anything_declared,
    look,
    open_asking,
)
from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.session import Session
from qstash_jobs.api.validate import keys_of, look_at
from qstash_jobs.api.whole import refuse_part
from qstash_jobs.api.workspace import Workspace, load
from qstash_jobs.api.world import (
    Service,
    clock_of,
    find_ledger,
    find_service,
    holds_ledger,
    open_ledger,
    system_clock,
)
from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.errors import StopError
from qstash_jobs.mask import Mask
from qstash_jobs.plan.account import AccountPlan, Declared, Pruning, plan_unknown
from qstash_jobs.plan.messages import PlannedMessage, hide_secrets, plan_message
from qstash_jobs.problem import Problem, sort_problems
from qstash_jobs.publish.decide import Ask, Decision, Recall, Send, Skip, Wait, decide, look_up, refuse_window
from qstash_jobs.publish.work import Try, gather
from qstash_jobs.record import Listed, Record
from qstash_jobs.rules import Demand
from qstash_jobs.settings import Secrets, check_run_key
from qstash_jobs.value import dataclass

LOOK_UP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan stands on; without a ledger every message is taken to be new."""

    ledger: Ledger | None
    clock: Clock
    keys: Keys
    batch_size: int = 100


def plan_messages(session: Session, basis: Basis, demand: Demand) -> Iterator[PlannedMessage]:
    """Plan the messages of a session in their order, each with the exact request that `run` would make of it.

    Those that would be published are counted in `demand` as they are planned.
    """
    envelopes = _envelopes(session, basis)
    while chunk := list(islice(envelopes, LOOK_UP)):
        yield from _plan_chunk(chunk, session, basis, demand)


def _plan_chunk(
    chunk: list[Envelope], session: Session, basis: Basis, demand: Demand
) -> Iterator[PlannedMessage]:
    decisions = list(_decide(chunk, session, basis))
    tries = [Try(envelope=one, attempt=1) for one, decision in decisions if isinstance(decision, Send)]
    batched = {
        id(item.envelope)
        for batch in gather(tries, most=basis.batch_size)
        if batch is not None and batch.travels_in_batch
        for item in batch.tries
    }
    for envelope, decision in decisions:
        match decision:
            case Send():
                demand.note(envelope.message)
                yield plan_message(envelope, batched=id(envelope) in batched)
            case Skip() | Recall():
                yield plan_message(envelope, action="skip", reason=decision.reason, batched=False)
            case Ask():
                reason = f"it may have been accepted, and {decision.reason}: QStash's log is asked first"
                yield plan_message(envelope, action="wait", reason=reason, batched=False)
            case Wait():
                yield plan_message(envelope, action="wait", reason=decision.reason, batched=False)
            case str():
                yield plan_message(envelope, action="skip", reason=decision, batched=False)


def _decide(
    chunk: list[Envelope], session: Session, basis: Basis
) -> Iterator[tuple[Envelope, Decision | str]]:
    """Decide about each message; a text says which window keeps it from being sent."""
    now = basis.clock.instant()
    held = [one.dedup_id for one in chunk if one.is_held_by_ledger and one.dedup_id is not None]
    windows = basis.ledger.find_windows(held) if basis.ledger is not None and held else {}
    records = look_up(chunk, basis.ledger) if basis.ledger is not None else [None] * len(chunk)
    for envelope, record in zip(chunk, records, strict=True):
        decision = decide(_comparable(envelope, record, session), record, now)
        window = windows.get(envelope.dedup_id or "") if envelope.is_held_by_ledger else None
        refusal = refuse_window(envelope, window, now) if window is not None else None
        yield envelope, refusal if refusal is not None and isinstance(decision, Send) else decision


def _comparable(envelope: Envelope, record: Record | Listed | None, session: Session) -> Envelope:
    """Take a message whose secrets are not known here to be unchanged: what was sent cannot be compared."""
    names = frozenset[str]().union(*envelope.message.secrets.values())
    if not isinstance(record, Record) or not names & session.totals.missing_secrets:
        return envelope
    return replace(envelope, fingerprint=record.fingerprint)


def _envelopes(session: Session, basis: Basis) -> Iterator[Envelope]:
    for keyed in session.tasks():
        opened = basis.keys.find(keyed.run_key)
        addresser = Addresser(
            key=basis.keys.name(keyed.run_key),
            key_number=opened.number if opened is not None else 0,
            fingerprint_key=basis.ledger.fingerprint_key if basis.ledger is not None else b"",
        )
        for message in keyed.task.messages():
            yield addresser.address(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReading:
    """How a plan is made."""

    ledger: str | None = None
    run_key: str | None = None
    batch_size: int = 100
    names_secrets: bool = False
    """A stand-in for each secret, which the curl form turns into `$NAME`; else `***`."""
    prunes: bool = False
    """Plan that what the project made in the account and no file declares any more goes."""
    forces: bool = False
    """Plan also the deletions that need a second word."""
    has_to_know: bool = False
    """Where the account cannot be asked, that is an ending and not a remark."""


class Plan:
    """A plan, and what is wrong with the files if there is none."""

    def __init__(self, session: Session, basis: Basis, secrets: "Placeholders | Secrets") -> None:
        self._session = session
        self._basis = basis
        self._secrets = secrets
        self.problems = session.check()
        self.files = session.workspace.files_read
        self.environment = session.workspace.project.environment
        self.missing_secrets = tuple(sorted(session.totals.missing_secrets))
        self.demand = session.new_demand()
        """What of the plan the messages ask that have been planned so far."""
        self.messages_per_day = session.workspace.project.quota.get("messages_per_day")
        self.account = AccountPlan(changes=())
        """What would change in the account, secrets hidden."""
        self.unasked: str | None = None
        """Why the account was not asked, where it was to be."""
        self.target = ""
        """The server and the account that it is for."""

    @property
    def mask(self) -> Mask:
        return Mask({} if isinstance(self._secrets, Placeholders) else dict(self._secrets))

    @property
    def placeholders(self) -> Mapping[str, str]:
        return dict(self._secrets)

    def messages(self) -> Iterator[PlannedMessage]:
        """Plan message by message, secrets hidden; nothing where the files are out of order."""
        mask = self.mask
        return (
            hide_secrets(planned, mask) for planned in plan_messages(self._session, self._basis, self.demand)
        )

    def look_at_account(self, service: Service | StopError, reading: PlanReading) -> None:
        """Plan what would change in the account, if the files declare anything of it, or somebody has to know."""
        declared, problems = declare(self._session)
        if not (is_anything_declared(declared) or problems or reading.prunes or reading.has_to_know):
            return
        if reading.prunes:
            refuse_part(self._session.workspace)
        try:
            if isinstance(service, StopError):
                raise service
            pruning = choose_pruning(prunes=reading.prunes, forces=reading.forces)
            self._ask_account(declared, problems, service, prunes=pruning)
        except StopError as error:
            if reading.has_to_know:
                raise
            self.unasked = str(error)
            self.account = plan_unknown(declared)

    def _ask_account(
        self, declared: Declared, problems: list[Problem], service: Service, *, prunes: Pruning
    ) -> None:
        self.target = service.target
        asking = open_asking(service, system_clock(), tries=2)
        with closing(asking):
            plan = look(declared, asking, prunes=prunes)
        self.problems = sort_problems([*self.problems, *problems, *plan.problems])
        self.account = hide_plan(plan, Mask({**self._secrets, "QSTASH_TOKEN": service.token}))

    def check_demand(self) -> list[Problem]:
        """Hold what has been planned so far against the messages of a day."""
        return self._session.check_demand(self.demand)


class Placeholders(Mapping[str, str]):
    """Gives every secret a stand-in, and reads none."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._asked.setdefault(name, f"VALUE-OF-{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)


@contextmanager
def open_plan(inputs: Inputs, reading: PlanReading, env: Mapping[str, str]) -> Iterator[Plan]:
    """Demand and check what is to be planned, with the ledger as it is, if there is one; it is only read."""
    check_run_key(reading.run_key)
    workspace = load(inputs)
    secrets = Placeholders() if reading.names_secrets else Secrets(env, inputs.secrets_dir)
    path = find_ledger(reading.ledger, env, workspace.project)
    with ExitStack() as stack:
        ledger = (
            stack.enter_context(closing(open_ledger(path, read_only=True))) if holds_ledger(path) else None
        )
        service = _find(env, workspace)
        # without a token or a usable address, nothing is known of what was published there
        target = service.target if isinstance(service, Service) else ""
        keys = keys_of(workspace, ledger=ledger, target=target)
        session = look_at(workspace, env, secrets, keys=keys, run_key=reading.run_key)
        plan = Plan(
            session,
            Basis(
                ledger=ledger,
                clock=clock_of(ledger) if ledger is not None else system_clock(),
                keys=keys,
                batch_size=reading.batch_size,
            ),
            secrets,
        )
        if not (session.has_errors or reading.names_secrets or inputs.schedules):
            plan.look_at_account(service, reading)
        yield plan


def _find(env: Mapping[str, str], workspace: Workspace) -> Service | StopError:
    """Find what the messages would be published to, or why there is nothing of the kind."""
    try:
        service, _ = find_service(env, workspace.project)
    except StopError as error:
        return error
    return service
