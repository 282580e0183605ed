"""`qstash-jobs ledger check`, `prune` and `export`."""

from typing import Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

SHORTEST_S = 3_600
"""What a run of the last hour has left is needed: QStash itself remembers an id for ten minutes."""


@click.group("ledger")
def command() -> None:
    """Look after the ledger: check it, forget what is old, write down all that it holds."""


@command.command("check")
@options.ledger
@options.environment
@options.env_file
def check(**given: Any) -> int:
    """Read the whole ledger and say whether it is in order.

    \b
    Exit codes:
      0  in order
      6  not in order, or not readable
    """
    from qstash_jobs.api.keeping import count_messages
    from qstash_jobs.api.world import project_here, reading_ledger
    from qstash_jobs.errors import LedgerError
    from qstash_jobs.report.keeping import write_check

    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        faults = ledger.check()
        messages, doubtful = (0, 0) if faults else count_messages(ledger)
        runs = 0 if faults else sum(1 for _ in ledger.runs())
    Terminal().results(write_check(faults, runs=runs, messages=messages, doubtful=doubtful))
    return LedgerError.exit_code if faults else 0


@command.command("prune")
@click.option(
    "--older-than",
    required=True,
    metavar="DURATION",
    help="Forget what was last used so long ago, such as 90d; at least 1h.",
)
@options.ledger
@options.environment
@options.env_file
def prune(**given: Any) -> int:
    """Forget old runs with their messages, and give the room back.

    A run key goes with all that was published under it, once no run has used it for so long. A later run with that key
    publishes everything again, unless QStash's log still lists it. A key is kept while one of its messages is in doubt,
    or holds a deduplication id by a `window`.
    """
    from datetime import timedelta

    from qstash_jobs.api.world import changing_ledger, project_here, system_clock
    from qstash_jobs.cli.inputs import read_duration
    from qstash_jobs.errors import UsageError
    from qstash_jobs.report.keeping import write_pruned

    older_s = read_duration("--older-than", given["older_than"])
    if older_s < SHORTEST_S:
        raise UsageError(f"--older-than {given['older_than']} would forget what is still needed; at least 1h")
    now = system_clock().now()
    with changing_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        pruned = ledger.prune(before=now - timedelta(seconds=older_s), now=now)
    Terminal().results(write_pruned(pruned))
    return 0


@command.command("export", short_help="Write all that the ledger holds as JSON lines.")
@options.ledger
@options.environment
@options.env_file
def export(**given: Any) -> int:
    """Write all that the ledger holds as JSON lines: its runs, its messages, and the windows of deduplication ids.

    The ledger's own tables may change with any version; these lines are what other programs can rely on.
    """
    from qstash_jobs.api.keeping import export
    from qstash_jobs.api.world import project_here, reading_ledger

    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        Terminal().results(export(ledger))
    return 0
