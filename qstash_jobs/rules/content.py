"""Rules on the body and its type."""

import json
import re
from collections.abc import Iterator

import orjson

from qstash_jobs.message import Message
from qstash_jobs.problem import Path, Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

USUAL_MAX_BYTES = 1_048_576
WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
# RFC 9110, 8.3.1: type "/" subtype *( OWS ";" OWS parameter )
MEDIA_TYPE = re.compile(rf'{WORD}/{WORD}(?:[ \t]*;[ \t]*{WORD}=(?:{WORD}|"[ !#-\[\]-~]*"))*;?')
JSON_TYPE = re.compile(r"(?:application|text)/json(?=[; \t]|$)|[^;]*\+json(?=[; \t]|$)", re.IGNORECASE)
BODY_FIELDS = ("body", "body_file", "body_base64")


@rule(
    "body-json",
    fields=(*BODY_FIELDS, "content_type"),
    title="what is called JSON is JSON",
    why="A string is sent as it is. Where `content_type` says JSON, the destination will try to read it as "
    "such.",
    fix="body: {hello: world}    # a mapping is written as JSON by itself",
)
def json_body(message: Message, _: Context) -> Iterator[Flaw]:
    written = message.job.fields.get("body")
    if not message.body or not (written is None or isinstance(written, str)):
        return
    if message.content_type is None or JSON_TYPE.match(message.content_type) is None:
        return
    fault = _find_fault(message.body)
    if fault is not None:
        yield Flaw(
            path=_body_path(message),
            message=f"the content type says JSON, and the body is none from {fault} on",
            hint="write a mapping or a list, or say `content_type: text/plain`",
        )


@rule(
    "body-size",
    fields=BODY_FIELDS,
    title="the plan limits the size of a message",
    why='1 MiB on the free plan, 10 MiB pay-as-you-go (upstash.com/pricing/qstash); beyond it "quota '
    'maxMessageSize exceeded".',
    fix="put the data where the destination can fetch it, and send its address",
)
def size(message: Message, context: Context) -> Iterator[Flaw]:
    most = context.max_message_bytes
    length = len(message.body)
    if most is not None and length > most:
        yield Flaw(
            path=_body_path(message), message=f"the body has {length:,} bytes, and the plan allows {most:,}"
        )
    elif most is None and length > USUAL_MAX_BYTES:
        yield Flaw(
            path=_body_path(message),
            message=f"the body has {length:,} bytes, and the free plan allows {USUAL_MAX_BYTES:,}",
            hint="say `quota: payg` in qstash-jobs.yaml if your plan allows more",
            severity=Severity.WARNING,
        )


@rule(
    "body-redacted",
    fields=BODY_FIELDS,
    title="a body that begins with REDACTED: was copied from QStash's log",
    why="QStash's API and console show a redacted body as REDACTED: and its hash; sent again, that text "
    "itself arrives (upstash docs, features/redaction).",
    fix="write the body itself",
)
def redacted(message: Message, _: Context) -> Iterator[Flaw]:
    if message.body.startswith((b"REDACTED:", b'"REDACTED:')):
        yield Flaw(path=_body_path(message), message="this is QStash's stand-in for a body that it hides")


@rule(
    "body-get",
    fields=(*BODY_FIELDS, "method"),
    title="a GET has no body",
    why="The body of a GET has no meaning (RFC 9110, 9.3.1), and many servers and proxies drop it or "
    "refuse the request.",
    fix="method: POST",
)
def get(message: Message, _: Context) -> Iterator[Flaw]:
    if message.method == "GET" and message.body:
        yield Flaw(
            path=_body_path(message),
            message="many destinations ignore or refuse the body of a GET",
            hint="use POST, or put the values into the url",
            severity=Severity.WARNING,
        )


@rule(
    "content-type",
    fields=("content_type",),
    title="a content type reads type/subtype",
    why="It is delivered as it is; what is no media type (RFC 9110, 8.3.1) tells the destination nothing.",
    fix="content_type: text/html; charset=utf-8",
)
def content_type(message: Message, _: Context) -> Iterator[Flaw]:
    text = message.content_type
    if text is None or MEDIA_TYPE.fullmatch(text):
        return
    sendable = text.isascii() and text.isprintable() and text == text.strip()
    yield Flaw(
        path=("content_type",),
        message="this is not a media type" if sendable else "this cannot stand in a header",
        hint="write it like text/html or application/json",
        severity=Severity.WARNING if sendable else Severity.ERROR,
    )


def _find_fault(body: bytes) -> str | None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return None if _is_json(body) else f"line {error.lineno}, column {error.colno}"
    return None


def _is_json(body: bytes) -> bool:
    """Look again at what orjson refuses: some of it (a lone surrogate, 1024 levels) is JSON all the same."""
    try:
        json.loads(body, parse_constant=_refuse)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _body_path(message: Message) -> Path:
    return next(((field,) for field in BODY_FIELDS if field in message.job.fields), ())
