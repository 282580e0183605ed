"""Job files -> the account as they declare it: look, ask, apply, read back; nothing where anything is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from qstash_jobs.api.account import (
    choose_pruning,
    declare,
    explain_unread,
    hide_plan,
    look,
    open_asking,
    replan,
)
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.validate import NO_RUN
from qstash_jobs.api.whole import refuse_part
from qstash_jobs.api.wish import Tools
from qstash_jobs.api.workspace import Workspace
from qstash_jobs.boundary import Scope
from qstash_jobs.errors import LockedError, StopError, UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.plan.account import Account, AccountPlan, Declared, Pruning
from qstash_jobs.plan.kept import KeptPlan, find_differences
from qstash_jobs.plan.verdict import Verdict
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.reconcile import Asking, Failed, apply_changes, read_back
from qstash_jobs.report.wording import count
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyWish:
    """What `apply` was asked to do, besides what to read."""

    prunes: bool = False
    forces: bool = False
    """The second word for deletions that need one."""
    kept: KeptPlan | None = None
    """The plan that it has to be, and no other."""
    lock_wait_s: float = 0

    @property
    def pruning(self) -> Pruning:
        # a plan that was kept deletes what it deletes, also where so many need the word only now
        forces = self.forces if self.kept is None else self.kept.forces
        return choose_pruning(prunes=self.prunes, forces=forces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTalk:
    """Whom to tell, and whom to ask."""

    show_problems: Callable[[Sequence[Problem]], None]
    use_mask: Callable[[Mask], None]
    """Given what hides every secret, before anything is shown."""
    show_plan: Callable[[AccountPlan], None]
    confirm: Callable[[AccountPlan], bool]
    tell: Callable[[Verdict], None]
    note: Callable[[str], None]
    stopping: Callable[[], int]
    """0, or the exit code to stop with."""
    step: Callable[[], None] = lambda: None
    """Called when one more change has been sent, or is known not to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How it went."""

    exit_code: int
    verdicts: tuple[Verdict, ...] = ()


def apply(workspace: Workspace, wish: ApplyWish, tools: Tools, talk: ApplyTalk) -> Applied:
    """Make the account as the files declare it. Raises StopError; nothing is changed by then."""
    owner = (workspace.project_name or "", workspace.project.environment)
    scope = Scope(text="\n".join(("account", *owner, tools.service.target)))
    try:
        with tools.ledger.lock([scope], wait_s=wish.lock_wait_s):
            return _apply(workspace, wish, tools, talk)
    except LockedError as error:
        raise LockedError(str(error).replace("run of these jobs", "apply of this project")) from error


def _apply(workspace: Workspace, wish: ApplyWish, tools: Tools, talk: ApplyTalk) -> Applied:
    session = _look_at(workspace, tools)
    problems = session.check()
    declared, more = declare(session)
    if _stop(problems + more, talk):
        return Applied(exit_code=2)
    if wish.prunes:
        refuse_part(workspace)
    mask = Mask({**tools.secrets, "QSTASH_TOKEN": tools.service.token})
    talk.use_mask(mask)
    return make_as(aim_at(declared, wish), wish, tools, talk, mask=mask, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What an account is to become."""

    look: Callable[[Asking], AccountPlan]
    """Asks the account, and plans what would make it so; StopError where it cannot be read."""
    replan: Callable[[Account], AccountPlan]
    """Plans the same with what was read back."""


def aim_at(declared: Declared, wish: ApplyWish) -> Aim:
    """Aim at what is declared."""
    return Aim(
        look=lambda asking: look(declared, asking, prunes=wish.pruning),
        replan=replan(declared, prunes=wish.pruning),
    )


def make_as(
    aim: Aim, wish: ApplyWish, tools: Tools, talk: ApplyTalk, *, mask: Mask, problems: Sequence[Problem] = ()
) -> Applied:
    """Show what would change, ask, change it, and read it back. `problems` are shown again with the plan's own."""
    asking = open_asking(tools.service, tools.clock, stopping=lambda: bool(talk.stopping()))
    try:
        plan = aim.look(asking)
        if plan.problems and _stop([*problems, *plan.problems], talk):
            return Applied(exit_code=2)
        shown = hide_plan(plan, mask)
        _hold_to(wish.kept, shown)
        talk.show_plan(shown)
        refuse_deletions(plan, wish)
        if not plan.sent:
            return Applied(exit_code=0)
        if not talk.confirm(shown):
            return Applied(exit_code=0)
        # whoever was asked took a while, and queues are written whole: what is changed is what is there now
        now = aim.look(asking)
        if now.checksum != plan.checksum:
            raise UsageError(
                "the account was changed in the meantime; nothing was applied: look at the plan again"
            )
        return _carry_out(now, aim, asking, talk)
    finally:
        asking.close()


