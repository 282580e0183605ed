"""Random declared states, random edits of them, and what has to be seen of each; nothing of the client's code."""

import base64
import json
from copy import deepcopy
from random import Random
from typing import Any

Fields = dict[str, Any]

KEYS = ("a", "b", "c", "x-a")
GROUPS = ("g", "h")
QUEUES = ("q", "r")
FLOWS = ("f", "k")
TAKEN_OVER = ("scd_1", "scd_2")
"""Schedules that somebody made by hand, and that the files may take over."""
SECRETS = {"ONE": "s3cret-value-one", "TWO": "s3cret, value two"}

CRONS = ("0 4 * * *", "*/5 * * * *", "0  4 * *  mon", "30 22 1-7 * ?", "0 0 29 2 *")
ZONES = ("UTC", "Etc/UTC", "Europe/Berlin", "America/New_York")
BODIES: tuple[Any, ...] = (
    {"report": "daily", "n": 1.5},
    [1, "zwei", None],
    True,
    "plain text",
    "",
    "a: b\r\n\tc  ",
    "ümlaut 😀",
    "${{ secrets.ONE }}",
    {"key": "x${{ secrets.TWO }}x"},
)
VALUES = ("1", "1.10", "a, b", "Bearer ${{ secrets.ONE }}", "${{ secrets.TWO }}", 7, True, "é")
HEADERS = ("X-One", "x-two", "AUTHORIZATION", "X-API-key", "Accept")
LABELS = ("one", "two words", "qj-s-near")


def draw_schedule(random: Random) -> Fields:
    """Draw a schedule that every rule lets pass."""
    fields: Fields = {"cron": random.choice(CRONS), "url": f"https://example.com/{random.choice('abc')}"}
    for name, draw in DRAWS.items():
        if random.random() < 0.25:
            fields[name] = draw(random)
    return settle_schedule(fields)


def settle_schedule(fields: Fields) -> Fields:
    """Take out what no schedule may say together."""
    if "url_group" in fields:
        fields.pop("url", None)
    else:
        fields.setdefault("url", "https://example.com/a")
    if "queue" in fields:
        fields.pop("delay", None)
        fields.pop("flow_control", None)
    if "body_base64" in fields:
        fields.pop("body", None)
    is_text = "body_base64" in fields or isinstance(fields.get("body"), str)
    if is_text and fields.get("content_type") == "application/json":
        del fields["content_type"]
    return fields


def edit_schedule(random: Random, fields: Fields) -> Fields:
    """Draw a schedule that differs in one field, or in two."""
    edited = dict(fields)
    for _ in range(random.randint(1, 2)):
        name = random.choice((*DRAWS, "cron", "url"))
        if name == "cron":
            edited["cron"] = random.choice(CRONS)
        elif name == "url":
            edited["url"] = f"https://example.com/{random.choice('abc')}"
            edited.pop("url_group", None)
        elif name in edited and random.random() < 0.4:
            del edited[name]
        else:
            edited[name] = DRAWS[name](random)
    return settle_schedule(edited)


def _callback(random: Random) -> Any:
    url = f"https://example.com/back?n={random.randint(1, 2)}"
    if random.random() < 0.4:
        return url
    fields: Fields = {"url": url}
    if random.random() < 0.5:
        fields["headers"] = {"X-Back": random.choice(("a", "b"))}
    if random.random() < 0.5:
        fields["retries"] = random.randint(0, 2)
    if random.random() < 0.3:
        fields["method"] = random.choice(("GET", "PUT"))
    return fields


def _headers(random: Random) -> Fields:
    return {name: random.choice(VALUES) for name in random.sample(HEADERS, random.randint(1, 3))}


def _flow(random: Random) -> Fields:
    fields: Fields = {"key": random.choice(("f", "other"))}
    if random.random() < 0.6:
        fields["parallelism"] = random.randint(1, 3)
    if random.random() < 0.6 or len(fields) == 1:
        fields["rate"] = random.randint(1, 3)
        if random.random() < 0.6:
            fields["period"] = random.choice(("1s", 60, "1m", "1h"))
    return fields


def _redact(random: Random) -> Fields:
    fields: Fields = {}
    if random.random() < 0.5:
        fields["body"] = True
    if random.random() < 0.6 or not fields:
        fields["headers"] = random.choice((True, ["X-One"], ["accept", "X-Two"]))
    return fields


DRAWS: dict[str, Any] = {
    "url_group": lambda random: random.choice((*GROUPS, "theirs-group")),
    "timezone": lambda random: random.choice(ZONES),
    "method": lambda random: random.choice(("GET", "POST", "PUT", "PATCH", "DELETE")),
    "body": lambda random: random.choice(BODIES),
    "body_base64": lambda random: base64.b64encode(random.choice((b"\xff\xfe", b"\x00\x01"))).decode(),
    "content_type": lambda random: random.choice(("application/json", "text/plain", "application/x; a=B")),
    "headers": _headers,
    "delay": lambda random: random.choice((3, "90s", "1h")),
    "retries": lambda random: random.randint(0, 4),
    "retry_delay": lambda random: random.choice((1000, "1000 * (1 + retried)", "pow(2, retried)*100")),
    "timeout": lambda random: random.choice((20, "2m")),
    "callback": _callback,
    "failure_callback": _callback,
    "flow_control": _flow,
    "queue": lambda random: random.choice((*QUEUES, "theirs-queue")),
    "labels": lambda random: random.sample(LABELS, random.randint(1, 3)),
    "redact": _redact,
    "enabled": lambda random: random.random() < 0.5,
    "schedule_id": lambda random: random.choice(TAKEN_OVER),
    "description": lambda random: random.choice(("for people", "for others")),
}


