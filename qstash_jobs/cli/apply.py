"""`qstash-jobs apply`."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.api.applying import Applied, ApplyTalk, ApplyWish
    from qstash_jobs.api.workspace import Workspace
    from qstash_jobs.api.world import Service
    from qstash_jobs.cli.signals import Stop
    from qstash_jobs.mask import Mask
    from qstash_jobs.plan.account import AccountPlan
    from qstash_jobs.plan.kept import KeptPlan
    from qstash_jobs.plan.verdict import Verdict
    from qstash_jobs.problem import Problem


@click.command("apply")
@options.reading
@options.ledger
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal, unless --plan is given.")
@options.prune
@options.force
@click.option(
    "--plan",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Apply what `plan --out FILE` kept, if it is still the same, and nothing else.",
)
@click.option(
    "--lock-wait",
    envvar="QSTASH_JOBS_LOCK_WAIT",
    metavar="DURATION",
    help="Wait for another apply to end.  [default: end at once]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people, or a JSON line for each change.",
)
def command(**given: Any) -> int:
    """Make schedules, URL groups, queues and flow controls as the files declare them.

    The account is asked for what it holds, and what differs is shown before anything is changed. Everything is changed
    in place; what no file declares is left alone, unless --prune says that what this project made there goes. Where
    anything is wrong in any file, nothing is changed. Afterwards the account is read again.

    \b
    Exit codes:
      0    the account is as declared, or nobody wanted it to be
      1    QStash refused a change, or does not show it
      2    the command line, the settings or the job files are wrong, or the plan is another; nothing was changed
      3    a change may or may not have been made
      4    QStash does not accept the token
      5    stopped early: a limit is reached, or QStash cannot be reached
      6    the ledger, whose lock is held meanwhile, cannot be used
      7    another apply of this project is under way
      130  interrupted (143: terminated, 129: hung up), after a clean stop
    """
    from qstash_jobs.cli.signals import stop_on_signals

    with stop_on_signals(at_once=True) as stop:
        return _apply(given, stop)


def _apply(given: dict[str, Any], stop: "Stop") -> int:
    from dataclasses import replace

    from qstash_jobs.api.applying import apply
    from qstash_jobs.api.wish import Tools
    from qstash_jobs.api.workspace import load
    from qstash_jobs.api.world import check_environment, clock_of, find_ledger, find_service, open_ledger
    from qstash_jobs.cli.inputs import read_duration, read_inputs
    from qstash_jobs.cli.kept import read_plan_file
    from qstash_jobs.settings import Secrets, environment

    terminal = Terminal()
    kept = None if given["kept"] is None else read_plan_file(given["kept"])
    if kept is not None:
        given = {
            **given,
            "paths": given["paths"] or kept.paths,
            "environment": given["environment"] or kept.environment or None,
        }
    inputs = read_inputs(given, default=None, what="what to apply")
    workspace = load(replace(inputs, schedules_too=True))
    check_environment(workspace.project)
    service, warnings = find_service(environment(), workspace.project)
    for warning in warnings:
        terminal.warn(f"warning: {warning}")
    wish = _wish(given, kept, workspace, service)
    wish = replace(wish, lock_wait_s=read_duration("--lock-wait", given["lock_wait"]))
    with closing(open_ledger(find_ledger(given["ledger"], environment(), workspace.project))) as ledger:
        tools = Tools(
            service=service,
            ledger=ledger,
            clock=clock_of(ledger),
            env=environment(),
            secrets=Secrets(environment(), workspace.inputs.secrets_dir),
        )
        talk = Talk(
            given=given,
            terminal=terminal,
            stop=stop,
            workspace=workspace,
            service=service,
            prunes=wish.prunes,
        )
        applied = apply(workspace, wish, tools, talk.bind())
        talk.sum_up(applied)
    return applied.exit_code


def _wish(
    given: dict[str, Any], kept: "KeptPlan | None", workspace: "Workspace", service: "Service"
) -> "ApplyWish":
    from qstash_jobs.api.applying import ApplyWish, hold_to_target, with_force
    from qstash_jobs.errors import UsageError

    if kept is not None and given["prune"] and not kept.prunes:
        raise UsageError("this plan was made without --prune, so nothing may be deleted; plan again with it")
    wish = ApplyWish() if kept is None else hold_to_target(kept, workspace, service.target)
    return with_force(wish, given)


@dataclass(slots=True, kw_only=True)
class Talk:
    """One apply as the command line sees it."""

    given: dict[str, Any]
    terminal: Terminal
    stop: "Stop"
    workspace: "Workspace"
    service: "Service"
    prunes: bool

    def bind(self) -> "ApplyTalk":
        from qstash_jobs.api.applying import ApplyTalk

        return ApplyTalk(
            show_problems=self._show_problems,
            use_mask=self._use_mask,
            show_plan=self._show_plan,
            confirm=self._confirm,
            tell=self._tell,
            note=self.terminal.warn,
            stopping=lambda: self.stop.exit_code,
        )

    def sum_up(self, applied: "Applied") -> None:
        """Say what was done, and what to type next."""
        from qstash_jobs.report.changes import summarise_verdicts

        if applied.verdicts:
            self.terminal.note(summarise_verdicts(applied.verdicts))
            if any(one.state not in ("applied", "unstuck") for one in applied.verdicts):
                refused = any(one.exit_code == 1 for one in applied.verdicts)
                first = "mend what was refused; " if refused else ""
                self.terminal.note(f"{first}what is left is done by the next one: {self._command()}")

    def _command(self) -> str:
        """Write the command that does the rest: a kept plan is of an account that was another."""
        from qstash_jobs.report.escape import quote_shell

        inputs = self.workspace.inputs
        words = ["qstash-jobs", "apply", *inputs.paths]
        words += ["--environment", inputs.environment] if inputs.environment else []
        words += [word for pattern in inputs.jobs for word in ("--job", pattern)]
        words += ["--prune"] if self.prunes else []
        words += ["--force"] if self.given["force"] else []
        return " ".join(map(quote_shell, words))

    def _show_problems(self, problems: "Sequence[Problem]") -> None:
        self.terminal.problems(list(problems), files=self.workspace.files_read)

    def _use_mask(self, mask: "Mask") -> None:
        self.terminal.mask = mask

    def _show_plan(self, plan: "AccountPlan") -> None:
        from qstash_jobs.report.changes import summarise_changes, write_changes

        for line in write_changes(
            plan.changes, width=self.terminal.error_width, colour=self.terminal.error_colour
        ):
            self.terminal.note(line)
        self.terminal.note(summarise_changes(plan.changes))

    def _confirm(self, plan: "AccountPlan") -> bool:
        from qstash_jobs.errors import UsageError
        from qstash_jobs.report.wording import count

        where = [self.service.name]
        where += [f"account {self.service.account}"] if self.service.account else []
        where += [self.workspace.project.environment] if self.workspace.project.environment else []
        deletions = sum(change.action == "delete" for change in plan.sent)
        among = f", {count(deletions, 'deletion')} among them," if deletions else ""
        what = f"apply {count(len(plan.sent), 'change')}{among} to {', '.join(where)}"
        if not (self.given["yes"] or self.given["kept"] is not None):
            if not self.terminal.is_interactive:
                raise UsageError(
                    f"nobody can be asked whether to {what}; say --yes, or name a plan with --plan FILE"
                )
            if not self.terminal.ask(f"{what}? [y/N] "):
                self.terminal.warn("nothing was changed")
                return False
        else:
            self.terminal.note(what)
        self.stop.at_once = False
        return True

    def _tell(self, verdict: "Verdict") -> None:
        from qstash_jobs.report.changes import write_verdict, write_verdict_json

        if self.given["format_"] == "jsonl":
            self.terminal.result(write_verdict_json(verdict, environment=self.workspace.project.environment))
        else:
            self.terminal.result(write_verdict(verdict, colour=self.terminal.colour))
