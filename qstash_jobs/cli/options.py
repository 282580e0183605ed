"""Options that several commands share. Each names its variable; a variable is never a command's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def env_file(command: F) -> F:
    """The option whose file is part of the environment, before any other option looks there."""

    def add(ctx: click.Context, param: click.Parameter, values: tuple[Path, ...]) -> None:
        del param
        if values and not ctx.resilient_parsing:
            from qstash_jobs.settings import added_env_file

            # each says what is not said yet, so the last file is the strongest
            for path in reversed(values):
                ctx.find_root().with_resource(added_env_file(path))

    return click.option(
        "--env-file",
        type=click.Path(path_type=Path),
        multiple=True,
        envvar="QSTASH_JOBS_ENV_FILE",
        is_eager=True,
        expose_value=False,
        callback=add,
        metavar="FILE",
        help="NAME=VALUE lines for what the environment does not say.",
    )(command)


def secrets_dir(command: F) -> F:
    """The option that names a folder of secrets."""
    return click.option(
        "--secrets-dir",
        type=click.Path(path_type=Path),
        envvar="QSTASH_JOBS_SECRETS_DIR",
        metavar="DIR",
        help="Folder with a file for each secret.",
    )(command)


def reading(command: F) -> F:
    """Options of the commands that read job files."""
    for option in reversed(
        [
            click.argument("paths", nargs=-1, metavar="[PATH]..."),
            click.option(
                "--environment",
                envvar="QSTASH_JOBS_ENVIRONMENT",
                metavar="NAME",
                help="Environment of the project file.",
            ),
            click.option(
                "--var",
                "variables",
                multiple=True,
                metavar="NAME=VALUE",
                help="Set a variable; stronger than every file.",
            ),
            click.option(
                "--vars-file",
                type=click.Path(path_type=Path),
                envvar="QSTASH_JOBS_VARS_FILE",
                metavar="FILE",
                help="YAML or JSON file with variables.",
            ),
            secrets_dir,
            click.option(
                "--job",
                "jobs",
                multiple=True,
                envvar="QSTASH_JOBS_JOB",
                metavar="GLOB",
                help="Only jobs whose full name or id matches.",
            ),
            env_file,
        ]
    ):
        command = option(command)
    return command


def ledger(command: F) -> F:
    """The option that names the ledger."""
    return click.option(
        "--ledger",
        envvar="QSTASH_JOBS_LEDGER",
        metavar="URL",
        help="Where runs are remembered: sqlite:///PATH or postgresql://USER@HOST/DATABASE.",
    )(command)


def environment(command: F) -> F:
    """The option that chooses an environment of the project, for the commands that read no job files."""
    return click.option(
        "--environment",
        envvar="QSTASH_JOBS_ENVIRONMENT",
        metavar="NAME",
        help="Environment of the project file, whose ledger and token are used.",
    )(command)


STATES = (
    "published",
    "deduplicated",
    "partial",
    "rejected",
    "in_doubt",
    "planned",
    "waiting",
    "skipped",
    "abandoned",
)
"""What a message can be in, as `--state` takes it."""


def choosing(command: F) -> F:
    """The options that choose messages of the ledger."""
    command = click.option(
        "--job", "jobs", multiple=True, metavar="GLOB", help="Only jobs whose full name or id matches."
    )(command)
    return click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice(STATES),
        metavar="STATE",
        help="Only what has messages in this state, such as rejected or in_doubt; may be given again.",
    )(command)


def history_format(command: F) -> F:
    """The formats in which the ledger's history is shown."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json", "jsonl", "html", "markdown", "junit", "csv"]),
        default="text",
        show_default=True,
        envvar="QSTASH_JOBS_FORMAT",
        help="For people, for programs, a page, for a pull request, for CI systems, for spreadsheets.",
    )(command)


def batch_size(command: F) -> F:
    """How many messages share a request."""
    return click.option(
        "--batch-size",
        type=click.IntRange(1, 1000),
        default=100,
        show_default=True,
        envvar="QSTASH_JOBS_BATCH_SIZE",
        metavar="N",
        help="Messages in one request; 1 sends each alone.",
    )(command)


def schedule(command: F) -> F:
    """The option that takes the messages of schedules as if they were jobs."""
    return click.option(
        "--schedule",
        "schedules",
        multiple=True,
        envvar="QSTASH_JOBS_SCHEDULE",
        metavar="GLOB",
        help="Publish the message of these schedules now, once; jobs only with --job.",
    )(command)


def prune(command: F) -> F:
    """The word without which nothing is deleted; no variable says it."""
    return click.option(
        "--prune",
        is_flag=True,
        help="Delete what carries this project's mark and no file declares any more.",
    )(command)


def force(command: F) -> F:
    """The second word for deletions; no variable says it."""
    return click.option(
        "--force",
        is_flag=True,
        help="With --prune: also much at once, and what only a name says to be this project's.",
    )(command)


def lock_wait(command_name: str) -> Callable[[F], F]:
    """The option of a command that changes an account, to wait for another such command."""
    return click.option(
        "--lock-wait",
        envvar="QSTASH_JOBS_LOCK_WAIT",
        metavar="DURATION",
        help=f"Wait for another {command_name} to end.  [default: end at once]",
    )


def changes_format(command: F) -> F:
    """How changes of an account are told."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "jsonl", "markdown"]),
        default="text",
        show_default=True,
        envvar="QSTASH_JOBS_FORMAT",
        help="For people; a JSON line for each change; for the summary of a pipeline.",
    )(command)


def run_key(command: F) -> F:
    """The option that makes runs the same."""
    return click.option(
        "--run-key",
        envvar="QSTASH_JOBS_RUN_KEY",
        metavar="KEY",
        help="Publish only what no run with this key has published yet.",
    )(command)
