"""Accounts that somebody made with the official SDK: as a test describes them, and at random."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from qstash import QStash

NAME = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,11}", fullmatch=True)
PLAIN = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
TEXT = (
    st.sampled_from(
        ["${{ secrets.X }}", "$${{ a }}", "a ${{", "true", "0012", "1.10", "# no", "a: b", "null"]
    )
    | PLAIN
)
BODY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | TEXT
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | BODY,
    lambda inner: st.lists(inner) | st.dictionaries(BODY, inner),
)
CRON = st.sampled_from(
    [
        "* * * * *",
        "CRON_TZ=Europe/Berlin 0 4 * * *",
        "*/5 2-4 1,15 * *",
        "TZ=Asia/Tokyo 1 1 * * mon",
        "0  4 * * *",
    ]
)
URL = st.sampled_from(
    [
        "https://api.example.com/daily",
        "https://api.example.com/",
        "https://api.example.com/a%20b?x=1&y=${{",
        "http://other.example.org:8080/daily",
    ]
)
HEADER = st.from_regex(r"[Xx]-[A-Za-z0-9-]{1,8}[a-z]", fullmatch=True)


@dataclass(kw_only=True)
class LiveAccount:
    """What an account is made to hold."""

    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The SDK's arguments, by id; `paused` beside them."""
    groups: dict[str, tuple[list[dict[str, str]], dict[str, str]]] = field(default_factory=dict)
    """Endpoints and headers."""
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    pins: dict[str, dict[str, int]] = field(default_factory=dict)

    def make(self, sdk: QStash) -> None:
        """Make an account hold it."""
        for name, (endpoints, headers) in self.groups.items():
            sdk.url_group.upsert_endpoints(name, endpoints)
            if headers:
                call(sdk, "PATCH", f"/v2/topics/{name}", {"headers": headers})
        for name, settings in self.queues.items():
            sdk.queue.upsert(name, **settings)
        for key, limits in self.pins.items():
            given = "&".join(f"{name}={value}" for name, value in limits.items())
            call(sdk, "POST", f"/v2/flowControl/{quote(key, safe='')}/pin?{given}")
        for id_, settings in self.schedules.items():
            given = {name: value for name, value in settings.items() if name != "paused"}
            sdk.schedule.create(schedule_id=id_, **given)
            if settings.get("paused"):
                sdk.schedule.pause(id_)

    def secret_of(self, id_: str, place: str) -> str:
        """Give what is hidden in a schedule: its body, or a header."""
        settings = self.schedules[id_]
        if place == "body":
            return str(settings["body"])
        return next(value for name, value in settings["headers"].items() if name.lower() == place.lower())


def call(sdk: QStash, method: str, path: str, body: object = None) -> None:
    """Send a request that the SDK has no method for."""
    sdk.http.request(
        path=path,
        method=method,
        headers={"Content-Type": "application/json"},
        body=None if body is None else json.dumps(body),
        parse_response=False,
    )


def read_account(sdk: QStash) -> dict[str, Any]:
    """Read what an account holds, as the SDK shows it, less what is about the holding itself."""
    return {
        "schedules": {
            one.schedule_id: (
                one.cron.replace("CRON_TZ=", "TZ=").split(),
                one.destination,
                one.headers,
                one.body or one.body_base64,
                one.method,
                one.delay,
                one.retries,
                one.retry_delay_expression,
                one.timeout,
                one.callback,
                one.callback_headers,
                one.failure_callback,
                one.queue,
                one.paused,
                one.flow_control,
            )
            for one in sdk.schedule.list()
        },
        "groups": {
            one.name: sorted((end.name or end.url, end.url) for end in one.endpoints)
            for one in sdk.url_group.list()
        },
        "headers": {
            one["name"]: one.get("headers") for one in sdk.http.request(path="/v2/topics", method="GET")
        },
        "queues": {one.name: (one.parallelism, one.paused) for one in sdk.queue.list()},
        "pins": {
            one["flowControlKey"]: (one["parallelismMax"], one["rateMax"], one["ratePeriod"])
            for one in sdk.http.request(path="/v2/flowControl", method="GET")
            if one["isPinnedParallelism"] or one["isPinnedRate"]
        },
    }


