"""A Message, or a declared resource -> Problems: every rule that applies, each finding at its place in the file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from qstash_jobs.grammar import GrammarError, read_seconds
from qstash_jobs.mask import MASKED
from qstash_jobs.message import Message
from qstash_jobs.problem import Location, Path, Problem, Severity
from qstash_jobs.rules.address import read_address
from qstash_jobs.rules.delivery import check_flow_key, check_period
from qstash_jobs.rules.headers import check_repeated
from qstash_jobs.rules.names import check_group_name, check_queue_name
from qstash_jobs.rules.registry import (
    ADDRESS_RULES,
    FORM_RULES,
    HEADER_RULES,
    MESSAGE_RULES,
    Context,
    Flaw,
    MessageRule,
)
from qstash_jobs.value import dataclass

Locate = Callable[[Path, bool], Location]
"""Finds the value at a path, or its key."""

Resource = Literal["url_group", "queue", "flow_control"]

Found = tuple[str, Path, Flaw]
"""A rule's id, the path of what it looked at, and what it found there."""


def check_message(
    message: Message, context: Context, *, changed: frozenset[str] | None = None
) -> list[Problem]:
    """Hold a message against the rules.

    `changed` names the fields of the job that differ from a message that was checked before: only the rules that
    read one of them are asked. None asks all.
    """
    found: list[Found] = []
    asked = _select(changed)
    if asked.of_addresses:
        for path, address in _addresses(message, changed):
            found += _check_address(path, address, context)
    if asked.of_headers:
        for path, headers in _header_maps(message, changed):
            found += _check_headers(path, headers)
    for rule in asked.of_messages:
        for flaw in rule.check(message, context):
            found.append((rule.id, (), flaw))
    if not found:
        return []
    if message.secrets:
        found = [one for one in found if not _hangs_on_missing_secret(message, one)]
    return _place(found, lambda path, at_key: message.job.place(path, key=at_key))


def check_resource(
    kind: Resource, name: str, fields: Mapping[str, Any], context: Context, locate: Locate
) -> list[Problem]:
    """Hold a declared resource against the rules; `fields` are rendered, `name` is its name in the account."""
    return _place(_RESOURCES[kind](name, fields, context), locate)


def _hangs_on_missing_secret(message: Message, found: Found) -> bool:
    """Say whether an error is only about the `***` that stands for a secret which is not known here."""
    rule, base, flaw = found
    if rule in _ABOUT_NAMES:
        return False
    field = str((*base, *flaw.path)[0])
    if flaw.severity is not Severity.ERROR or field not in message.secrets:
        return False
    return MASKED in str(getattr(message, field, ""))


_ABOUT_NAMES = frozenset({"policy-secret", "policy-forbid"})
"""Rules that look at which secret or field is there, whatever its value: they hold where no secret is known too."""

_WITH_ADDRESS = frozenset({"url", "callback", "failure_callback"})
_WITH_HEADERS = frozenset({"headers", "callback", "failure_callback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The rules that have to be asked."""

    of_addresses: bool
    of_headers: bool
    of_messages: tuple[MessageRule, ...]


@lru_cache(maxsize=256)
def _select(changed: frozenset[str] | None) -> Asked:
    return Asked(
        of_addresses=changed is None or bool(changed & _WITH_ADDRESS),
        of_headers=changed is None or bool(changed & _WITH_HEADERS),
        of_messages=tuple(rule for rule in MESSAGE_RULES if changed is None or rule.fields & changed),
    )


def _addresses(message: Message, changed: frozenset[str] | None) -> Iterator[tuple[Path, str]]:
    if message.url is not None and (changed is None or "url" in changed):
        yield ("url",), message.url
    if message.callback is not None and (changed is None or "callback" in changed):
        yield ("callback", "url"), message.callback.url
    if message.failure_callback is not None and (changed is None or "failure_callback" in changed):
        yield ("failure_callback", "url"), message.failure_callback.url


def _header_maps(
    message: Message, changed: frozenset[str] | None
) -> Iterator[tuple[Path, tuple[tuple[str, str], ...]]]:
    if message.headers and (changed is None or "headers" in changed):
        yield ("headers",), message.headers
    if message.callback is not None and (changed is None or "callback" in changed):
        yield ("callback", "headers"), message.callback.headers
    if message.failure_callback is not None and (changed is None or "failure_callback" in changed):
        yield ("failure_callback", "headers"), message.failure_callback.headers


def _check_address(path: Path, text: str, context: Context) -> list[Found]:
    address = read_address(text)
    for id_, check in FORM_RULES:
        flaw = check(address, context)
        if flaw is not None:
            return [(id_, path, flaw)]
    found = []
    for id_, check in ADDRESS_RULES:
        flaw = check(address, context)
        if flaw is not None:
            found.append((id_, path, flaw))
    return found


def _check_headers(path: Path, headers: Iterable[tuple[str, str]]) -> list[Found]:
    found = [
        (id_, (*path, name), flaw)
        for name, value in headers
        for id_, check in HEADER_RULES
        if (flaw := check(name, value)) is not None
    ]
    found += [("header-repeated", path, flaw) for flaw in check_repeated(headers)]
    return found


def _check_group(name: str, fields: Mapping[str, Any], context: Context) -> list[Found]:
    found = _named("url-group-name", fields, check_group_name(name))
    headers = [(key, str(value)) for key, value in fields.get("headers", {}).items()]
    found += _check_headers(("headers",), headers)
    for endpoint, url in fields["endpoints"].items():
        found += _check_address(("endpoints", endpoint), url, context)
    return found


def _check_queue(name: str, fields: Mapping[str, Any], context: Context) -> list[Found]:
    del context
    return _named("queue-name", fields, check_queue_name(name))


def _named(id_: str, fields: Mapping[str, Any], flaw: Flaw | None) -> list[Found]:
    if flaw is None:
        return []
    return [(id_, ("name",) if "name" in fields else (), flaw)]


def _check_flow_control(name: str, fields: Mapping[str, Any], context: Context) -> list[Found]:
    del context
    found = _named("flow-control-key", {}, check_flow_key(name))
    try:
        period_s = read_seconds(fields["period"]) if "period" in fields else None
    except GrammarError as error:
        return [*found, ("schema-duration", ("period",), Flaw(message=str(error), hint=error.hint))]
    flaw = check_period(fields.get("rate"), period_s)
    return found if flaw is None else [*found, ("flow-control-period", (), flaw)]


_RESOURCES: Mapping[Resource, Callable[[str, Mapping[str, Any], Context], list[Found]]] = {
    "url_group": _check_group,
    "queue": _check_queue,
    "flow_control": _check_flow_control,
}


def _place(found: Iterable[Found], locate: Locate) -> list[Problem]:
    problems = []
    for id_, base, flaw in found:
        path = (*base, *flaw.path)
        problems.append(
            Problem(
                location=locate(path, flaw.at_key),
                rule=id_,
                message=flaw.message,
                hint=flaw.hint,
                path=path,
                severity=flaw.severity,
            )
        )
    return problems
