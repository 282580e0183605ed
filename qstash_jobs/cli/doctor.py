"""`qstash-jobs doctor`."""

from typing import Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal


@click.command("doctor")
@options.ledger
@options.environment
@options.env_file
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people, or one JSON document.",
)
def command(**given: Any) -> int:
    """Look at everything that a run depends on, and say what is not in order; change nothing.

    Token, address, proxy, certificates, the way to QStash, the clock, the ledger and its disk, and settings that are
    not read. It needs no job file. Without a network the rest is looked at all the same. No token is ever shown.

    \b
    Exit codes, as a run would end; the highest concern wins:
      0  a run can begin
      6  the ledger cannot be read or written
      4  QStash does not accept the token, or there is none
      2  a setting is wrong
      5  QStash cannot be reached
    """
    from qstash_jobs.api.checkup import Question, check_up
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.report.checkup import (
        exit_code_of_checks,
        summarise_checks,
        write_checks,
        write_checks_json,
    )
    from qstash_jobs.settings import environment, working_folder

    question = Question(
        here=working_folder(),
        environment=given["environment"] or "",
        ledger=given["ledger"],
        names=_variables(click.get_current_context()),
    )
    terminal = Terminal()
    checks = check_up(question, environment(), system_clock())
    if given["format_"] == "json":
        terminal.result(write_checks_json(checks))
    else:
        terminal.results(write_checks(checks, colour=terminal.colour))
        terminal.note(summarise_checks(checks))
    return exit_code_of_checks(checks)


def _variables(context: click.Context) -> frozenset[str]:
    """Name the variables of all options of all commands."""
    from qstash_jobs.cli.main import group

    commands = (group.get_command(context, name) for name in group.list_commands(context))
    parameters = (parameter for command in commands if command for parameter in command.params)
    return frozenset(parameter.envvar for parameter in parameters if isinstance(parameter.envvar, str))
