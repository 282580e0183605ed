"""What `run` does once its words are read: publish to QStash, or to a server in this process."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qstash_jobs.api.following import describe, follow_messages, targets_of
from qstash_jobs.api.local import declare, local_service, temporary_ledger
from qstash_jobs.api.results import describe as describe_result
from qstash_jobs.api.run import Intention, Report, Tools, Wish, continue_run, run
from qstash_jobs.api.workspace import Workspace, find_project, load
from qstash_jobs.api.world import check_environment, find_ledger, find_service, open_ledger, system_clock
from qstash_jobs.boundary import Ledger
from qstash_jobs.cli.inputs import read_duration, read_inputs
from qstash_jobs.cli.results import Results
from qstash_jobs.cli.signals import stop_on_signals
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.problem import Problem
from qstash_jobs.publish import Options, UnrecordedError
from qstash_jobs.report.deliveries import summarise_deliveries, write_followed
from qstash_jobs.report.records import shorten_run, suggest_next, write_result_json
from qstash_jobs.report.wording import count, show_age, write_totals
from qstash_jobs.settings import Secrets, environment

REMEMBERED = 10_000
"""Messages that the local server of a run remembers once they are settled: it shares this process's memory."""


def publish_there(given: Mapping[str, Any]) -> int:
    """Publish to QStash."""
    for option in ("deliver", "real_time"):
        if given[option]:
            raise UsageError(f"--{option.replace('_', '-')} goes with --local")
    if given["continued"] is not None:
        return _finish_earlier(given)
    workspace = load(read_inputs(given, default=None))
    with closing(open_ledger(find_ledger(given["ledger"], environment(), workspace.project))) as ledger:
        return _publish_with(given, ledger, workspace, _wish(given))


def publish_here(given: Mapping[str, Any]) -> int:
    """Publish to a server in this process, with a ledger that goes with it."""
    from qstash_jobs.cli.arrivals import show_arrivals
    from qstash_jobs.local import Retention, start_server
    from qstash_jobs.local.world.quota import FIXED

    if given["continued"] is not None:
        raise UsageError("--continue finishes a run against QStash; a local run leaves nothing to continue")
    workspace = load(read_inputs(given, default="jobs/"))
    with ExitStack() as stack:
        server = stack.enter_context(
            start_server(
                deliver=given["deliver"],
                real_time=given["real_time"],
                quota=FIXED,
                retention=Retention(messages=REMEMBERED),
            )
        )
        path = stack.enter_context(temporary_ledger())
        ledger = stack.enter_context(closing(open_ledger(path)))
        tools = Tools(
            service=local_service(server, environment()),
            ledger=ledger,
            clock=system_clock(),
            env=environment(),
            secrets=Secrets(environment(), workspace.inputs.secrets_dir),
        )

        def prepare(intention: Intention) -> bool:
            declare(intention.resources, server)
            return True

        running = Running(given=given, terminal=Terminal(quiet=given["quiet"]), tools=tools, confirm=prepare)
        with server.hold():
            report = running.publish(workspace, replace(_wish(given), missing_secret="local", looks_up=False))  # noqa: S106
        if report.run is None:
            return report.exit_code
        exit_code = show_arrivals(server, tools, report.run, running.terminal, format_=given["format_"])
        running.sum_up(report, waited=True)
        return report.exit_code or exit_code


def _finish_earlier(given: Mapping[str, Any]) -> int:
    if given["paths"] or given["run_key"] is not None or given["variables"] or given["jobs"]:
        raise UsageError("--continue takes paths, jobs, variables and run key from the run that it finishes")
    project = find_project(Path.cwd())
    with closing(open_ledger(find_ledger(given["ledger"], environment(), project))) as ledger:
        found = ledger.find_runs(given["continued"])
        if not found:
            which = f"no run begins with {given['continued']}" if given["continued"] else "no run"
            raise UsageError(f"the ledger knows {which}; see qstash-jobs runs")
        if given["continued"] and len(found) > 1:
            raise UsageError(f"{len(found)} runs begin with {given['continued']}; give more of its id")
        inputs, wish = continue_run(found[0], _wish(given))
        workspace = load(replace(inputs, secrets_dir=given["secrets_dir"]))
        return _publish_with(given, ledger, workspace, wish)


def _publish_with(given: Mapping[str, Any], ledger: Ledger, workspace: Workspace, wish: Wish) -> int:
    terminal = Terminal(quiet=given["quiet"])
    check_environment(workspace.project)
    service, warnings = find_service(environment(), workspace.project)
    for warning in warnings:
        terminal.warn(f"warning: {warning}")
    tools = Tools(
        service=service,
        ledger=ledger,
        clock=system_clock(),
        env=environment(),
        secrets=Secrets(environment(), workspace.inputs.secrets_dir),
    )
    running = Running(given=given, terminal=terminal, tools=tools)
    running.confirm = running.ask
    wait_s = read_duration("--wait", given["wait"])
    report = running.publish(workspace, wish)
    if report.run is None:
        return report.exit_code
    waited = running.wait(report.run, wait_s) if wait_s else 0
    running.sum_up(report, waited=bool(wait_s))
    return report.exit_code or waited


