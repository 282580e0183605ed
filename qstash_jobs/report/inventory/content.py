"""A schedule's body and its type as observed -> the fields of a job file that say both, and nothing else."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from qstash_jobs.document import read_document
from qstash_jobs.message import write_json
from qstash_jobs.message.content import JSON_TYPE, NO_TYPE, TEXT_TYPE
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.report.inventory.secrets import SecretNames
from qstash_jobs.report.job_file import Flow, escape_expressions
from qstash_jobs.value import dataclass
from qstash_jobs.wire.resources.fields import Redacted, Value
from qstash_jobs.wire.resources.schedules import ObservedSchedule

LONGEST_TEXT_BYTES = 4096
LONGEST_BINARY_BYTES = 1024
"""Beyond these a body is put beside the job file, where there is a place for it."""

USUAL_TYPES = (
    JSON_TYPE,
    TEXT_TYPE,
    "text/plain",
    "application/json; charset=utf-8",
    "text/html",
    "text/html; charset=utf-8",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/xml",
    "text/xml",
)
"""What a hidden type may be found among, by its SHA-256."""


class InexpressibleError(Exception):
    """a job file cannot say it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body as a job file says it."""

    field: str | None = None
    """None where there is no body."""
    value: Any = None
    implied: str | None = None
    """The type that goes with this form of a body, where nothing else is said."""
    file: bytes | None = None
    """What the file holds that the value names."""


def draft_content(
    schedule: ObservedSchedule, key: str, *, folder: str | None, secrets: SecretNames, has_default: bool
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Write the fields of a body and its type, and the file that they name.

    `has_default` says that the project has a type for whatever has none.
    """
    type_ = _find_type(schedule.content_type)
    content = _write_body(schedule.body, type_, key, folder, secrets)
    fields = {} if content.field is None else {content.field: content.value}
    if type_ != content.implied or content.file is not None or has_default:
        fields["content_type"] = NO_TYPE if type_ is None else escape_expressions(type_)
    files = {} if content.file is None else {str(content.value): content.file}
    return fields, files


def _find_type(shown: Value | None) -> str | None:
    if isinstance(shown, Redacted):
        found = next((usual for usual in USUAL_TYPES if shown.hides(usual.encode())), None)
        if found is None:
            raise InexpressibleError("its content type is hidden, and is none of the usual ones")
        return found
    if shown == NO_TYPE:
        raise InexpressibleError(
            f"its content type is {NO_TYPE!r}, which is no type, and in a job file means that"
        )
    return shown


def _write_body(
    body: bytes | Redacted, type_: str | None, key: str, folder: str | None, secrets: SecretNames
) -> Content:
    if isinstance(body, Redacted):
        if body.hides(b""):
            return Content()
        return Content(field="body", value=secrets.look_up(body, key, "body"), implied=TEXT_TYPE)
    if not body:
        return Content()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _write_binary(body, key, folder)
    if folder is not None and len(body) > LONGEST_TEXT_BYTES:
        suffix = "json" if type_ == JSON_TYPE else "txt"
        return Content(field="body_file", value=f"{folder}/{key}.{suffix}", file=body)
    if type_ == JSON_TYPE and is_same_in_yaml(text):
        return Content(field="body", value=Flow(text=text), implied=JSON_TYPE)
    return Content(field="body", value=escape_expressions(text), implied=TEXT_TYPE)


def _write_binary(body: bytes, key: str, folder: str | None) -> Content:
    if folder is not None and len(body) > LONGEST_BINARY_BYTES:
        return Content(field="body_file", value=f"{folder}/{key}.bin", file=body)
    return Content(field="body_base64", value=b64encode(body).decode())


def is_same_in_yaml(text: str) -> bool:
    """Say whether a mapping or list in JSON can stand in a job file as it is, and is sent as the same bytes."""
    if (
        not text.startswith(("{", "["))
        or len(text) > LONGEST_TEXT_BYTES
        or "${{" in text
        or UNSAFE.search(text)
    ):
        return False
    document = read_document(f"body: {text}\n".encode(), file="body")
    if document.problems or not isinstance(document.data, dict):
        return False
    body = document.data.get("body")
    return isinstance(body, dict | list) and write_json(body) == text.encode()


def redacted_parts(schedule: ObservedSchedule) -> Iterator[str]:
    """Yield the names of the headers that QStash hides of a schedule, its content type among them."""
    yield from (name for name, value in schedule.headers if isinstance(value, Redacted))
    if isinstance(schedule.content_type, Redacted):
        yield "Content-Type"
