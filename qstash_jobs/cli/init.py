"""`qstash-jobs init`."""

from pathlib import Path
from typing import Any

import click

from qstash_jobs.cli.terminal import Terminal

JOB = """\
# yaml-language-server: $schema=../schemas/job-file.schema.json
#
# One file, one job: its id is the file's name. What a field means: qstash-jobs explain FIELD
url: https://api.example.com/hello      # where QStash delivers it
body:                                   # sent as JSON
  hello: world
# delay: 10m                            # or not_before: 2026-12-24T18:00:00+01:00
# retries: 3                            # deliveries after the first that QStash may try
# headers:
#   Authorization: Bearer ${{ secrets.API_TOKEN }}     # from the environment; shown and stored nowhere
# callback: https://api.example.com/hello/done
#
# One message for each row of a file:
# for_each: {file: data/orders.csv, key: order_id}     # then ${{ row.order_id }} anywhere in a value
"""

PROJECT = """\
# What holds for every job file of this project. All of it may be left out.
project: {name}                         # part of every message's identity: changing it makes all messages new ones
# defaults:                             # under every job
#   retries: 3
# vars:                                 # for ${{{{ vars.api }}}}
#   api: https://api.example.com
# quota: payg                           # free, payg or fixed: held by validate and plan
"""

IGNORED = ".env"
"""Where tokens tend to be kept, and never belong into version control."""


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
def command(**given: Any) -> int:
    """Write a first job file, a project file and the schema for editors; what is there already is left alone."""
    from qstash_jobs.errors import UsageError
    from qstash_jobs.schema import schema_text

    folder: Path = given["folder"]
    terminal = Terminal()
    try:
        for path, text in (
            (folder / "jobs" / "hello.yaml", JOB),
            (folder / "qstash-jobs.yaml", PROJECT.format(name=_project_name(folder))),
            (folder / "schemas" / "job-file.schema.json", schema_text()),
        ):
            terminal.result(_write(path, text))
        terminal.result(_ignore(folder / ".gitignore"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{error.filename or folder} cannot be written: {reason}") from error
    where = "" if folder == Path() else f"cd {folder} && "
    terminal.note(f"next: {where}qstash-jobs run --local jobs/    (publishes to a server on this machine)")
    terminal.note("then: export QSTASH_TOKEN=…, and qstash-jobs run jobs/hello.yaml")
    return 0


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return f"kept {path}"
    return f"wrote {path}"


def _ignore(path: Path) -> str:
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if IGNORED in known:
        return f"kept {path}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{IGNORED}\n")
    return f"wrote {path}" if not known else f"added {IGNORED} to {path}"


def _project_name(folder: Path) -> str:
    """Name the project after its folder, in characters that need no quotes."""
    name = "".join(character if character.isalnum() else "-" for character in folder.resolve().name.lower())
    return name.strip("-") or "project"