def _carry_out(plan: AccountPlan, aim: Aim, asking: Asking, talk: ApplyTalk) -> Applied:
    verdicts: list[Verdict] = []
    try:
        for verdict in apply_changes(plan.sent, asking):
            verdicts.append(verdict)
            talk.step()
        settled = read_back(verdicts, aim.replan, asking)
    except KeyboardInterrupt:
        talk.note(_tell_break(verdicts, len(plan.sent)))
        raise
    if isinstance(settled, Failed):
        unread = explain_unread(settled)
        talk.note(f"what was applied was not read back: {unread}")
        settled = [_doubt(verdict, unread) for verdict in verdicts]
    for verdict in settled:
        talk.tell(verdict)
    return Applied(exit_code=_exit_code(settled, talk.stopping()), verdicts=tuple(settled))


def _tell_break(verdicts: Sequence[Verdict], planned: int) -> str:
    """Say how far it was when it was broken off: nobody waits for the account to be read back then."""
    taken = sum(verdict.state == "applied" for verdict in verdicts)
    what = f"broken off: QStash took {taken:,} of {count(planned, 'change')}"
    if taken == planned:
        return f"{what}; they were not read back"
    one_more = "" if len(verdicts) == planned else ", and may have taken one more"
    return f"{what}{one_more}; the next apply does the rest"


def _doubt(verdict: Verdict, unread: StopError) -> Verdict:
    """Say of a change that was taken that nobody has looked whether it is there."""
    if verdict.state != "applied":
        return verdict
    exit_code = 4 if unread.exit_code == 4 else 5
    return replace(verdict, reason="QStash took it; it was not read back", exit_code=exit_code)


CONCERNS = (4, 3, 5, 1)
"""Exit codes, the highest concern first; a signal's is above them."""


def _exit_code(verdicts: Sequence[Verdict], stopped: int) -> int:
    codes = {verdict.exit_code for verdict in verdicts}
    if stopped and any(verdict.state in ("pending", "partial") for verdict in verdicts):
        return stopped
    return next((code for code in CONCERNS if code in codes), 0)


def _stop(problems: Sequence[Problem], talk: ApplyTalk) -> bool:
    """Show problems; say whether one of them keeps anything from being applied."""
    talk.show_problems(problems)
    return any(problem.severity is Severity.ERROR for problem in problems)


def _hold_to(kept: KeptPlan | None, plan: AccountPlan) -> None:
    """Refuse to apply anything but the plan that was kept."""
    if kept is not None and kept.checksum != plan.checksum:
        what = (
            "; ".join(find_differences(kept, plan))
            or "the order of its changes, or the file that it was kept in"
        )
        raise UsageError(f"this is not what was planned, and nothing was applied: {what}; plan again")


def refuse_deletions(plan: AccountPlan, wish: ApplyWish) -> None:
    """UsageError where so much would be deleted that it needs a second word, and that was not said."""
    reasons = () if wish.forces else plan.refusals()
    if reasons:
        raise UsageError(f"nothing was applied; --force deletes all the same: {'; '.join(reasons)}")


def _look_at(workspace: Workspace, tools: Tools) -> Session:
    keys = Keys(
        None,
        run_id=NO_RUN,
        started_at=tools.clock.now(),
        project=workspace.project_name or "",
        environment=workspace.project.environment,
        target=tools.service.target,
    )
    return Session(
        workspace,
        Surroundings(
            env=tools.env,
            secrets=tools.secrets,
            missing_secret="error",  # noqa: S106 - what to do, not a secret
            now=keys.started_at,
            server_is_local=tools.service.server.is_local,
            project_name=keys.project,
            run_id=NO_RUN,
            facts_of=keys.facts,
        ),
    )


def hold_to_target(kept: KeptPlan, workspace: Workspace, target: str) -> ApplyWish:
    """Wish for a kept plan, in the place that it was made for; UsageError in another."""
    here = (target, workspace.project.environment)
    if (kept.target, kept.environment) != here:
        raise UsageError(
            f"this plan was made for {_name_place(kept.target, kept.environment)}, and this is {_name_place(*here)}; "
            "choose the account and the environment of the plan, or plan again"
        )
    return ApplyWish(prunes=kept.prunes, kept=kept)


def _name_place(target: str, environment: str) -> str:
    server, _, account = target.partition(" ")
    words = [server, f"account {account}" if account else "", environment]
    return ", ".join(filter(None, words))


def with_force(wish: ApplyWish, given: Mapping[str, bool]) -> ApplyWish:
    """Add what the command line says to a wish."""
    forces = given["force"] or (wish.kept is not None and wish.kept.forces)
    return replace(wish, prunes=wish.prunes or given["prune"], forces=forces)
