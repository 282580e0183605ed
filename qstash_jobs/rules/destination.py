"""Rules on how an address is written: what QStash would refuse, misread or deliver elsewhere."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from qstash_jobs.message import Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.address import Address, show
from qstash_jobs.rules.registry import Context, Flaw, address_rule, form_rule, rule

ENCODED = re.compile(r"https?%3a", re.IGNORECASE)
UNSENDABLE = re.compile(r"[^!-~]|\\")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
SETTING = re.compile(r"(?:^|&)(qstash_token|upstash-[^=&]*)(?==|&|$)", re.IGNORECASE)


@form_rule(
    "url-encoded",
    title="a destination is sent as it is, not percent-encoded",
    why="QStash takes the destination from the path as it stands; an encoded one is answered with 400 "
    '"endpoint has invalid scheme" (reported four times against the live service; both SDKs send it raw).',
    fix="url: https://api.example.com/hello    # not https%3A%2F%2Fapi.example.com%2Fhello",
)
def encoded(address: Address, _: Context) -> Flaw | None:
    if ENCODED.match(address.text) is None:
        return None
    return Flaw(message="the whole url is percent-encoded", hint=f"write {show(unquote(address.text))}")


@form_rule(
    "url-characters",
    title="a url holds printable ASCII characters only, and no backslash",
    why="Blanks, control characters and letters beyond ASCII cannot stand in a request line, so a client "
    "has to change them, and each does it in its own way: what arrives would not be what the file says "
    "(RFC 3986, 2).",
    fix="url: https://api.example.com/caf%C3%A9?q=two%20words    # in an expression: ${{ row.name | urlencode }}",
)
def characters(address: Address, _: Context) -> Flaw | None:
    found = UNSENDABLE.search(address.text)
    if found is None:
        return None
    character = found[0]
    hint = "write / for a backslash" if character == "\\" else "percent-encode it, or use `| urlencode`"
    if ord(character) > 127 and address.is_http and not address.host.isascii():
        hint = "write the host in its ASCII form (xn--…)"
    return Flaw(message=f"a url cannot hold {_character(character)}", hint=hint)


@form_rule(
    "url-scheme",
    title="a url begins with http:// or https://",
    why='Anything else that is no URL group is answered with 400 "endpoint has invalid scheme, add http:// '
    'or https://" (docs issue 50 of upstash/docs).',
    fix="url: https://api.example.com/hello",
)
def scheme(address: Address, _: Context) -> Flaw | None:
    if address.is_http:
        return None
    text = address.text
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        hint = f"for a URL group, write `url_group: {show(text)}`"
    elif re.match(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/|$)", text):
        hint = f"write https://{show(text)}"
    else:
        hint = "write it like https://api.example.com/hello"
    return Flaw(message="the url does not begin with http:// or https://", hint=hint)


@address_rule(
    "url-port",
    title="a port is a number from 1 to 65535",
    why="What stands behind the host's colon is the port (RFC 3986, 3.2.3).",
    fix="url: https://api.example.com:8443/hello",
)
def port(address: Address, _: Context) -> Flaw | None:
    text = address.port
    if text is None or (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        return None
    return Flaw(message=f"{show(text) or 'nothing'} is not a port", hint="a port is a number from 1 to 65535")


@address_rule(
    "url-userinfo",
    title="user and password do not belong in a url",
    why="QStash shows the url in its log and console, and can redact body and headers only.",
    fix='headers: {Authorization: "Basic ${{ secrets.BASIC }}"}',
)
def userinfo(address: Address, _: Context) -> Flaw | None:
    if address.userinfo is None:
        return None
    return Flaw(
        message="the url holds a user or a password, which QStash's log shows",
        hint="send an Authorization header instead",
        severity=Severity.WARNING,
    )


@address_rule(
    "url-fragment",
    title="a url has no fragment",
    why="What stands behind # never leaves a client (RFC 9110, 4.2.5): the destination would not see it.",
    fix="url: https://api.example.com/page    # not …/page#part; write a literal # as %23",
)
def fragment(address: Address, _: Context) -> Flaw | None:
    if address.fragment is None:
        return None
    return Flaw(
        message="what stands behind # in a url is never sent", hint="take it out, or write a literal # as %23"
    )


@address_rule(
    "url-dots",
    title="a path has no . and .. segments",
    why="Clients, proxies and servers take them out, so the message would go to another path than the file "
    "says.",
    fix="url: https://api.example.com/b    # not …/a/../b",
)
def dots(address: Address, _: Context) -> Flaw | None:
    found = DOT_SEGMENT.search(address.path)
    if found is None:
        return None
    return Flaw(
        message=f"the path holds {found[0]}, which is taken out on its way", hint="write the path without it"
    )


@address_rule(
    "url-escape",
    title="% begins a percent-encoded character",
    why="A % in a path without two hexadecimal digits behind it makes the request line invalid (RFC 3986, "
    "2.1; Go's net/http, in which QStash is written, answers 400).",
    fix="url: https://api.example.com/100%25",
)
def escape(address: Address, _: Context) -> Flaw | None:
    if BAD_ESCAPE.search(address.path) is None:
        return None
    return Flaw(
        message="a % in the path has no two hexadecimal digits behind it", hint="write %25 for a literal %"
    )


@rule(
    "url-configuration",
    fields=("url",),
    title="QStash reads some query parameters as its own settings",
    why="`qstash_token` and `upstash-…` in a destination's query are taken for configuration (upstash "
    "docs, howto/webhook), because the destination stands in the request's own path. In a batch it stands "
    "in the body, so qstash-jobs sends such a message in a batch. A schedule has no batch.",
    fix="url: https://api.example.com/hook?ref=upstash    # under another name",
)
def configuration(message: Message, _: Context) -> Iterator[Flaw]:
    query = (message.url or "").partition("?")[2]
    found = SETTING.search(query) if query else None
    if found is None:
        return
    what = f"{show(found[1])} in the query is a setting to QStash"
    hint = "give the parameter another name"
    if message.job.kind == "schedule":
        yield Flaw(path=("url",), message=what, hint=hint)
    else:
        yield Flaw(
            path=("url",),
            message=f"{what}, so this goes out in a batch",
            hint=hint,
            severity=Severity.WARNING,
        )


@rule(
    "callback-loop",
    fields=("url", "callback", "failure_callback"),
    title="a callback goes somewhere else than the message",
    why="The destination would be called with the answer of its own call, and has to tell the two apart.",
    fix="callback: https://api.example.com/done",
)
def callback_loop(message: Message, _: Context) -> Iterator[Flaw]:
    for field, callback in (("callback", message.callback), ("failure_callback", message.failure_callback)):
        if callback is not None and callback.url == message.url:
            yield Flaw(
                path=(field, "url"),
                message=f"`{field}` is the url that the message itself goes to",
                severity=Severity.WARNING,
            )


def _character(character: str) -> str:
    names = {" ": "a blank", "\t": "a tab", "\n": "a line break", "\r": "a line break", "\\": "a backslash"}
    if character in names:
        return names[character]
    return character if character.isprintable() else f"the character U+{ord(character):04X}"
