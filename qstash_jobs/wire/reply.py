"""What came back from a publishing request -> one Outcome for each of its messages.

`Published` needs proof: a complete 2xx answer, valid JSON of the right shape, and a message id. A 2xx without them
is no refusal either: the message may have been accepted.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from qstash_jobs.outcome import (
    Deduplicated,
    Endpoint,
    Outcome,
    Partial,
    Published,
    Rejected,
    Unknown,
)
from qstash_jobs.value import dataclass
from qstash_jobs.wire.content import read_json
from qstash_jobs.wire.http import Answer, Reply
from qstash_jobs.wire.refusal import describe_error, read_loss, read_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRefused:
    """QStash refused a batch as a whole: none of its messages was accepted, and which one is at fault is not said."""

    outcome: Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What an answer says of all its elements, before each is read."""

    status: int
    duplicate: bool
    """What an element is that does not say so itself."""


def read_publish(answer: Answer, *, group: bool, now: datetime) -> Outcome:
    """Read the answer to one published or enqueued message; `group` says that it went to a URL group."""
    if not isinstance(answer, Reply):
        return read_loss(answer)
    if not 200 <= answer.status < 300:
        outcome = read_refusal(answer, now=now)
        return _explain_group(outcome) if group and isinstance(outcome, Rejected) else outcome
    value = _read_json(answer)
    if not group and (plain := _read_plain(answer.status, [value])) is not None:
        return plain[0]
    shape = _read_shape(answer.status, [value])
    if not group and not (isinstance(value, dict) and _message_id(value)):
        return _unreadable(answer.status, value)
    return _read_message(value, group=group, shape=shape)


def read_batch(
    answer: Answer, *, groups: Sequence[bool], now: datetime
) -> tuple[Outcome, ...] | WholeRefused:
    """Read the answer to a batch: one outcome for each message, in the order they were sent.

    `groups` says of each message whether it went to a URL group.
    """
    if not isinstance(answer, Reply):
        return (read_loss(answer),) * len(groups)
    if not 200 <= answer.status < 300:
        outcome = read_refusal(answer, now=now)
        if not isinstance(outcome, Rejected):
            return (outcome,) * len(groups)
        return WholeRefused(outcome=_explain_group(outcome) if any(groups) else outcome)
    value = _read_json(answer)
    # qstash-js client.ts: an answer that is one object is taken for a batch of one
    elements = [value] if isinstance(value, dict) and _message_id(value) else value
    if not isinstance(elements, list):
        return (_unreadable(answer.status, value),) * len(groups)
    if len(elements) != len(groups):
        reason = f"answered {answer.status} with {len(elements)} results for {len(groups)} messages"
        return (Unknown(reason=reason, status=answer.status),) * len(groups)
    if True not in groups and (plain := _read_plain(answer.status, elements)) is not None:
        return plain
    shape = _read_shape(answer.status, elements)
    return tuple(
        _read_message(element, group=group, shape=shape)
        for element, group in zip(elements, groups, strict=True)
    )


def _read_plain(status: int, elements: Sequence[object]) -> tuple[Published, ...] | None:
    """Read the answer that nearly all are: an id for each message and not a word more; None where it says more."""
    # 202 alone says that a message is a duplicate, as `_read_shape` knows
    if status == 202:
        return None
    outcomes = []
    for element in elements:
        if not isinstance(element, dict) or len(element) != 1 or not (message_id := _message_id(element)):
            return None
        outcomes.append(Published(status=status, endpoints=(Endpoint(message_id=message_id),)))
    return tuple(outcomes)


class _NotJson:
    """Stands for a body that is no JSON, which null would not tell apart."""


_NOT_JSON = _NotJson()


def _read_json(reply: Reply) -> object:
    try:
        value = read_json(reply.body)
    except ValueError:
        return _NOT_JSON
    return value


def _read_message(value: object, *, group: bool, shape: _Shape) -> Outcome:
    """Read what a 2xx answer says of one message."""
    if group:
        elements = _read_elements(value)
        return _unreadable(shape.status, value) if elements is None else _read_endpoints(elements, shape)
    if not isinstance(value, dict):
        return _unreadable(shape.status, value)
    if _message_id(value):
        return _read_endpoints([value], shape)
    if not _is_refused(value):
        return _unreadable(shape.status, value)
    return Rejected(status=shape.status, error=_read_element_error(value))


