"""Planned messages -> a block for each job, or a JSON line for each message; and the sentences that sum them up.

Messages are taken one at a time, in the order of their jobs. Their secrets have to be masked already
(`plan.hide_secrets`), because bodies are cut here.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby

from qstash_jobs.mask import MASKED
from qstash_jobs.plan.messages import Action, PlannedMessage
from qstash_jobs.report.bodies import preview_body
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, pad, paint
from qstash_jobs.report.wording import count
from qstash_jobs.rules import Demand
from qstash_jobs.wire.http import Headers, Request

ROWS_SHOWN = 3
LABEL_WIDTH = 14

_STYLES: dict[Action, Style] = {"publish": "good", "skip": "dim", "wait": "warn"}


def write_plan(
    messages: Iterable[PlannedMessage],
    *,
    bodies: bool = False,
    width: int | None = None,
    colour: bool = False,
) -> Iterator[str]:
    """Write a block for each job; of a job with rows three, and their count. Bodies of rows only with `bodies`."""
    for number, (_, group) in enumerate(groupby(messages, key=lambda planned: planned.job)):
        if number:
            yield ""
        first = next(group)
        if first.row:
            yield from _write_rows(first, group, bodies=bodies, width=width, colour=colour)
        else:
            for planned in chain([first], group):
                yield _write_title(planned.action, planned.job, planned, colour=colour)
                yield from _write_block(planned, "  ", bodies=True, width=width)


def write_plan_jsonl(messages: Iterable[PlannedMessage], *, environment: str = "") -> Iterator[str]:
    """Write one JSON line for each message; `environment` is empty where the project has none."""
    for planned in messages:
        yield write_json(
            {
                "id": planned.id,
                "name": planned.name,
                "file": planned.file,
                "line": planned.line,
                "action": planned.action,
                "reason": planned.reason,
                "via": planned.via,
                "method": planned.request.method,
                "target": planned.request.target,
                "headers": _collect_headers(planned.request.headers),
                **_write_body(planned.request.body),
                "dedup_id": planned.dedup_id,
                "environment": environment or None,
            }
        )


def summarise_plan(actions: Mapping[Action, int], *, jobs: int) -> str:
    """Say what a run would do: `would publish 14 messages of 3 jobs, skip 2`."""
    published = actions.get("publish", 0)
    what = f"{count(published, 'message')} of {count(jobs, 'job')}" if published else "nothing"
    return "".join(
        (
            f"would publish {what}",
            f", skip {actions['skip']:,}" if actions.get("skip") else "",
            f", hold back {actions['wait']:,}" if actions.get("wait") else "",
        )
    )


def summarise_demand(demand: Demand, *, messages_per_day: int | None) -> str | None:
    """Say what a run would ask of the plan: `14 deliveries, 56 with every retry, of 1,000 messages a day`."""
    if not demand.messages:
        return None
    parts = [count(demand.deliveries, "delivery")]
    if demand.attempts > demand.deliveries:
        parts.append(f"{demand.attempts:,} with every retry")
    if messages_per_day is not None:
        parts.append(f"of {count(messages_per_day, 'message')} a day")
    return ", ".join(parts) + _name_unknown(sorted(demand.unknown_groups))


def write_demand_json(demand: Demand, *, messages_per_day: int | None, environment: str = "") -> str:
    """Write the last of the JSON lines: what all of the messages ask of the plan."""
    return write_json(
        {
            "kind": "quota",
            "messages": demand.messages,
            "deliveries": demand.deliveries,
            "attempts": demand.attempts,
            "unknown_groups": sorted(demand.unknown_groups),
            "messages_per_day": messages_per_day,
            "environment": environment or None,
        }
    )


def _name_unknown(groups: Sequence[str]) -> str:
    match groups:
        case []:
            return ""
        case [name]:
            return f"; URL group {escape(name)} counts as one endpoint, since no file declares it"
        case _:
            return f"; {len(groups):,} URL groups count as one endpoint each, since no file declares them"


def _write_rows(
    first: PlannedMessage,
    rest: Iterable[PlannedMessage],
    *,
    bodies: bool,
    width: int | None,
    colour: bool,
) -> Iterator[str]:
    yield _write_title("publish", f"each row of {first.job}", first, colour=colour)
    actions: Counter[str] = Counter()
    for planned in chain([first], rest):
        actions[planned.action] += 1
        if actions.total() <= ROWS_SHOWN:
            verb = "" if planned.action == "publish" else f"{planned.action} "
            yield f"  row {planned.row:,}: {verb}{escape(planned.name)}"
            yield from _write_block(planned, "    ", bodies=bodies, width=width)
    yield f"  {count_rows(actions)}"


def count_rows(actions: Counter[str]) -> str:
    """Say how many messages a job's rows make, and what becomes of them."""
    total = actions.total()
    parts = [f"{action} {number:,}" for action, number in sorted(actions.items())]
    what = f": {', '.join(parts)}" if set(actions) != {"publish"} else ""
    hidden = f"; {total - ROWS_SHOWN:,} of them not shown" if total > ROWS_SHOWN else ""
    return f"{count(total, 'message')}{what}{hidden}"


def _write_title(action: Action, name: str, planned: PlannedMessage, *, colour: bool) -> str:
    place = paint(f"{escape(planned.file)}:{planned.line}", "bold", colour=colour)
    return f"{paint(action, _STYLES[action], colour=colour)} {escape(name)}  {place}"


def _write_block(planned: PlannedMessage, indent: str, *, bodies: bool, width: int | None) -> Iterator[str]:
    if planned.reason is not None:
        yield indent + escape(planned.reason)
    if planned.action == "skip":
        return
    for label, value in planned.facts:
        yield indent + pad(label, LABEL_WIDTH) + escape(value)
    yield from _write_body_lines(planned.request, indent, bodies=bodies, width=width)
    yield indent + pad("id", LABEL_WIDTH) + planned.id
    if planned.dedup_id not in (None, planned.id):
        yield indent + pad("dedup id", LABEL_WIDTH) + escape(planned.dedup_id or "")
    for note in planned.notes:
        yield indent + pad("note", LABEL_WIDTH) + escape(note)


def _write_body_lines(request: Request, indent: str, *, bodies: bool, width: int | None) -> Iterator[str]:
    yield indent + pad("body", LABEL_WIDTH) + escape(describe_body(request))
    if bodies and request.body:
        room = None if width is None else max(width - len(indent) - 2, 20)
        for line in preview_body(request.body, width=room):
            yield f"{indent}  {line}".rstrip()


def describe_body(request: Request) -> str:
    """Say what a body is: its type and its size."""
    if not request.body:
        return "none"
    type_ = next((value for name, value in request.headers if name.lower() == "content-type"), None)
    # how long a body is that a secret was taken out of is not known here
    size = count(len(request.body), "byte") if MASKED.encode() not in request.body else "with secrets"
    return size if type_ is None else f"{type_}, {size}"


def _collect_headers(headers: Headers) -> dict[str, str | list[str]]:
    collected: dict[str, list[str]] = {}
    for name, value in headers:
        collected.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in collected.items()}


def _write_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode()}
