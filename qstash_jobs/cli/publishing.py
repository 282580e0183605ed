"""What `run` does once its words are read: publish to QStash, or to a server in this process."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from math import isfinite
from typing import Any

import click
from click.core import ParameterSource

from qstash_jobs.api.continuing import continue_run
from qstash_jobs.api.finding import find_known_run
from qstash_jobs.api.wish import Report, Tools, Wish
from qstash_jobs.api.workspace import Workspace, load
from qstash_jobs.api.world import (
    Service,
    check_environment,
    clock_of,
    find_ledger,
    find_service,
    holds_ledger,
    is_ledger_passing,
    open_ledger,
    project_here,
    system_clock,
)
from qstash_jobs.boundary import Ledger
from qstash_jobs.cli.inputs import check_secrets_dir, check_text, read_duration, read_inputs
from qstash_jobs.cli.running import Running
from qstash_jobs.cli.signals import Stop
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import STOPPED, UsageError
from qstash_jobs.publish import Options, Settlement
from qstash_jobs.record import Run
from qstash_jobs.settings import Secrets, environment

REMEMBERED = 10_000
"""Messages that the local server of a run remembers once they are settled: it shares this process's memory."""


def publish_there(given: Mapping[str, Any], stop: Stop) -> int:
    """Publish to QStash, and tell those who watch from afar."""
    if given["heartbeat_url"] is None and given["metrics_file"] is None:
        return _publish(given, stop, _ignore).exit_code
    from qstash_jobs.cli.watching import publish_watched

    return publish_watched(given, _terminal(given), lambda note: _publish(given, stop, note))


def _ignore(settlement: Settlement) -> None:
    """Hear of a message, where nobody watches."""


def _terminal(given: Mapping[str, Any]) -> Terminal:
    return Terminal(quiet=given["quiet"], log_format=given["log_format"])


def _publish(given: Mapping[str, Any], stop: Stop, note: Callable[[Settlement], None]) -> Report:
    for option in ("deliver", "real_time"):
        if given[option]:
            raise UsageError(f"--{option.replace('_', '-')} goes with --local")
    if given["continued"] is not None:
        return _finish_earlier(given, stop, note)
    workspace = load(read_inputs(given, default=None))
    service = _find_service(given, workspace)
    wish = replace(_wish(given), needs_lasting_ledger=_tell_of_passing_ledger(given, workspace))
    with closing(open_ledger(find_ledger(given["ledger"], environment(), workspace.project))) as ledger:
        return _publish_with(given, service, ledger, workspace, wish, stop, note)


def publish_here(given: Mapping[str, Any], stop: Stop) -> int:
    """Publish to a server in this process, with a ledger that goes with it."""
    from qstash_jobs.api.local import declare, local_service, temporary_ledger
    from qstash_jobs.cli.arrivals import show_arrivals
    from qstash_jobs.local import Retention, start_server
    from qstash_jobs.local.world.quota import FIXED

    _refuse_watching(given)
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

        running = Running(
            given=given,
            terminal=_terminal(given),
            tools=tools,
            stop=stop,
            prepare=lambda intention: declare(intention.resources, server),
        )
        with server.hold():
            report = running.publish(workspace, replace(_wish(given), missing_secret="local", looks_up=False))  # noqa: S106
        if report.run is None:
            return report.exit_code
        exit_code = show_arrivals(server, tools, report.run, running.terminal, format_=given["format_"])
        running.sum_up(report, waited=True)
        return report.exit_code or exit_code


def _refuse_watching(given: Mapping[str, Any]) -> None:
    """Refuse to tell a monitor of a rehearsal. Where the environment names one, a local run leaves it alone."""
    for name in ("heartbeat_url", "metrics_file"):
        typed = click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given[name] is not None and typed:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} tells of what reaches QStash; leave it out with --local")


def _finish_earlier(given: Mapping[str, Any], stop: Stop, note: Callable[[Settlement], None]) -> Report:
    own = ("paths", "run_key", "variables", "vars_file", "jobs", "schedules")
    if given["again"] or any(given[name] not in (None, ()) for name in own):
        raise UsageError(
            "--continue takes paths, jobs, variables and run key from the run that it finishes; leave them out"
        )
    check_secrets_dir(given)
    path = find_ledger(given["ledger"], environment(), project_here(given["environment"]))
    if not holds_ledger(path):
        raise UsageError(f"there is no ledger at {path}, so there is no run to finish")
    with closing(open_ledger(path)) as ledger:
        record = _find_run(ledger, given["continued"])
        inputs, wish = continue_run(record, _wish(given))
        workspace = load(replace(inputs, secrets_dir=given["secrets_dir"]))
        service = _find_service(given, workspace)
        return _publish_with(given, service, ledger, workspace, wish, stop, note, finishing=record.id)


def _find_run(ledger: Ledger, text: str) -> Run:
    """Find the run to finish: the one whose id begins so, or the last one."""
    check_text("--continue", text or None)
    if text:
        return find_known_run(ledger, text)
    run = next(ledger.runs(limit=1), None)
    if run is None:
        raise UsageError("the ledger knows no run yet")
    return run


def _find_service(given: Mapping[str, Any], workspace: Workspace) -> Service:
    """Find where to publish, before a ledger is made for what can't be."""
    check_environment(workspace.project)
    service, warnings = find_service(environment(), workspace.project)
    for warning in warnings:
        _terminal(given).warn(f"warning: {warning}")
    return service


def _tell_of_passing_ledger(given: Mapping[str, Any], workspace: Workspace) -> bool:
    """Say that the ledger goes with this machine, where it does and nobody has said that this is meant."""
    if given["ephemeral"] or not is_ledger_passing(given["ledger"], environment(), workspace.project):
        return False
    _terminal(given).note(
        "CI is set and no ledger is named: what this run publishes is remembered on this machine only, and goes with "
        "it; name a ledger that lasts with --ledger, or say --ephemeral"
    )
    return True


def _publish_with(
    given: Mapping[str, Any],
    service: Service,
    ledger: Ledger,
    workspace: Workspace,
    wish: Wish,
    stop: Stop,
    note: Callable[[Settlement], None],
    *,
    finishing: str = "",
) -> Report:
    tools = Tools(
        service=service,
        ledger=ledger,
        clock=clock_of(ledger),
        env=environment(),
        secrets=Secrets(environment(), workspace.inputs.secrets_dir),
    )
    running = Running(
        given=given, terminal=_terminal(given), tools=tools, stop=stop, finishing=finishing, note=note
    )
    wait_s = read_duration("--wait", given["wait"])
    report = running.publish(workspace, wish)
    if report.run is None:
        return report
    waited = 0
    try:
        if wait_s and report.exit_code not in STOPPED:
            waited = running.wait(report.run, wait_s)
    except BaseException:
        running.sum_up(report, waited=False)
        raise
    running.sum_up(report, waited=bool(wait_s))
    return replace(report, exit_code=report.exit_code or waited)


def _wish(given: Mapping[str, Any]) -> Wish:
    if given["rate"] is not None and not isfinite(given["rate"]):
        raise UsageError(f"--rate {given['rate']} is no number of messages a second")
    for word in given["skip"]:
        check_text("--skip", word)
    return Wish(
        run_key=given["run_key"],
        again=given["again"],
        skip=given["skip"],
        options=Options(
            concurrency=given["concurrency"],
            batch_size=given["batch_size"],
            rate=given["rate"],
            resends_doubts=given["in_doubt"] == "resend",
        ),
        lock_wait_s=read_duration("--lock-wait", given["lock_wait"]),
    )
