"""The program's door: finds the command, and turns every ending into a sentence and an exit code."""

import importlib
import sys
import tempfile
import traceback
from pathlib import Path

import click

from qstash_jobs import __version__
from qstash_jobs.errors import StopError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("qstash_jobs.cli.init", "Write a first job file and a project file."),
    "validate": ("qstash_jobs.cli.validate", "Find everything that can be known to be wrong, offline."),
    "plan": ("qstash_jobs.cli.plan", "Show the exact requests that run would send; send nothing."),
    "run": (
        "qstash_jobs.cli.run",
        "Publish jobs, each message at most once, and record what became of them.",
    ),
    "runs": ("qstash_jobs.cli.runs", "List the runs of the ledger."),
    "show": ("qstash_jobs.cli.show", "Show one run or one message as the ledger knows it."),
    "status": ("qstash_jobs.cli.status", "Ask QStash whether messages were delivered."),
    "dev": ("qstash_jobs.cli.dev", "Run a QStash-compatible server on this machine."),
    "schema": ("qstash_jobs.cli.schema", "Print the JSON Schema of job files."),
    "explain": ("qstash_jobs.cli.explain", "Explain a field of a job, or a rule and its fix."),
}
"""Each command's module and its one line of help, so that `--help` loads none of them."""


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
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; return its exit code. Nothing but a fault of this program is a traceback."""
    try:
        answer = group.main(arguments, prog_name="qstash-jobs", standalone_mode=False)
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return _say("interrupted", 130)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        from qstash_jobs.cli.terminal import silence_stdout

        silence_stdout()
        return 0
    except StopError as error:
        return _say(str(error), error.exit_code)
    except Exception:
        return _report_fault()


def _say(text: str, exit_code: int) -> int:
    sys.stderr.write(f"qstash-jobs: {text}\n")
    return exit_code


def _report_fault() -> int:
    """Leave the traceback in a file only its owner reads: it may hold what no terminal should."""
    with tempfile.NamedTemporaryFile("w", prefix="qstash-jobs-", suffix=".log", delete=False) as log:
        log.write(traceback.format_exc())
    return _say(f"this is a fault of qstash-jobs, not of your files; its trace is in {Path(log.name)}", 70)
