"""One run as the command line sees it: asks before it, shows its results, waits for deliveries, sums it up."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qstash_jobs.api.results import describe as describe_result
from qstash_jobs.api.run import run
from qstash_jobs.api.wish import Intention, Report, Tools, Wish
from qstash_jobs.api.workspace import Workspace
from qstash_jobs.cli.asking import write_question, write_statement, write_unfinished
from qstash_jobs.cli.progress import Progress
from qstash_jobs.cli.results import Results
from qstash_jobs.cli.signals import Stop
from qstash_jobs.cli.terminal import OutputError, Terminal
from qstash_jobs.errors import STOPPED, LedgerError, StopError, UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.problem import Problem
from qstash_jobs.publish import Settlement, UnrecordedError
from qstash_jobs.record import Run
from qstash_jobs.report.escape import quote_shell
from qstash_jobs.report.records import (
    shorten_run,
    suggest_for_orphans,
    suggest_next,
    write_result_json,
)
from qstash_jobs.report.wording import count, write_totals
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.report.conclusion import Conclusion


@dataclass(slots=True, kw_only=True)
class Running:
    """One run, and what is said of it."""

    given: Mapping[str, Any]
    terminal: Terminal
    tools: Tools
    stop: Stop
    finishing: str = ""
    """The run that is continued, if one is."""
    note: Callable[[Settlement], None] = lambda _: None
    """Who else has to hear of each message."""
    prepare: Callable[[Intention], None] = lambda _: None
    """What has to be done once it is sure that messages will be published."""
    _begun: str | None = field(init=False, default=None)
    """The run's id, once it is sure that messages will be published."""
    _asked_in_vain: int = field(init=False, default=0)
    """Messages in doubt about which QStash's log was asked, and tells no more."""
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self._progress = Progress(self.terminal, self.tools.clock)

    def publish(self, workspace: Workspace, wish: Wish) -> Report:
        """Run, showing results as they come."""
        with Results(self.terminal, self.given["format_"], self.given["results"]) as results:

            def tell(run_id: str, settlement: Settlement) -> None:
                self.note(settlement)
                self._asked_in_vain += settlement.asked_in_vain
                results.tell(run_id, settlement)
                self._progress.step()

            ended: Report | BaseException | None = None
            try:
                report = ended = run(
                    workspace,
                    wish,
                    self.tools,
                    show_problems=lambda problems: self._show_problems(workspace, problems),
                    confirm=partial(self._confirm, workspace),
                    tell=tell,
                    stopping=lambda: self.stop.exit_code,
                    note=self.terminal.note,
                )
            except BaseException as error:
                ended = error
                if isinstance(error, UnrecordedError):
                    self._show_unrecorded(error)
                self._sum_up_broken(error)
                raise
            finally:
                self.stop.at_once = True
                self._progress.end()
                results.end(partial(self._conclude, workspace, ended))
        worse = results.has_failed and report.exit_code not in STOPPED
        return replace(report, exit_code=OutputError.exit_code) if worse else report

    def _confirm(self, workspace: Workspace, intention: Intention) -> bool:
        """Hold the run against --max-messages, and ask; from then on a signal has to wait for what is on the wire."""
        limit = self.given["max_messages"]
        if limit is not None and intention.messages > limit:
            raise UsageError(
                f"--max-messages {limit:,} is less than the {count(intention.messages, 'message')} "
                "of this run; nothing was sent"
            )
        self._tell_of_other_ways(workspace, intention)
        if not self.given["local"] and not self._ask(intention):
            self.terminal.warn("nothing was sent")
            return False
        self.prepare(intention)
        self._progress.begin(intention.messages)
        self._begun = intention.run
        self.stop.at_once = False
        return True

    def _tell_of_other_ways(self, workspace: Workspace, intention: Intention) -> None:
        """Say how what the files hold gets anywhere, where it is nothing that a run publishes."""
        has_jobs = any(file.jobs for file in workspace.files)
        if has_jobs or workspace.inputs.schedules:
            return
        if workspace.schedules:
            self.terminal.note(
                "there are no jobs in these files; --schedule GLOB publishes a schedule's message now"
            )
        if not self.given["local"] and (workspace.schedules or intention.resources.resources):
            paths = " ".join(map(quote_shell, workspace.inputs.paths))
            self.terminal.note(f"what they declare of the account is made by: qstash-jobs apply {paths}")

    def _ask(self, intention: Intention) -> bool:
        ledger, clock = self.tools.ledger, self.tools.clock
        unfinished = None if self.finishing else write_unfinished(intention, ledger)
        if unfinished is not None:
            self.terminal.warn(unfinished)
        if self.given["yes"] or not self.terminal.is_interactive:
            statement = write_statement(intention, ledger, clock, finishing=self.finishing)
            self.terminal.note(statement, **_collect(intention))
            return True
        return self.terminal.ask(write_question(intention, ledger, clock, finishing=self.finishing))

    def wait(self, run_id: str, wait_s: float) -> int:
        """Follow what was published until it arrives; return 9 where time runs out, 1 where something failed."""
        from qstash_jobs.api.following import describe, follow_messages, targets_of
        from qstash_jobs.report.deliveries import summarise_deliveries, write_followed

        clock = self.tools.clock
        targets = targets_of(self.tools.ledger.messages(run=run_id))
        states: Counter[str] = Counter()
        for progress in follow_messages(targets, self.tools.service, clock, wait_s=wait_s):
            followed = describe(progress)
            states[followed.state] += 1
            if not (self.terminal.quiet and followed.delivered):
                line = write_followed(
                    followed, now=clock.now(), width=self.terminal.width, colour=self.terminal.colour
                )
                show = self.terminal.result if self.given["format_"] == "text" else self.terminal.note
                show(line)
        self.terminal.note(summarise_deliveries(states), run=run_id, deliveries=dict(states))
        if states["failed"] or states["cancelled"]:
            return 1
        return 0 if set(states) <= {"delivered"} else 9

    def sum_up(self, report: Report, *, waited: bool) -> None:
        """Say how it went, and what to type next."""
        say = self.terminal.note if report.exit_code == 0 else self.terminal.fail
        if report.exit_code in STOPPED:
            say(f"{STOPPED[report.exit_code]}; what was on the wire was finished and is recorded")
        elif report.ending is not None:
            hint = f"; {report.ending.hint}" if report.ending.hint else ""
            say(f"stopped: {report.ending.reason}{hint}")
        run_id = report.run or ""
        totals = write_totals(report.totals)
        facts = {"run": run_id, "totals": dict(report.totals), "exit_code": report.exit_code}
        say(f"{totals} (run {shorten_run(run_id)})", **facts)
        for line in _suggest_for_orphans(report):
            say(line)
        if not self.given["local"]:
            for line in self._suggest_next(report.totals, run_id, waited=waited):
                say(line)

    def _sum_up_broken(self, error: BaseException) -> None:
        """Say of a run that broke off what the ledger knows of it, and how to finish it."""
        if self._begun is None or self.given["local"]:
            return
        try:
            known = self.tools.ledger.find_runs(self._begun)
        except LedgerError:  # that it fails is being told already; it knew the run if messages were sent
            known = []
            if isinstance(error, UnrecordedError):
                self.terminal.fail(_suggest_later(self._begun))
        for record in known:
            for line in self._describe_broken(record):
                self.terminal.fail(line, run=record.id)

    def _describe_broken(self, record: Run) -> Iterator[str]:
        if record.totals is None:
            yield _suggest_later(record.id)
            return
        yield f"{write_totals(record.totals)} (run {shorten_run(record.id)})"
        doubtful = record.totals.get("in_doubt", 0) + record.totals.get("sending", 0)
        yield from self._suggest_next({**record.totals, "in_doubt": doubtful}, record.id)

    def _suggest_next(self, totals: Mapping[str, int], run_id: str, *, waited: bool = False) -> Iterator[str]:
        return suggest_next(totals, run=run_id, waited=waited, asked_in_vain=self._asked_in_vain)

    def _conclude(self, workspace: Workspace, ended: Report | BaseException | None) -> "Conclusion":
        """Say of a run what a document tells beside its messages: how it went, or what it broke off with."""
        from qstash_jobs.report.conclusion import Conclusion

        if not isinstance(ended, Report):
            return Conclusion(run=self._begun, broke_off=_name_break(ended))
        if ended.run is None:
            return Conclusion(problems=ended.problems, files=workspace.documents)
        service = self.tools.service
        facts = [("to", f"{service.name}, account {service.account}" if service.account else service.name)]
        facts += [("environment", workspace.project.environment)] if workspace.project.environment else []
        if ended.ending is not None:
            facts.append(("stopped", ended.ending.reason))
        facts += [("next", line) for line in _suggest_for_orphans(ended)]
        if not self.given["local"]:
            facts += [("next", line) for line in self._suggest_next(ended.totals, ended.run)]
        return Conclusion(run=ended.run, facts=tuple(facts), totals=ended.totals, problems=ended.problems)

    def _show_problems(self, workspace: Workspace, problems: list[Problem]) -> None:
        known = dict(self.tools.secrets)
        if not self.given["local"]:
            known["QSTASH_TOKEN"] = self.tools.service.token
        self.terminal.mask = Mask(known)
        self.terminal.problems(problems, files=workspace.files_read)

    def _show_unrecorded(self, error: UnrecordedError) -> None:
        """Print what the ledger could not take, so that somebody still knows it."""
        if error.settlements:
            number = count(len(error.settlements), "message")
            self.terminal.fail(
                f"QStash answered for {number} of which the ledger has no result; keep these lines:"
            )
        for settlement in error.settlements:
            self.terminal.fail(write_result_json(describe_result(self._begun or "", settlement)))


def _suggest_for_orphans(report: Report) -> Iterator[str]:
    if report.orphans:
        yield suggest_for_orphans([record.name for record in report.orphans])


def _suggest_later(run_id: str) -> str:
    return f"to go on, once the ledger can be written: qstash-jobs run --continue {shorten_run(run_id)}"


def _name_break(error: BaseException | None) -> str:
    """Say what broke a run off; what is no ending that was foreseen is told by the program's door."""
    if isinstance(error, StopError):
        return str(error)
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "a fault of qstash-jobs"


def _collect(intention: Intention) -> dict[str, object]:
    """Give the facts of what a run is about to do, for a log that machines read."""
    return {
        "run": intention.run,
        "messages": intention.messages,
        "jobs": intention.jobs,
        "disabled": len(intention.disabled),
        "server": intention.service.name,
        "account": intention.service.account,
        "environment": intention.environment or None,
    }
