"""`qstash-jobs copy`."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import UsageError

if TYPE_CHECKING:
    from qstash_jobs.cli.signals import Stop
    from qstash_jobs.plan.account import AccountPlan


@click.command("copy")
@click.option("--from", "source", required=True, metavar="REGION", help="The region to copy: eu or us.")
@click.option("--to", "target", required=True, metavar="REGION", help="The region that is changed: eu or us.")
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option(
    "--skip",
    multiple=True,
    metavar="NAME",
    help="Leave this schedule, group, queue or key out; may be a pattern.",
)
@click.option("--paused", is_flag=True, help="Let the copies of schedules rest, until a copy without this.")
@click.option(
    "--prune", is_flag=True, help="Delete schedules that an earlier copy made and the source has no more."
)
@click.option("--force", is_flag=True, help="Delete also where that needs a second word.")
@click.option("--take-over", is_flag=True, help="Write over schedules of the same ids that no copy made.")
@options.secrets_dir
@options.env_file
@options.ledger
@options.lock_wait("copy")
@options.changes_format
def command(**given: Any) -> int:
    """Make one region's account hold what another's does: schedules, URL groups, queues, pinned flow controls.

    What differs is shown before anything is changed, field by field. Schedules keep their ids. What QStash hides has to
    be set as a secret, and is held against its SHA-256. Where anything cannot be copied, nothing is.

    Nothing is changed in the region that is copied: what runs there and is not paused fires in both.

    The tokens are EU_CENTRAL_1_QSTASH_TOKEN and US_EAST_1_QSTASH_TOKEN.

    \b
    Exit codes:
      0    the account holds the same, or nobody wanted it to
      1    QStash refused a change, or does not show it
      2    the command line or the settings are wrong, or something cannot be copied; nothing was changed
      3    a change may or may not have been made
      4    QStash does not accept a token
      5    stopped early: a limit is reached, or QStash cannot be reached
      6    the ledger, whose lock is held meanwhile, cannot be used
      7    another copy into this account is under way
      130  interrupted (143: terminated, 129: hung up), after a clean stop
    """
    from qstash_jobs.cli.signals import stop_on_signals

    with stop_on_signals(at_once=True) as stop:
        return _copy(given, stop)


def _copy(given: dict[str, Any], stop: "Stop") -> int:
    from qstash_jobs.api.applying import ApplyWish
    from qstash_jobs.api.copying import CopyWish, copy, plan_copy
    from qstash_jobs.api.regions import find_region, find_regional
    from qstash_jobs.api.world import find_ledger, open_ledger
    from qstash_jobs.cli.applying import Talk, name_place
    from qstash_jobs.cli.inputs import check_secrets_dir, check_text, read_duration
    from qstash_jobs.project import Project
    from qstash_jobs.settings import Secrets, environment

    terminal = Terminal()
    _check(given)
    check_secrets_dir(given)
    for name in given["skip"]:
        check_text("--skip", name)
    source, from_warnings = find_regional(find_region(given["source"]), environment())
    target, to_warnings = find_regional(find_region(given["target"]), environment())
    for warning in (*from_warnings, *to_warnings):
        terminal.warn(f"warning: {warning}")
    wish = CopyWish(
        source=source,
        target=target,
        env=environment(),
        secrets=Secrets(environment(), given["secrets_dir"]),
        skip=given["skip"],
        rests=given["paused"],
        takes_over=given["take_over"],
        apply=ApplyWish(
            prunes=given["prune"],
            forces=given["force"],
            lock_wait_s=read_duration("--lock-wait", given["lock_wait"]),
        ),
    )
    talk = Talk(
        terminal=terminal,
        stop=stop,
        format_=given["format_"],
        place=f"{name_place(target)}, from {name_place(source)}",
        verb="copy",
        is_agreed=given["yes"],
        again=_list_words(given),
    )
    if given["dry_run"]:
        _show(plan_copy(wish, talk.bind()), terminal, given["format_"])
        return 0
    with closing(open_ledger(find_ledger(given["ledger"], environment(), Project()))) as ledger:
        return talk.see_through(lambda talk: copy(wish, ledger, talk))


def _check(given: dict[str, Any]) -> None:
    """Refuse options that say nothing together."""
    if given["dry_run"] and given["yes"]:
        raise UsageError(
            "--dry-run changes nothing, so there is nothing for --yes to agree to; leave one out"
        )


def _show(plan: "AccountPlan", terminal: Terminal, format_: str) -> None:
    """Print what a copy would change."""
    from qstash_jobs.report import changes
    from qstash_jobs.report.changes_markdown import write_changes_markdown

    match format_:
        case "jsonl":
            terminal.results(changes.write_changes_jsonl(plan.changes))
        case "markdown":
            # what is left alone there is said of files
            copied = [change for change in plan.changes if change.action != "unmanaged"]
            terminal.results(write_changes_markdown(copied))
        case _:
            terminal.results(
                changes.write_changes(plan.changes, width=terminal.width, colour=terminal.colour)
            )
    terminal.note(changes.summarise_changes(plan.changes))


def _list_words(given: dict[str, Any]) -> list[str]:
    """List the words of the command that does the rest."""
    words = ["qstash-jobs", "copy", "--from", given["source"], "--to", given["target"]]
    words += [word for pattern in given["skip"] for word in ("--skip", pattern)]
    return words + [
        f"--{name.replace('_', '-')}" for name in ("paused", "prune", "force", "take_over") if given[name]
    ]
