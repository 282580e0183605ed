"""The body's fields -> its bytes and the type that they imply."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from qstash_jobs.message.types import UnreadableError
from qstash_jobs.problem import Finding

if TYPE_CHECKING:
    from mimetypes import MimeTypes

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
NO_TYPE = "none"
"""What a job says where a body goes out without a type; no media type is one word."""

ReadFile = Callable[[str], bytes]
"""Reads a file that a job names, relative to the job's own; UnreadableError where it may not or cannot."""


Content = tuple[bytes, str | None, bool]
"""A body's bytes, the type that its kind implies, and whether it is binary: no UTF-8 text."""


def read_content(fields: Mapping[str, Any], read_file: ReadFile) -> Content:
    """Encode the body: a string as it is, other values as JSON, a file or base64 as bytes; else empty."""
    if "body" in fields:
        body = fields["body"]
        return (
            (body.encode(), TEXT_TYPE, False)
            if isinstance(body, str)
            else (write_json(body), JSON_TYPE, False)
        )
    if "body_file" in fields:
        content = read_file(fields["body_file"])
        return content, _types().guess_type(fields["body_file"])[0], not _is_text(content)
    if "body_base64" in fields:
        content = _read_base64(fields["body_base64"])
        return content, None, not _is_text(content)
    return b"", None, False


def _read_base64(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableError(
            Finding(
                path=("body_base64",), rule="job-base64", message=f"this is not base64: {str(error).lower()}"
            )
        ) from error


def write_json(value: Any) -> bytes:
    """Serialise a value as compact JSON: keys in order, numbers with the digits as written."""
    try:
        written = orjson.dumps(value, default=_write_digits)
    except TypeError:
        # orjson refuses integers past 64 bits (its README, "int"); they go the way of decimals
        written = orjson.dumps(_wide_numbers_apart(value), default=_write_digits)
    # orjson hands its buffer over as it is, 4 KiB for a few bytes: what is kept is copied, as a join of two does
    return b"".join((written, b""))


def _write_digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError


def _wide_numbers_apart(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _wide_numbers_apart(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wide_numbers_apart(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


@cache
def _types() -> "MimeTypes":
    """Load Python's own table, never the machine's, so that a file has one type everywhere."""
    from mimetypes import MimeTypes

    return MimeTypes(filenames=())


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
