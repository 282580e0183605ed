"""An apply as the command line sees it: the plan on stderr, the question, and a line for each change."""

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from qstash_jobs.cli.progress import Progress
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import StopError
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.api.applying import Applied, ApplyTalk
    from qstash_jobs.api.world import Service
    from qstash_jobs.cli.signals import Stop
    from qstash_jobs.mask import Mask
    from qstash_jobs.plan.account import AccountPlan
    from qstash_jobs.plan.verdict import Verdict
    from qstash_jobs.problem import Problem


def name_place(service: "Service", environment: str = "") -> str:
    """Name an account for people."""
    where = [service.name]
    where += [f"account {service.account}"] if service.account else []
    where += [environment] if environment else []
    return ", ".join(where)


@dataclass(slots=True, kw_only=True)
class Talk:
    """Whom an apply tells, and whom it asks."""

    terminal: Terminal
    stop: "Stop"
    format_: str
    place: str
    """The account, for people."""
    environment: str = ""
    files: int = 0
    """How many job files were read."""
    verb: str = "apply"
    is_agreed: bool
    """Somebody has said yes already."""
    words: str = "--yes"
    """What says yes on the command line."""
    again: Sequence[str]
    """The words of the command that does what is left."""
    _problems: "Sequence[Problem]" = ()
    _untouched: str | None = None
    """Why nothing was done, where nothing was."""
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        from qstash_jobs.api.world import system_clock

        self._progress = Progress(self.terminal, system_clock())

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
            step=self._progress.step,
        )

    def see_through(self, work: "Callable[[ApplyTalk], Applied]") -> int:
        """Have it done; say what became of it, also where it is broken off. Return the exit code."""
        try:
            applied = work(self.bind())
        except StopError as error:
            self._conclude(said=str(error))
            raise
        self._sum_up(applied)
        return applied.exit_code

    def _sum_up(self, applied: "Applied") -> None:
        """Say what was done, and what to type next."""
        from qstash_jobs.report.applied import summarise_verdicts

        self._progress.end()
        if applied.verdicts:
            self.terminal.note(summarise_verdicts(applied.verdicts))
        advice = self._advise(applied)
        if advice is not None:
            self.terminal.note(advice)
        self._conclude(verdicts=applied.verdicts, said=self._untouched, advice=advice)

    def _conclude(
        self, *, verdicts: "Sequence[Verdict]" = (), said: str | None = None, advice: str | None = None
    ) -> None:
        """Write the document of the Markdown format; `said` is why nothing was done, or what broke it off."""
        from qstash_jobs.report.applied import write_applied_markdown

        if self.format_ == "markdown":
            lines = write_applied_markdown(
                verdicts,
                verb=self.verb,
                environment=self.environment,
                said=said,
                problems=self._problems,
                advice=advice,
            )
            self.terminal.results(lines)

    def _advise(self, applied: "Applied") -> str | None:
        from qstash_jobs.report.escape import quote_shell

        if all(one.state in ("applied", "unstuck") for one in applied.verdicts):
            return None
        refused = any(one.exit_code == 1 for one in applied.verdicts)
        first = "mend what was refused; " if refused else ""
        return f"{first}what is left is done by the next one: {' '.join(map(quote_shell, self.again))}"

    def _show_problems(self, problems: "Sequence[Problem]") -> None:
        from qstash_jobs.report.problems import summarise_problems

        self._problems = problems
        if self.terminal.problems(list(problems), files=self.files):
            self._untouched = f"nothing was applied: {summarise_problems(problems, files=self.files)}"

    def _use_mask(self, mask: "Mask") -> None:
        self.terminal.mask = mask

    def _show_plan(self, plan: "AccountPlan") -> None:
        from qstash_jobs.report.changes import summarise_changes, write_changes

        for line in write_changes(
            plan.changes, width=self.terminal.error_width, colour=self.terminal.error_colour
        ):
            self.terminal.note(line)
        summary = summarise_changes(plan.changes)
        self._untouched = None if plan.sent else summary
        self.terminal.note(summary)

    def _confirm(self, plan: "AccountPlan") -> bool:
        from qstash_jobs.errors import UsageError
        from qstash_jobs.report.wording import count

        deletions = sum(change.action == "delete" for change in plan.sent)
        among = f", {count(deletions, 'deletion')} among them," if deletions else ""
        what = f"{self.verb} {count(len(plan.sent), 'change')}{among} to {self.place}"
        if not self.is_agreed:
            if not self.terminal.is_interactive:
                raise UsageError(f"nobody can be asked whether to {what}; say {self.words}")
            if not self.terminal.ask(f"{what}? [y/N] "):
                self._untouched = "nothing was changed"
                self.terminal.warn(self._untouched)
                return False
        else:
            self.terminal.note(what)
        self.stop.at_once = False
        self._progress.begin(len(plan.sent))
        return True

    def _tell(self, verdict: "Verdict") -> None:
        from qstash_jobs.report.applied import write_verdict, write_verdict_json

        match self.format_:
            case "jsonl":
                self.terminal.result(write_verdict_json(verdict, environment=self.environment))
            case "markdown":
                self.terminal.note(write_verdict(verdict, colour=self.terminal.error_colour))
            case _:
                self.terminal.result(write_verdict(verdict, colour=self.terminal.colour))
