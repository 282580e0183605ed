"""`qstash-jobs validate`."""

from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qstash_jobs.api.validate import Validation


@click.command("validate")
@options.reading
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people; for programs; as annotations of a GitHub workflow; for code scanning; for CI systems.",
)
@click.option("--strict", is_flag=True, envvar="QSTASH_JOBS_STRICT", help="Count warnings as errors.")
def command(**given: Any) -> int:
    """Find everything that can be known to be wrong, offline: no token, no network, no secrets needed.

    PATH is a file, a folder (searched for *.yaml and *.yml), or - for standard input; jobs/ where none is given. Exit
    code 2 means that something is wrong.
    """
    from dataclasses import replace

    from qstash_jobs.api.validate import validate
    from qstash_jobs.cli.inputs import read_inputs
    from qstash_jobs.settings import environment as environment_variables

    terminal = Terminal()
    inputs = replace(read_inputs(given, default="jobs/"), schedules_too=True)
    found = validate(inputs, environment_variables(), strict=given["strict"])
    terminal.results(_write(found, given["format_"], terminal))
    if given["format_"] == "text":
        terminal.note(_summarise(found))
    return 2 if found.has_errors else 0


def _write(found: "Validation", format_: str, terminal: Terminal) -> "Iterable[str]":
    from qstash_jobs import __version__
    from qstash_jobs.report import problems as report

    match format_:
        case "json":
            document = report.write_problems_json(
                found.problems,
                files=found.files,
                jobs=found.jobs,
                messages=found.messages,
                declared=found.declared,
                missing_secrets=found.missing_secrets,
            )
            return [document]
        case "github":
            return report.write_problems_github(found.problems)
        case "sarif":
            from qstash_jobs.report.sarif import write_problems_sarif

            return [write_problems_sarif(found.problems, version=__version__)]
        case "junit":
            from qstash_jobs.report.cases import write_problems_junit

            return [write_problems_junit(found.problems, files=found.documents)]
        case _:
            return report.write_problems(found.problems, width=terminal.width, colour=terminal.colour)


def _summarise(found: "Validation") -> str:
    from qstash_jobs.report.changes import KINDS
    from qstash_jobs.report.problems import summarise_problems
    from qstash_jobs.report.wording import count

    summary = summarise_problems(found.problems, files=found.files)
    if found.has_errors:
        return summary
    counts = [count(number, KINDS[kind]) for kind, number in found.declared.items()]
    if found.jobs or not counts:
        counts = [count(found.jobs, "job"), count(found.messages, "message"), *counts]
    counted = f"{summary}: {', '.join(counts)}"
    if not found.missing_secrets:
        return counted
    return f"{counted}; to be set where they are sent from: {', '.join(found.missing_secrets)}"
