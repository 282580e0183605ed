"""`qstash-jobs resolve`."""

from typing import Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal


@click.command("resolve")
@click.argument("message", metavar="MESSAGE")
@click.option(
    "--as",
    "as_",
    type=click.Choice(["published", "not-published"]),
    required=True,
    help="What is known of it now; not-published: the next run sends it, with the same id.",
)
@options.ledger
@options.environment
@options.env_file
@click.option("--run", "run", metavar="RUN", help="The run that the message's name belongs to.")
def command(**given: Any) -> int:
    """Settle a doubt by hand: say of a message that may have been accepted whether it was.

    MESSAGE is our qj-… id or its beginning, or a name. Who said it and when is recorded. What was published without
    anybody's knowledge would be published twice: look into QStash's log first, by the label that `show` gives.
    """
    from qstash_jobs.api.finding import find_doubt, find_known_run
    from qstash_jobs.api.resolving import resolve
    from qstash_jobs.api.world import changing_ledger, clock_of, project_here
    from qstash_jobs.cli.inputs import check_text
    from qstash_jobs.record import Verdict
    from qstash_jobs.report.escape import escape
    from qstash_jobs.report.records import shorten_run
    from qstash_jobs.settings import environment, who

    check_text("MESSAGE", given["message"])
    check_text("--run", given["run"])
    verdict = Verdict.PUBLISHED if given["as_"] == "published" else Verdict.NOT_PUBLISHED
    name = who(environment())
    terminal = Terminal()
    with changing_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        run = find_known_run(ledger, given["run"]).id if given["run"] else None
        record = find_doubt(ledger, given["message"], run=run)
        resolve(ledger, record, verdict, who=name, at=clock_of(ledger).now())
    state = "published" if verdict is Verdict.PUBLISHED else "planned"
    terminal.result(f"{state} {escape(record.name)}, by the word of {escape(name)}")
    if verdict is Verdict.NOT_PUBLISHED:
        terminal.note(f"to send it: qstash-jobs run --continue {shorten_run(record.run)}")
    return 0
