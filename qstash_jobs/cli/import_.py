"""`qstash-jobs import`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal, explain_error
from qstash_jobs.errors import UsageError

if TYPE_CHECKING:
    from qstash_jobs.report.job_file import Draft


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option(
    "--from",
    "source",
    type=click.Choice(["crontab", "vercel", "github"]),
    required=True,
    help="What FILE is: a crontab, a vercel.json, a workflow of GitHub Actions.",
)
@click.option("--url", metavar="URL", help="What a schedule calls where the entry itself calls no URL.")
@click.option("--base-url", metavar="URL", help="What the paths of a vercel.json continue.")
@click.option(
    "--timezone", metavar="ZONE", help="The zone of a crontab that names none, such as Europe/Berlin."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the job file there, anew."
)
@options.environment
def command(**given: Any) -> int:
    """Write a job file with the cron entries of FILE as schedules; - reads them from standard input.

    What cannot be taken over is a comment with the reason, never silently dropped. Nothing is sent.
    """
    from qstash_jobs.api.importing import draft_entries, keep_valid
    from qstash_jobs.report.job_file import write_job_file
    from qstash_jobs.settings import environment, working_folder

    terminal = Terminal()
    draft = keep_valid(
        draft_entries(_read_wanted(given)),
        here=working_folder(),
        environment=given["environment"] or "",
        env=environment(),
    )
    text = write_job_file(draft)
    if given["out"] is None:
        terminal.results(text.splitlines())
    else:
        _write_new(given["out"], text)
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


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet: what stands in a job file may have cost somebody thought."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; name another file, or move it away") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {explain_error(error)}") from error


def _tell(draft: "Draft", path: Path | None, terminal: Terminal) -> None:
    from qstash_jobs.report.escape import escape, quote_shell
    from qstash_jobs.report.wording import count

    for omission in draft.omissions:
        terminal.warn(escape(f"left out: {omission.what}; {omission.reason}"))
    left = f", left out {len(draft.omissions):,}" if draft.omissions else ""
    terminal.note(f"drafted {count(len(draft), 'schedule')}{left}")
    if path is not None and len(draft):
        terminal.note(f"wrote {path}; next: qstash-jobs plan {quote_shell(str(path))}")