def _wish(given: Mapping[str, Any]) -> Wish:
    return Wish(
        run_key=given["run_key"],
        again=given["again"],
        skip=given["skip"],
        options=Options(concurrency=given["concurrency"], batch_size=given["batch_size"], rate=given["rate"]),
        lock_wait_s=read_duration("--lock-wait", given["lock_wait"]),
    )


@dataclass(slots=True, kw_only=True)
class Running:
    """One run, and what is said of it."""

    given: Mapping[str, Any]
    terminal: Terminal
    tools: Tools
    confirm: Callable[[Intention], bool] | None = None

    def publish(self, workspace: Workspace, wish: Wish) -> Report:
        """Run, showing results as they come."""
        assert self.confirm is not None  # noqa: S101 - set by whoever made this
        with (
            stop_on_signals() as stop,
            Results(self.terminal, self.given["format_"], self.given["results"]) as results,
        ):
            try:
                report = run(
                    workspace,
                    wish,
                    self.tools,
                    show_problems=lambda problems: self._show_problems(workspace, problems),
                    confirm=self.confirm,
                    tell=results.tell,
                    stopping=stop.is_asked,
                )
            except UnrecordedError as error:
                self._show_unrecorded(error)
                raise
            results.end()
        return replace(report, exit_code=stop.exit_code) if report.exit_code == 130 else report

    def ask(self, intention: Intention) -> bool:
        """Say what goes where, and ask on a terminal."""
        limit = self.given["max_messages"]
        if limit is not None and intention.messages > limit:
            raise UsageError(
                f"there are {count(intention.messages, 'message')}, over --max-messages {limit:,}; nothing was sent"
            )
        question = self._question(intention)
        if self.given["yes"] or not self.terminal.is_interactive:
            self.terminal.note(question)
            return True
        if self.terminal.ask(f"{question}? [y/N] "):
            return True
        self.terminal.warn("nothing was sent")
        return False

    def wait(self, run_id: str, wait_s: float) -> int:
        """Follow what was published until it arrives; return 9 where time runs out, 1 where something failed."""
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
                show = self.terminal.note if self.given["format_"] == "jsonl" else self.terminal.result
                show(line)
        self.terminal.note(summarise_deliveries(states))
        if states["failed"] or states["cancelled"]:
            return 1
        return 0 if set(states) <= {"delivered"} else 9

    def sum_up(self, report: Report, *, waited: bool) -> None:
        """Say how it went, and what to type next."""
        say = self.terminal.note if report.exit_code == 0 else self.terminal.warn
        if report.ending is not None:
            hint = f"; {report.ending.hint}" if report.ending.hint else ""
            say(f"stopped: {report.ending.reason}{hint}")
        run_id = report.run or ""
        say(f"{write_totals(report.totals)} (run {shorten_run(run_id)})")
        if not self.given["local"]:
            for line in suggest_next(report.totals, run=run_id, waited=waited):
                say(line)

    def _show_problems(self, workspace: Workspace, problems: list[Problem]) -> None:
        known = dict(self.tools.secrets)
        if not self.given["local"]:
            known["QSTASH_TOKEN"] = self.tools.service.token
        self.terminal.mask = Mask(known)
        self.terminal.problems(problems, files=workspace.files_read)

    def _question(self, intention: Intention) -> str:
        service = intention.service
        where = [service.name]
        where += [f"account {service.account}"] if service.account else []
        where += [intention.environment] if intention.environment else []
        what = f"publish {count(intention.messages, 'message')} of {count(intention.jobs, 'job')}"
        disabled = f", {len(intention.disabled):,} disabled" if intention.disabled else ""
        last = self._last_run(intention)
        return f"{what}{disabled} to {', '.join(where)}" + (f"; {last}" if last else "")

    def _last_run(self, intention: Intention) -> str | None:
        """Tell of the last run of these files: what was published a minute ago is rarely meant twice."""
        for earlier in self.tools.ledger.runs(limit=50):
            files = earlier.options.get("keys")
            if isinstance(files, dict) and set(files) & set(intention.files) and earlier.id != intention.run:
                age = show_age(earlier.started_at, self.tools.clock.now())
                return f"the last run of these jobs was {age} ({shorten_run(earlier.id)})"
        return None

    def _show_unrecorded(self, error: UnrecordedError) -> None:
        """Print what the ledger could not take, so that somebody still knows it."""
        for settlement in error.settlements:
            sys.stderr.write(
                self.terminal.mask.hide(write_result_json(describe_result("", settlement))) + "\n"
            )