@st.composite
def schedules(draw: st.DrawFn, targets: list[str]) -> dict[str, Any]:
    """Any schedule that a job file can say."""
    made: dict[str, Any] = {
        "destination": draw(URL | st.sampled_from(targets)) if targets else draw(URL),
        "cron": draw(CRON),
        "paused": draw(st.booleans()),
    }
    optional = {
        "method": st.sampled_from(["PUT", "POST", "PATCH"]),
        "retries": st.integers(0, 5),
        "retry_delay": st.sampled_from(["1000", "pow(2, retried) * 1000"]),
        "timeout": st.integers(1, 900),
        "callback": URL,
        "failure_callback": URL,
        "label": st.from_regex(r"[a-z]{1,5}( [a-z]{1,5})?(,[0-9]{1,5})?", fullmatch=True),
        "flow_control": st.fixed_dictionaries({"key": NAME, "parallelism": st.integers(1, 9)})
        | st.fixed_dictionaries(
            {"key": NAME, "rate": st.integers(1, 9), "period": st.sampled_from(["1s", "90s", "1d"])},
            optional={"parallelism": st.integers(1, 9)},
        ),
    }
    made |= {name: draw(values) for name, values in optional.items() if draw(st.booleans())}
    made |= draw(st.sampled_from([{}, {"queue": "q"}, {"delay": "90s"}, {"delay": "1d2h"}]))
    made |= draw(contents())
    headers = draw(st.dictionaries(HEADER, TEXT, max_size=3))
    headers = {name.lower(): (name, value) for name, value in headers.items()}
    if headers:
        made["headers"] = dict(headers.values())
    hidden = draw(st.sampled_from([{}, {"body": True}, {"header": True}, {"header": "one"}]))
    if hidden.get("header") == "one":
        hidden = {"header": [next(iter(made["headers"]))]} if headers else {}
    if hidden.get("body") and not isinstance(made.get("body"), str):
        hidden = {}
    return made | ({"redact": hidden} if hidden else {})


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Any body, with and without a type."""
    kind = draw(st.sampled_from(["none", "text", "typed", "json", "spaced", "bytes", "long"]))
    match kind:
        case "text":
            return {"body": draw(BODY)}
        case "typed":
            return {
                "body": draw(BODY),
                "content_type": draw(st.sampled_from(["text/html", "text/plain; charset=utf-8"])),
            }
        case "json":
            written = json.dumps(draw(JSON), ensure_ascii=False, separators=(",", ":"))
            return {"body": written, "content_type": "application/json"}
        case "spaced":
            return {"body": json.dumps(draw(JSON)), "content_type": "application/json; charset=utf-8"}
        case "bytes":
            size = draw(st.sampled_from([1, 3000]))
            return {
                "body": b"\xff" * size,
                "content_type": draw(st.sampled_from(["application/octet-stream", "text/plain"])),
            }
        case "long":
            return {"body": draw(st.sampled_from(["a", "é", "${{ a"])) * 4100}
        case _:
            return draw(st.sampled_from([{}, {"content_type": "application/json"}]))


@st.composite
def accounts(draw: st.DrawFn, *, names_endpoints: bool = False) -> LiveAccount:
    """Any account that a job file can say."""
    url = st.sampled_from([f"https://{name}.example.com/hook" for name in "abcdef"])
    named = {"url": url, "name": BODY}
    endpoint = (
        st.fixed_dictionaries(named)
        if names_endpoints
        else st.fixed_dictionaries({"url": url}) | st.fixed_dictionaries(named)
    )
    unique = (lambda one: one["url"], lambda one: one.get("name", one["url"]))
    endpoints = st.lists(endpoint, min_size=1, max_size=4, unique_by=unique)
    groups = draw(
        st.dictionaries(NAME, st.tuples(endpoints, st.dictionaries(HEADER, TEXT, max_size=2)), max_size=2)
    )
    groups = {
        name: (ends, {key.title(): one for key, one in headers.items()})
        for name, (ends, headers) in groups.items()
    }
    key = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
    queue = st.fixed_dictionaries({"parallelism": st.integers(1, 9), "paused": st.booleans()})
    pin = st.fixed_dictionaries({"parallelism": st.integers(1, 9)}) | st.fixed_dictionaries(
        {"rate": st.integers(1, 9), "period": st.integers(1, 90)}, optional={"parallelism": st.integers(1, 9)}
    )
    return LiveAccount(
        groups=groups,
        queues=draw(st.dictionaries(key, queue, max_size=2)),
        pins=draw(st.dictionaries(key, pin, max_size=2)),
        schedules=draw(st.dictionaries(NAME, schedules(sorted(groups)), max_size=3)),
    )
