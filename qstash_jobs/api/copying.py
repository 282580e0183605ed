"""One account -> another that holds the same: drafted as `import` does, planned and applied as files are."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from qstash_jobs.api.account import hide_plan, open_asking
from qstash_jobs.api.applying import Aim, Applied, ApplyTalk, ApplyWish, make_as
from qstash_jobs.api.inventory import read_with
from qstash_jobs.api.original import Original, read_original
from qstash_jobs.api.wish import Tools
from qstash_jobs.api.world import Service, clock_of, system_clock
from qstash_jobs.boundary import Ledger, Scope
from qstash_jobs.errors import LockedError, UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.plan.account import Account, AccountPlan, plan_account
from qstash_jobs.plan.changes import Change
from qstash_jobs.plan.ownership import read_mark
from qstash_jobs.plan.schedule_fields import DeclaredSchedule
from qstash_jobs.plan.schedules import plan_schedule
from qstash_jobs.reconcile import Asking
from qstash_jobs.report.wording import count, join
from qstash_jobs.value import dataclass
from qstash_jobs.wire.resources.schedules import ObservedSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWish:
    """What is to be copied, and how far that may go."""

    source: Service
    target: Service
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    skip: tuple[str, ...] = ()
    """Patterns of names that are left out."""
    rests: bool = False
    """The copies of schedules are paused, whatever the source's are."""
    takes_over: bool = False
    """Also write over schedules of the other account that no copy made."""
    apply: ApplyWish = ApplyWish()


def copy(wish: CopyWish, ledger: Ledger, talk: ApplyTalk) -> Applied:
    """Make the target hold what the source holds. Raises StopError; nothing is changed by then."""
    scope = Scope(text=f"copy\n{wish.target.target}")
    clock = clock_of(ledger)
    tools = Tools(service=wish.target, ledger=ledger, clock=clock, env=wish.env, secrets=wish.secrets)
    try:
        with ledger.lock([scope], wait_s=wish.apply.lock_wait_s):
            return make_as(aim_at_copy(wish, talk), wish.apply, tools, talk, mask=mask_of(wish))
    except LockedError as error:
        raise LockedError(str(error).replace("run of these jobs", "copy into this account")) from error


def plan_copy(wish: CopyWish, talk: ApplyTalk) -> AccountPlan:
    """Plan what a copy would change, secrets hidden, and change nothing."""
    asking = open_asking(wish.target, system_clock())
    try:
        return hide_plan(aim_at_copy(wish, talk).look(asking), mask_of(wish))
    finally:
        asking.close()


def mask_of(wish: CopyWish) -> Mask:
    """Make what hides both tokens, and every secret that was looked up."""
    return Mask({**wish.secrets, "from": wish.source.token, "to": wish.target.token})


def aim_at_copy(wish: CopyWish, talk: ApplyTalk) -> Aim:
    """Read the source, and aim at what it holds; UsageError where not all of that can be copied."""
    if wish.source.target == wish.target.target:
        raise UsageError(f"both are the same account, {wish.source.target}; nothing to copy")
    if wish.apply.prunes and wish.skip:
        raise UsageError("--prune needs all that the source holds; leave out --skip")
    original = read_original(wish.source, env=wish.env, secrets=wish.secrets, skip=wish.skip)
    talk.use_mask(mask_of(wish))
    for warning in original.warnings:
        talk.note(f"warning: {warning}")
    original = _rest(original) if wish.rests else original
    running = sum(not one.paused for one in original.declared.schedules)
    if running:
        talk.note(
            f"warning: {count(running, 'schedule')} of the source would fire in both accounts: pause one side, or say "
            "--paused"
        )
    if original.refusals:
        for refusal in original.refusals:
            talk.note(f"cannot be copied: {refusal}")
        if original.missing:
            talk.note(f"to be set, since QStash hides the values: {', '.join(original.missing)}")
        names = join(list(dict.fromkeys(refusal.partition(";")[0] for refusal in original.refusals)))
        raise UsageError(
            f"nothing was copied, since {names} cannot be; mend that, or leave it out with --skip NAME"
        )

    def look(asking: Asking) -> AccountPlan:
        account = read_with(asking, wish.target)
        _refuse_strangers(original, account, wish)
        return replan(account)

    def replan(account: Account) -> AccountPlan:
        return _dress(plan_account(original.declared, account, prunes=wish.apply.pruning))

    return Aim(look=look, replan=replan)


def _rest(original: Original) -> Original:
    """Pause every schedule of the copy."""
    schedules = tuple(replace(one, paused=True) for one in original.declared.schedules)
    return replace(original, declared=replace(original.declared, schedules=schedules))


def _refuse_strangers(original: Original, target: Account, wish: CopyWish) -> None:
    """UsageError where schedules of the other account, which no copy made, would be written over."""
    there = {one.id: one for one in target.schedules}
    strangers = [
        schedule.id
        for schedule in original.declared.schedules
        if schedule.id in there and not _may_write_over(schedule, there[schedule.id], original)
    ]
    if strangers and not wish.takes_over:
        raise UsageError(
            f"the other account has schedules of the same ids, which no copy made: {', '.join(strangers)}; "
            "--take-over writes over them, --skip NAME leaves one as it is"
        )


def _may_write_over(schedule: DeclaredSchedule, there: ObservedSchedule, original: Original) -> bool:
    """Say whether a schedule is a copy, or the same project's, or as the copy would be."""
    owner = original.declared.owner
    if owner.read_digest(there.labels) is not None:
        return True
    marks, own = (_read_marks(one.labels) for one in (there, original.schedules[schedule.id]))
    return bool(marks & own) or not plan_schedule(schedule, there, owner).is_waiting


def _read_marks(labels: Iterable[str]) -> set[str]:
    return {mark for mark, _ in filter(None, map(read_mark, labels))}


def _dress(plan: AccountPlan) -> AccountPlan:
    """Say of a plan what is true of a copy: nothing of it stands in a file."""
    return replace(plan, changes=tuple(map(_dress_change, plan.changes)))


def _dress_change(change: Change) -> Change:
    notes = ("not in the account that is copied",) if change.action == "unmanaged" else change.notes
    return replace(change, location=None, notes=notes)