def _read_elements(value: object) -> list[object] | None:
    """Find a URL group's elements: the docs have a list, openapi.yaml `messages`, older answers a single object."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    if "messages" not in value:
        return [value]
    messages = value["messages"]
    return messages if isinstance(messages, list) else None


def _read_endpoints(elements: list[object], shape: _Shape) -> Outcome:
    if not elements:
        return Rejected(status=shape.status, error="the group has no endpoints")
    endpoints = tuple(_read_endpoint(element, shape) for element in elements)
    accepted = [endpoint for endpoint in endpoints if endpoint.message_id]
    if not accepted:
        return _read_no_endpoint(elements, endpoints, shape)
    if len(accepted) < len(endpoints):
        return Partial(status=shape.status, endpoints=endpoints)
    if all(endpoint.deduplicated for endpoint in endpoints):
        return Deduplicated(status=shape.status, endpoints=endpoints)
    return Published(status=shape.status, endpoints=endpoints)


def _read_endpoint(element: object, shape: _Shape) -> Endpoint:
    if not isinstance(element, dict):
        return Endpoint(message_id="", error=describe_error(element) or "no message id")
    url = element.get("url")
    shown = url if isinstance(url, str) and url else None
    if not (message_id := _message_id(element)):
        return Endpoint(message_id="", url=shown, error=_read_element_error(element))
    flag = element.get("deduplicated")
    duplicate = flag if isinstance(flag, bool) else shape.duplicate
    return Endpoint(message_id=message_id, url=shown, deduplicated=duplicate)


def _read_no_endpoint(elements: list[object], endpoints: tuple[Endpoint, ...], shape: _Shape) -> Outcome:
    """Tell a message that every endpoint refused, in words, from an answer that cannot be understood."""
    if not all(isinstance(element, dict) and element.get("error") for element in elements):
        return _unreadable(shape.status, elements)
    errors = dict.fromkeys(endpoint.error or "" for endpoint in endpoints)
    return Rejected(status=shape.status, error="; ".join(list(errors)[:5]))


def _message_id(element: dict[str, object]) -> str:
    message_id = element.get("messageId")
    return message_id if isinstance(message_id, str) and message_id.strip() else ""


def _is_refused(element: dict[str, object]) -> bool:
    """Say whether an element without a usable id is a refusal.

    Its shape is written down nowhere, so one that lacks the id is taken as it is; but an id of another type or
    without a character is an answer that we do not understand, unless an error stands beside it.
    """
    return bool(element.get("error")) or (bool(element) and "messageId" not in element)


def _read_element_error(element: dict[str, object]) -> str:
    return describe_error(element.get("error") or element) or "refused without a reason"


def _read_shape(status: int, elements: Iterable[object]) -> _Shape:
    """Find out what the status says of duplicates: 202 says it of all, unless the elements speak for themselves."""
    # upstash docs, features/deduplication: a duplicate is answered with 202 and `deduplicated: true`
    flagged = any("deduplicated" in element for element in _flatten(elements) if isinstance(element, dict))
    return _Shape(status=status, duplicate=status == 202 and not flagged)


def _flatten(elements: Iterable[object]) -> Iterable[object]:
    for element in elements:
        yield from _read_elements(element) or ()


def _unreadable(status: int, value: object) -> Unknown:
    if value is _NOT_JSON:
        return Unknown(reason=f"answered {status} with something that is not JSON", status=status)
    text = describe_error(value)
    return Unknown(reason=f"answered {status} without a message id: {text}".rstrip(": "), status=status)


def _explain_group(outcome: Rejected) -> Rejected:
    """Add what a refusal means that QStash words as one of an address, though a URL group was named."""
    # upstash/docs issue 50: a name that is no URL group is taken for an address and gets this text
    if "invalid scheme" not in outcome.error:
        return outcome
    return Rejected(status=outcome.status, error=f"{outcome.error}; is there no URL group of this name?")
