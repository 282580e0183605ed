"""`qstash-jobs apply`."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from qstash_jobs.api.applying import ApplyWish
    from qstash_jobs.api.inputs import Inputs
    from qstash_jobs.api.workspace import Workspace
    from qstash_jobs.api.world import Service
    from qstash_jobs.cli.signals import Stop
    from qstash_jobs.plan.kept import KeptPlan


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
@options.lock_wait("apply")
@options.changes_format
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
    from qstash_jobs.cli.applying import Talk, name_place
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
            terminal=terminal,
            stop=stop,
            format_=given["format_"],
            place=name_place(service, workspace.project.environment),
            environment=workspace.project.environment,
            files=workspace.files_read,
            is_agreed=given["yes"] or kept is not None,
            words="--yes, or name a plan with --plan FILE",
            again=_list_words(workspace.inputs, prunes=wish.prunes, forces=given["force"]),
        )
        return talk.see_through(lambda talk: apply(workspace, wish, tools, talk))


def _wish(
    given: dict[str, Any], kept: "KeptPlan | None", workspace: "Workspace", service: "Service"
) -> "ApplyWish":
    from qstash_jobs.api.applying import ApplyWish, hold_to_target, with_force
    from qstash_jobs.errors import UsageError

    if kept is not None and given["prune"] and not kept.prunes:
        raise UsageError("this plan was made without --prune, so nothing may be deleted; plan again with it")
    wish = ApplyWish() if kept is None else hold_to_target(kept, workspace, service.target)
    return with_force(wish, given)


def _list_words(inputs: "Inputs", *, prunes: bool, forces: bool) -> list[str]:
    """List the words of the command that does the rest: a kept plan is of an account that was another."""
    words = ["qstash-jobs", "apply", *inputs.paths]
    words += ["--environment", inputs.environment] if inputs.environment else []
    words += [word for pattern in inputs.jobs for word in ("--job", pattern)]
    words += ["--prune"] if prunes else []
    return words + (["--force"] if forces else [])