def draw_group(random: Random) -> Fields:
    names = random.sample(("mail", "audit", "log"), random.randint(1, 3))
    fields: Fields = {"endpoints": {name: f"https://{random.choice('xyz')}.example.com/" for name in names}}
    if random.random() < 0.6:
        fields["headers"] = {
            name: random.choice(("a", "1.10", "B, c"))
            for name in random.sample(("X-G", "x-h"), random.randint(0, 2))
        }
    return fields


def draw_queue(random: Random) -> Fields:
    fields: Fields = {}
    if random.random() < 0.6:
        fields["parallelism"] = random.randint(1, 5)
    if random.random() < 0.6:
        fields["paused"] = random.random() < 0.5
    return fields


def draw_flow_control(random: Random) -> Fields:
    fields = _flow(random)
    del fields["key"]
    return fields


DECLARED: dict[str, tuple[tuple[str, ...], Any]] = {
    "schedules": (KEYS, draw_schedule),
    "url_groups": (GROUPS, draw_group),
    "queues": (QUEUES, draw_queue),
    "flow_controls": (FLOWS, draw_flow_control),
}


def settle_files(files: Fields) -> Fields:
    """Let schedules deliver only to groups that there are, and take over no schedule twice."""
    taken: set[str] = set()
    for fields in files["schedules"].values():
        if fields.get("schedule_id") in taken:
            del fields["schedule_id"]
        taken.add(fields.get("schedule_id", ""))
        if fields.get("url_group") in GROUPS and fields["url_group"] not in files["url_groups"]:
            fields["url_group"] = "theirs-group"
    return files


def draw_files(random: Random) -> Fields:
    """Draw all that files declare."""
    files: Fields = {}
    for section, (keys, draw) in DECLARED.items():
        most = 3 if section == "schedules" else 2
        files[section] = {key: draw(random) for key in random.sample(keys, random.randint(0, most))}
    return settle_files(files)


def edit_files(random: Random, files: Fields, removed: dict[str, Fields]) -> Fields:
    """Draw an edit: something is added, changed, renamed, removed, or comes back as it was."""
    edited = deepcopy(files)
    _edit(random, edited, removed)
    return settle_files(edited)


def _edit(random: Random, edited: Fields, removed: dict[str, Fields]) -> None:
    section = random.choice(("schedules", "schedules", *DECLARED))
    keys, draw = DECLARED[section]
    here = edited[section]
    free = [key for key in keys if key not in here]
    what = random.choice(("add", "change", "change", "rename", "remove", "return"))
    if what in ("change", "rename", "remove") and not here:
        what = "add"
    if what in ("add", "rename") and not free:
        what = "change"
    if what == "return" and removed.get(section, {}).keys().isdisjoint(free):
        what = "change" if here else "add"
    if what == "add":
        here[random.choice(free)] = draw(random)
        return
    if what == "return":
        key = random.choice(sorted(removed[section].keys() & set(free)))
        here[key] = removed[section][key]
        return
    key = random.choice(sorted(here))
    if what == "change":
        here[key] = edit_schedule(random, here[key]) if section == "schedules" else draw(random)
        return
    gone = here.pop(key)
    removed.setdefault(section, {})[key] = gone
    if what == "rename":
        here[random.choice(free)] = gone


# what has to be seen


def expect_schedule(fields: Fields, *, default_retries: int) -> Fields:
    """Say what the SDK sees of a schedule, but for its id, its label and whether it is paused."""
    zone = fields.get("timezone", "UTC")
    cron = " ".join(fields["cron"].split()) if zone in ("UTC", "Etc/UTC") else fields["cron"]
    body, content_type = _expect_body(fields)
    flow = fields.get("flow_control")
    return {
        "destination": fields.get("url_group") or fields["url"],
        "cron": " ".join((cron if zone in ("UTC", "Etc/UTC") else f"CRON_TZ={zone} {cron}").split()),
        "method": fields.get("method", "POST"),
        "body": body,
        "content_type": content_type,
        "headers": {name.lower(): _text(value) for name, value in fields.get("headers", {}).items()},
        "retries": fields.get("retries", default_retries),
        "retry_delay": str(fields["retry_delay"]) if "retry_delay" in fields else None,
        "delay": _seconds(fields.get("delay")),
        "timeout": _seconds(fields.get("timeout")),
        "callback": _url(fields.get("callback")),
        "failure_callback": _url(fields.get("failure_callback")),
        "queue": fields.get("queue"),
        "flow": None
        if flow is None
        else (
            flow["key"],
            flow.get("parallelism", 0),
            flow.get("rate", 0),
            _seconds(flow.get("period")) or 1,
        ),
        "labels": sorted(fields.get("labels", [])),
    }


def _expect_body(fields: Fields) -> tuple[bytes, str | None]:
    content_type = fields.get("content_type")
    if "body_base64" in fields:
        return base64.b64decode(fields["body_base64"]), content_type
    if "body" not in fields:
        return b"", content_type
    body = fields["body"]
    if isinstance(body, str):
        return _fill(body).encode(), content_type or "text/plain; charset=utf-8"
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return _fill(text).encode(), content_type or "application/json"


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else _fill(str(value))


def _fill(text: str) -> str:
    for name, value in SECRETS.items():
        text = text.replace(f"${{{{ secrets.{name} }}}}", value)
    return text


def _seconds(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    return int(value[:-1]) * {"s": 1, "m": 60, "h": 3600}[value[-1]]


def _url(value: Any) -> str | None:
    return value["url"] if isinstance(value, dict) else value
