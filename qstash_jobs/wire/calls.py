"""A Message and its headers -> the requests that publish it: alone, on a queue, or in a batch."""

import re
from collections.abc import Sequence

import orjson

from qstash_jobs.message import Message
from qstash_jobs.wire.http import ANSWER_BYTES, Headers, Request

# upstash docs, howto/webhook: QStash takes `qstash_token` and `upstash-…` of a query string as its own settings
_CONFIGURATION = re.compile(r"(?:^|&)(?:qstash_token|upstash-[^=&]*)(?:=|&|$)", re.IGNORECASE)

GROUPS_ANSWER_BYTES = 16 * 1024 * 1024


def publish_request(message: Message, headers: Headers) -> Request:
    """Write the request that publishes this one message: `/v2/publish/…`, or `/v2/enqueue/QUEUE/…`.

    The destination stands in the path as it is, neither encoded nor normalised: an encoded one is refused with
    "endpoint has invalid scheme", and a normalised one would be another address.
    """
    prefix = f"/v2/enqueue/{message.queue}/" if message.queue is not None else "/v2/publish/"
    return Request(method="POST", target=prefix + destination(message), headers=headers, body=message.body)


def batch_item(message: Message, headers: bytes) -> bytes:
    """Write one element of a batch, as JSON, with headers that are JSON already. The body has to be text."""
    body = b',"body":' + orjson.dumps(message.body.decode()) if message.body else b""
    queue = b"" if message.queue is None else b',"queue":' + orjson.dumps(message.queue)
    where = orjson.dumps(destination(message))
    return b"".join((b'{"destination":', where, b',"headers":', headers, body, queue, b"}"))


def batch_request(items: Sequence[bytes], *, to_groups: bool = False) -> Request:
    """Write the request that publishes several messages; each keeps its place in the answer.

    `to_groups` says that some go to URL groups: each of those is answered with up to a hundred endpoints.
    """
    return Request(
        method="POST",
        target="/v2/batch",
        headers=(("Content-Type", "application/json"),),
        body=b"[" + b",".join(items) + b"]",
        answer_bytes=GROUPS_ANSWER_BYTES if to_groups else ANSWER_BYTES,
    )


def destination(message: Message) -> str:
    """Name where the message goes: its URL as written, or its URL group."""
    return message.url or message.url_group or ""


def is_read_as_configuration(url: str) -> bool:
    """Say whether QStash would take part of this destination's query as its own settings if it stood in a path."""
    _, _, query = url.partition("?")
    return bool(query) and _CONFIGURATION.search(query) is not None
