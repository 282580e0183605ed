"""The program's door: finds the command, and turns every ending into a sentence and an exit code."""

import errno
import gc
import importlib
import os
import sys
from io import TextIOWrapper
from pathlib import Path

import click

from qstash_jobs import __version__
from qstash_jobs.errors import STOPPED, StopError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("qstash_jobs.cli.init", "Write a first job file and a project file."),
    "validate": ("qstash_jobs.cli.validate", "Find everything that can be known to be wrong, offline."),
    "plan": ("qstash_jobs.cli.plan", "Show the exact requests that run would send; send nothing."),
    "run": (
        "qstash_jobs.cli.run",
        "Publish jobs, each message at most once, and record what became of them.",
    ),
    "apply": (
        "qstash_jobs.cli.apply",
        "Make schedules, URL groups, queues and flow controls as declared.",
    ),
    "runs": ("qstash_jobs.cli.runs", "List the runs of the ledger."),
    "show": ("qstash_jobs.cli.show", "Show one run or one message as the ledger knows it."),
    "status": ("qstash_jobs.cli.status", "Ask QStash whether messages were delivered."),
    "ledger": ("qstash_jobs.cli.ledger", "Check the ledger, forget what is old, or export all of it."),
    "resolve": ("qstash_jobs.cli.resolve", "Settle by hand whether a message in doubt was published."),
    "dev": ("qstash_jobs.cli.dev", "Run a QStash-compatible server on this machine."),
    "doctor": ("qstash_jobs.cli.doctor", "Look at everything that a run depends on."),
    "import": (
        "qstash_jobs.cli.import_",
        "Write a job file with what the account holds, or with other cron entries.",
    ),
    "copy": ("qstash_jobs.cli.copy", "Make one region's account hold what another's does."),
    "schedules": (
        "qstash_jobs.cli.schedules",
        "Say when schedules fire next, and what they ask of the plan.",
    ),
    "schema": ("qstash_jobs.cli.schema", "Print the JSON Schema of job files."),
    "explain": ("qstash_jobs.cli.explain", "Explain a field of a job, or a rule and its fix."),
}
"""Each command's module and its one line of help, so that `--help` loads none of them."""

GARBAGE_AFTER = 50_000
"""New objects after which Python looks for cycles among them."""


class LazyGroup(click.Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def group() -> None:
    """Publish QStash messages from YAML job files: checked before they are sent, never lost, never twice.

    Start with `qstash-jobs run --local jobs/`: it publishes to a server on this machine, and nothing leaves it.
    """


def main() -> None:
    """Run the command line and exit."""
    _mend_streams()
    # what is imported and read stays: looking through all of it for cycles at every 700 new objects finds nothing
    gc.set_threshold(GARBAGE_AFTER)
    exit_code = run(sys.argv[1:])
    gc.freeze()  # nor does looking once more at the end, which took an eighth of a short run
    sys.exit(exit_code)


def _mend_streams() -> None:
    """Give streams that are closed somewhere to go, and write what the locale has no letters for all the same."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def run(arguments: list[str]) -> int:
    """Run one command line; return its exit code. Nothing but a fault of this program is a traceback."""
    try:
        answer = group.main(arguments, prog_name="qstash-jobs", standalone_mode=False)
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _say_usage(error, arguments)
    except (click.Abort, KeyboardInterrupt) as error:
        # click makes an Abort of every KeyboardInterrupt, ours too
        exit_code = getattr(error.__cause__ or error, "exit_code", 130)
        return _say(STOPPED[exit_code], exit_code, arguments)
    except StopError as error:
        return _say(str(error), error.exit_code, arguments)
    except Exception as error:
        return _say(*_report_fault(error), arguments)


def _say(text: str, exit_code: int, arguments: list[str]) -> int:
    from qstash_jobs.cli.terminal import Terminal
    from qstash_jobs.report.escape import escape

    if _asks_for_json(arguments):
        Terminal(log_format="json").fail(text, exit_code=exit_code)
    else:
        Terminal().fail(f"qstash-jobs: {escape(text)}")
    return exit_code


def _asks_for_json(arguments: list[str]) -> bool:
    """Say whether stderr is to be JSON, of a command line that may not even be one that click can read."""
    from qstash_jobs.settings import environment

    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        option, _, value = word.partition("=")
        if option == "--log-format":
            return (value or after) == "json"
    return "run" in arguments[:1] and environment().get("QSTASH_JOBS_LOG_FORMAT") == "json"


def _say_usage(error: click.ClickException, arguments: list[str]) -> int:
    """Say in our own manner what click has to say of the command line."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show()
        return 2
    text = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f"; see {context.command_path} --help" if context is not None else ""
    return _say(text[:1].lower() + text[1:] + where, 2, arguments)


def _report_fault(error: Exception) -> tuple[str, int]:
    """Leave the traceback in a file only its owner reads: it may hold what no terminal should."""
    import tempfile
    import traceback

    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return f"something could not be written: {(error.strerror or str(error)).lower()}", 6
    try:
        with tempfile.NamedTemporaryFile("wb", prefix="qstash-jobs-", suffix=".log", delete=False) as log:
            log.write("".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
    except OSError:
        return f"this is a fault of qstash-jobs, not of your files: {type(error).__name__}", 70
    return f"this is a fault of qstash-jobs, not of your files; its trace is in {log.name}", 70


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""A full or broken disk, or a full device behind stdout, is nobody's fault here."""
