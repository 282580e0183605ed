"""`qstash-jobs dev`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import UsageError

if TYPE_CHECKING:
    from qstash_jobs.local import LocalServer
    from qstash_jobs.local.world.account import User

PATIENCE_S = 0.2
USERS_BYTES = 1024 * 1024


@click.command("dev")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    envvar="QSTASH_JOBS_PORT",
    metavar="N",
    help="0: any.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on."
)
@click.option(
    "--deliver/--sink",
    default=False,
    help="Deliver to the real destinations, or to the built-in receiver, as it does without either.",
)
@click.option(
    "--allow-link-local",
    is_flag=True,
    help="With --deliver: to link-local addresses and metadata services too.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep everything in this file, and go on from there the next time.",
)
@click.option(
    "--retain",
    type=click.IntRange(1, 10_000_000),
    default=100_000,
    show_default=True,
    metavar="N",
    help="So many messages of a user are remembered when they are over.",
)
@click.option(
    "--fast-clock",
    type=click.IntRange(1, 100_000),
    default=1,
    metavar="N",
    help="Let so many seconds pass in one: for delays, retries, schedules.",
)
@click.option("--virtual-time", is_flag=True, help="Skip delays instead of waiting for them.")
@click.option(
    "--quota",
    type=click.Choice(["free", "payg", "fixed"]),
    default="payg",
    show_default=True,
    help="The plan whose limits messages are held to.",
)
@click.option(
    "--users",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Tokens and signing keys, instead of the development users' public ones.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Where QStash's documents disagree, behave so. May be given more than once.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="TEXT",
    help="Let something go wrong, as in 'rate-limit family=daily times=2'. May be given more than once.",
)
def command(**given: Any) -> int:
    """Run a QStash-compatible server on this machine until Ctrl-C, for any QStash client.

    It keeps everything in memory, or with --state in a file, and listens on 127.0.0.1. Deliveries go to a
    built-in receiver that answers 200, so nothing leaves the machine; --deliver sends them.
    """
    from qstash_jobs.cli.signals import stop_on_signals

    terminal = Terminal()
    # Before signals are only noted: reading a pipe may wait for good, and Ctrl-C ends that.
    users = _read_users(given["users"]) if given["users"] is not None else None
    with stop_on_signals() as stop, _start(given, users) as server:
        terminal.result(f"export QSTASH_URL={server.url}")
        terminal.result(f"export QSTASH_TOKEN={server.token}")
        terminal.result(f"export QSTASH_CURRENT_SIGNING_KEY={server.current_signing_key}")
        terminal.result(f"export QSTASH_NEXT_SIGNING_KEY={server.next_signing_key}")
        if not server.is_private and given["users"] is None:
            terminal.note(
                f"listening on {given['host']}: whoever reaches this machine can use it, because its tokens are "
                "public; --users gives it others"
            )
        kept = (
            "and what it holds with it"
            if given["state"] is None
            else f"what it holds stays in {given['state']}"
        )
        terminal.note(f"listening; set these in the other terminal. Ctrl-C ends it, {kept}")
        terminal.note(f"messages are shown at {_write_page_address(server, public=given['users'] is None)}")
        seen = 0
        while not stop.is_asked():
            seen = _show_new(server, seen, terminal)
            time.sleep(PATIENCE_S)  # noqa: TID251 - a person is waited for here, not a clock
    return 0


def _write_page_address(server: "LocalServer", *, public: bool) -> str:
    """Write where the page is; it knows public tokens by itself."""
    return f"{server.url}/" if public else f"{server.url}/#token={quote(server.token, safe='')}"


def _start(given: dict[str, Any], users: "tuple[User, ...] | None") -> "LocalServer":
    if given["virtual_time"] and given["fast_clock"] > 1:
        raise UsageError("--fast-clock and --virtual-time exclude each other")
    from qstash_jobs.local import DEV_USERS, FIXED, FREE, PAYG, Retention, start_server

    return start_server(
        host=given["host"],
        port=given["port"],
        deliver=given["deliver"],
        allow_link_local=given["allow_link_local"],
        real_time=not given["virtual_time"],
        speed=given["fast_clock"],
        state=given["state"],
        retention=Retention(messages=given["retain"]),
        quota={"free": FREE, "payg": PAYG, "fixed": FIXED}[given["quota"]],
        users=DEV_USERS if users is None else users,
        switches=_read_pairs("--switch", given["switches"]),
        faults=[_read_fault(text) for text in given["faults"]],
    )


def _read_users(path: Path) -> "tuple[User, ...]":
    from qstash_jobs.local.thread import make_secret
    from qstash_jobs.local.users import read_users

    try:
        with path.open("rb") as file:
            content = file.read(USERS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(content) > USERS_BYTES:
        raise UsageError(f"{path} is larger than {USERS_BYTES} bytes")
    return read_users(content, make_secret=make_secret)


def _read_fault(text: str) -> dict[str, str]:
    kind, *fields = text.split() or [""]
    return {"kind": kind} | _read_pairs("--fault", fields)


def _read_pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if not text.partition("=")[0].strip() or "=" not in text:
            raise UsageError(f"{option}: {text!r} is not NAME=VALUE")
    return {name.strip(): value for name, _, value in (text.partition("=") for text in texts)}


def _show_new(server: "LocalServer", seen: int, terminal: Terminal) -> int:
    """Show the deliveries since the last look; return how many there have been in all."""
    from qstash_jobs.report.deliveries import Arrival, write_arrival

    if server.delivery_count == seen:
        return seen
    deliveries, count = server.deliveries_after(seen)
    width, colour = terminal.error_width, terminal.error_colour
    arrivals = (
        Arrival(
            name=delivery.message_id,
            message_id=delivery.message_id,
            method=delivery.method,
            url=delivery.url,
            status=delivery.status or None,
            after_s=None,
            body=delivery.body,
            attempt=delivery.attempt,
        )
        for delivery in deliveries
    )
    terminal.notes(write_arrival(arrival, width=width, colour=colour) for arrival in arrivals)
    return count
