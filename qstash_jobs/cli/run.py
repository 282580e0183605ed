"""`qstash-jobs run`."""

from pathlib import Path
from typing import Any

import click

from qstash_jobs.cli import options


@click.command("run")
@options.reading
@options.ledger
@options.run_key
@click.option(
    "--continue",
    "continued",
    is_flag=False,
    flag_value="",
    metavar="[RUN]",
    help="Finish a run: publish what it left planned, in doubt or rejected. The last one, or RUN.",
)
@click.option("--again", is_flag=True, help="Publish once more, on purpose, what was published; needs --job.")
@options.schedule
@click.option("--skip", multiple=True, metavar="NAME", help="Leave this message out for good.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=32,
    show_default=True,
    envvar="QSTASH_JOBS_CONCURRENCY",
    metavar="N",
    help="Connections at most.",
)
@options.batch_size
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    envvar="QSTASH_JOBS_RATE",
    metavar="N",
    help="Messages a second at most.",
)
@click.option(
    "--max-messages",
    type=click.IntRange(min=0),
    envvar="QSTASH_JOBS_MAX_MESSAGES",
    metavar="N",
    help="Publish nothing if there are more.",
)
@click.option(
    "--in-doubt",
    type=click.Choice(["hold", "resend"]),
    default="hold",
    show_default=True,
    envvar="QSTASH_JOBS_IN_DOUBT",
    help="What may have been accepted, and QStash's log does not list: leave it so, or send it again.",
)
@click.option(
    "--wait",
    envvar="QSTASH_JOBS_WAIT",
    metavar="DURATION",
    help="Follow the messages until delivered, so long at most.",
)
@click.option(
    "--lock-wait",
    envvar="QSTASH_JOBS_LOCK_WAIT",
    metavar="DURATION",
    help="Wait so long for another run of these jobs to end.",
)
@click.option(
    "--ephemeral",
    is_flag=True,
    envvar="QSTASH_JOBS_EPHEMERAL",
    help="In a pipeline: the ledger may go with the machine.",
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.option("--quiet", is_flag=True, envvar="QSTASH_JOBS_QUIET", help="Print only what went wrong.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_LOG_FORMAT",
    help="How stderr is written.",
)
@click.option(
    "--heartbeat-url",
    envvar="QSTASH_JOBS_HEARTBEAT_URL",
    metavar="URL",
    help="Ping URL/start, then URL, or URL/fail. Not with --local.",
)
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path),
    envvar="QSTASH_JOBS_METRICS_FILE",
    metavar="FILE",
    help="Keep Prometheus metrics of the runs there. Not with --local.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl", "markdown", "junit"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people; a JSON line for each message; for the summary of a pipeline; for CI systems.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="QSTASH_JOBS_RESULTS",
    metavar="FILE",
    help="Append the JSON lines to a file.",
)
@click.option(
    "--local",
    is_flag=True,
    envvar="QSTASH_JOBS_LOCAL",
    help="Publish to a server in this process; nothing leaves the machine.",
)
@click.option(
    "--deliver",
    is_flag=True,
    envvar="QSTASH_JOBS_DELIVER",
    help="With --local: deliver to the real destinations.",
)
@click.option(
    "--real-time",
    is_flag=True,
    envvar="QSTASH_JOBS_REAL_TIME",
    help="With --local: wait for delays instead of skipping them.",
)
def command(**given: Any) -> int:
    """Publish jobs, each message at most once, and record what became of them.

    Everything is checked first: where anything is wrong, nothing is sent. Then it says what goes where, and asks on a
    terminal. A run that did not get everything through is finished with --continue. Two runs with one --run-key are the
    same run: the second publishes only what the first did not.

    \b
    Exit codes:
      0    all published, or nothing left to publish
      1    something was rejected, reached some endpoints only, or was another's message
      2    the command line, the settings or the job files are wrong; nothing was sent
      3    something may or may not have been accepted
      4    QStash does not accept the token
      5    stopped early: a limit is reached, or QStash cannot be reached
      6    the ledger, or what takes the results, cannot be written
      7    another run of these jobs is under way
      9    time ran out while waiting for deliveries
      130  interrupted (143: terminated, 129: hung up), after a clean stop
    """
    from qstash_jobs.cli.signals import stop_on_signals

    with stop_on_signals(at_once=True) as stop:
        from qstash_jobs.cli.publishing import publish_here, publish_there

        return publish_here(given, stop) if given["local"] else publish_there(given, stop)
