"""Rules on forwarded headers: those that HTTP refuses, and those that are settings in disguise."""

import re
from collections.abc import Iterable, Iterator

from qstash_jobs.grammar import is_header_name, nearest
from qstash_jobs.message import Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.address import show
from qstash_jobs.rules.registry import Context, Flaw, describe, header_rule, rule

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# RFC 9110, 7.6.1 and 7.2; RFC 9112, 6: they belong to one connection, not to the message
CONNECTION = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "upgrade",
        "trailer",
        "keep-alive",
        "expect",
    ]
)

# wire contract 3: QStash's own headers, each with the field that writes it
SETTINGS = {
    "method": "method",
    "delay": "delay",
    "not-before": "not_before",
    "retries": "retries",
    "retry-delay": "retry_delay",
    "timeout": "timeout",
    "callback": "callback",
    "failure-callback": "failure_callback",
    "deduplication-id": "dedup",
    "content-based-deduplication": "dedup",
    "flow-control-key": "flow_control",
    "flow-control-value": "flow_control",
    "label": "labels",
    "redact-fields": "redact",
    "cron": "cron",
    "queue-name": "queue",
}


@header_rule(
    "header-name",
    title="the name of a header is a token of HTTP",
    why="Letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, 5.1); with any other character the request is "
    "invalid.",
    fix="headers: {X-Order: 17}",
)
def name(header: str, _: str) -> Flaw | None:
    if is_header_name(header):
        return None
    hint = "no expression is evaluated in a key" if "${{" in header else "use letters, digits and dashes"
    return Flaw(message="this cannot be the name of a header", hint=hint, at_key=True)


@header_rule(
    "header-value",
    title="the value of a header is one line of plain text",
    why="Line breaks and control characters would end the header or begin another one (RFC 9110, 5.5); "
    "blanks around a value are taken off on the way; what is not Latin-1 cannot be written into a header "
    "at all.",
    fix='headers: {X-Name: "${{ row.name | urlencode }}"}',
)
def value(_: str, text: str) -> Flaw | None:
    if CONTROL.search(text):
        return Flaw(message="the value holds a line break or another control character")
    if text != text.strip(" \t"):
        return Flaw(
            message="the blanks around the value would be lost on the way",
            hint="add `| trim`, or take them out",
        )
    if text.isascii():
        return None
    if all(ord(character) < 256 for character in text):
        return Flaw(
            message="receivers read letters beyond ASCII in a header differently",
            hint="encode it: `| urlencode` or `| b64encode`",
            severity=Severity.WARNING,
        )
    return Flaw(
        message="a header cannot hold these letters", hint="encode it: `| urlencode` or `| b64encode`"
    )


@header_rule(
    "header-connection",
    title="headers of the connection are not forwarded",
    why="Host, Content-Length, Transfer-Encoding, Connection and their like belong to each connection on "
    "the way (RFC 9110, 7.6.1); a forwarded one contradicts the real one and can smuggle a request.",
    fix="headers: {X-Forwarded-Host: api.example.com}    # QStash sets Host from the url",
)
def connection(header: str, _: str) -> Flaw | None:
    lower = header.lower()
    if lower not in CONNECTION and not lower.startswith("proxy-"):
        return None
    return Flaw(message=f"{show(header)} belongs to the connection and cannot be forwarded", at_key=True)


@header_rule(
    "header-upstash",
    title="Upstash-* headers have fields of their own",
    why="In `headers` they would be delivered to the destination instead of telling QStash something "
    "(Python's SDK), or be read as settings (JavaScript's); a misspelt one is ignored in silence.",
    fix="delay: 10s    # not headers: {Upstash-Delay: 10s}",
)
def upstash(header: str, _: str) -> Flaw | None:
    lower = header.lower()
    if not lower.startswith("upstash-"):
        return None
    return Flaw(
        message=f"{show(header)} is a setting of QStash, not a header to forward",
        hint=_field(lower),
        at_key=True,
    )


@header_rule(
    "header-redacted",
    title="a value that begins with REDACTED: was copied from QStash's log",
    why="QStash's API and console show a redacted value as REDACTED: and its hash; sent again, that text "
    "itself arrives (upstash docs, features/redaction).",
    fix='headers: {Authorization: "Bearer ${{ secrets.API_TOKEN }}"}',
)
def redacted(_: str, text: str) -> Flaw | None:
    if not text.startswith("REDACTED:"):
        return None
    return Flaw(message="this is QStash's stand-in for a value that it hides", hint="write the value itself")


describe(
    "header-repeated",
    "a header stands once",
    "Names of headers are the same in upper and lower case (RFC 9110, 5.1); of two, one may win or both "
    "may be joined.",
    example="headers: {X-Source: qstash-jobs}",
)


def check_repeated(headers: Iterable[tuple[str, str]]) -> Iterator[Flaw]:
    """Find headers that stand twice, ignoring case."""
    seen: dict[str, str] = {}
    for header, _ in headers:
        first = seen.setdefault(header.lower(), header)
        if first != header:
            yield Flaw(
                path=(header,), message=f"{show(header)} is the same header as {show(first)}", at_key=True
            )


@rule(
    "header-content-type",
    fields=("headers",),
    title="the content type has a field of its own",
    why="The SDKs disagree on Content-Type in a map of headers: Python's forwards it beside the real one, "
    "JavaScript's applies it. `content_type` is applied, always.",
    fix="content_type: text/html    # not headers: {Content-Type: text/html}",
)
def content_type(message: Message, _: Context) -> Iterator[Flaw]:
    for header, _value in message.headers:
        if header.lower() == "content-type":
            yield Flaw(
                path=("headers", header),
                message=f"{header} has a field of its own",
                hint="write `content_type: …`",
                at_key=True,
            )


@rule(
    "redact-unsent",
    fields=("redact", "headers"),
    title="a header is redacted that is not sent",
    why="QStash takes the name and hides nothing, so a slip in the name leaves the real header in sight.",
    fix='headers: {X-Api-Key: "${{ secrets.KEY }}"}\nredact: {headers: [X-Api-Key]}',
)
def redact_unsent(message: Message, _: Context) -> Iterator[Flaw]:
    sent = {header.lower(): header for header, _value in message.headers}
    for index, header in enumerate(message.redaction.headers):
        if not is_header_name(header):
            yield Flaw(path=("redact", "headers", index), message="this cannot be the name of a header")
        elif header.lower() not in sent:
            likely = nearest(header, sent.values())
            yield Flaw(
                path=("redact", "headers", index),
                message=f"the message has no header {header} to redact",
                hint=f"did you mean {likely}?" if likely else None,
                severity=Severity.WARNING,
            )


def _field(lower: str) -> str:
    setting = lower.removeprefix("upstash-")
    if setting.startswith("forward-"):
        return "write the header without `Upstash-Forward-`"
    for name_ in ("failure-callback", "callback"):
        if setting.startswith(name_ + "-"):
            return f"write `{SETTINGS[name_]}: {{url: …}}` with the setting inside"
    field = SETTINGS.get(setting) or SETTINGS.get(nearest(setting, SETTINGS) or "")
    return f"write `{field}: …`" if field else "take it out: no field of a job writes it"
