"""`qstash-jobs import`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import UsageError

if TYPE_CHECKING:
    from qstash_jobs.report.job_file import Draft


@click.command("import")
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--from",
    "source",
    type=click.Choice(["crontab", "vercel", "github"]),
    help="What FILE is: a crontab, a vercel.json, a workflow of GitHub Actions.  [default: the account, no FILE]",
)
@click.option("--url", metavar="URL", help="What a schedule calls where the entry itself calls no URL.")
@click.option("--base-url", metavar="URL", help="What the paths of a vercel.json continue.")
@click.option(
    "--timezone", metavar="ZONE", help="The zone of a crontab that names none, such as Europe/Berlin."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the job file there.  [default: print it]",
)
@click.option("--force", is_flag=True, help="Write --out FILE anew where it is there already.")
@click.option(
    "--take-over", is_flag=True, help="Of the account, also schedules that another project keeps as code."
)
@options.environment
def command(**given: Any) -> int:
    """Write a job file with all that the account holds, or with the cron entries of FILE as schedules.

    Of the account it takes schedules, URL groups, queues and pinned flow controls that no file of the project
    declares, such that a plan finds them unchanged. What QStash hides becomes a secret to be set. Of FILE, where - is
    standard input, it takes what --from says.

    What cannot be taken over is a comment with the reason, never silently dropped. Nothing is changed anywhere.

    \b
    Exit codes:
      0    written; what was left out is on stderr
      2    the command line, the settings or a file is wrong
      4    QStash does not accept the token
      5    QStash cannot be reached
    """
    from qstash_jobs.cli.inventory import import_account

    if given["source"] is None:
        _refuse_idle(given)
        return import_account(given)
    return _import_entries(given)


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse what says nothing of an account."""
    if given["file"] is not None:
        raise UsageError(f"say what {given['file']} is: --from crontab, vercel or github")
    for option in _OPTIONS:
        if given[option] is not None:
            raise UsageError(f"--{option.replace('_', '-')} goes with --from {' or '.join(_OPTIONS[option])}")


def _import_entries(given: dict[str, Any]) -> int:
    from qstash_jobs.api.importing import draft_entries
    from qstash_jobs.api.trial import keep_valid, opener
    from qstash_jobs.cli.inventory import write_files
    from qstash_jobs.report.job_file import write_job_file
    from qstash_jobs.settings import environment, working_folder

    terminal = Terminal()
    if given["file"] is None:
        raise UsageError(f"name the file that --from {given['source']} is to read, or - for standard input")
    if given["take_over"]:
        raise UsageError("--take-over is for what the account holds; leave out --from")
    open_session = opener(here=working_folder(), environment=given["environment"] or "", env=environment())
    draft = keep_valid(draft_entries(_read_wanted(given)), open_session)
    text = write_job_file(draft)
    if given["out"] is None:
        terminal.results(text.splitlines())
    else:
        write_files({given["out"]: text.encode()}, force=given["force"])
    _tell(draft, given["out"], terminal)
    return 0


def _read_wanted(given: dict[str, Any]) -> Any:
    from qstash_jobs.api.importing import Wanted
    from qstash_jobs.cli.inputs import check_text, read_file

    for option in ("url", "base_url", "timezone"):
        check_text(f"--{option.replace('_', '-')}", given[option])
        if given[option] is not None and given["source"] not in _OPTIONS[option]:
            raise UsageError(f"--{option.replace('_', '-')} goes with --from {' or '.join(_OPTIONS[option])}")
    _check_zone(given["timezone"])
    return Wanted(
        source=given["source"],
        file="standard input" if given["file"] == "-" else given["file"],
        content=read_file(given["file"]),
        url=given["url"],
        base_url=given["base_url"],
        timezone=given["timezone"],
    )


_OPTIONS = {"url": ("crontab", "github"), "base_url": ("vercel",), "timezone": ("crontab",)}
"""With which kinds of file an option says something."""


def _check_zone(name: str | None) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {name}; write one such as Europe/Berlin") from error


def _tell(draft: "Draft", path: Path | None, terminal: Terminal) -> None:
    from qstash_jobs.report.escape import escape, quote_shell
    from qstash_jobs.report.wording import count

    for omission in draft.omissions:
        terminal.warn(escape(f"left out: {omission.what}; {omission.reason}"))
    left = f", left out {len(draft.omissions):,}" if draft.omissions else ""
    terminal.note(f"drafted {count(len(draft), 'schedule')}{left}")
    if path is not None and len(draft):
        terminal.note(f"wrote {path}; next: qstash-jobs plan {quote_shell(str(path))}")
