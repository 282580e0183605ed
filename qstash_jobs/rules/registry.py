"""The rules as they are written down: each an id, a small function, and the text that `explain` shows.

A rule sees a whole message, one address, or one header; it says what is wrong as Flaws, without its own id and
without knowing in which file that stands.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from qstash_jobs.message import Message
from qstash_jobs.problem import Path, Severity
from qstash_jobs.rules.address import Address
from qstash_jobs.rules.policies import Policy
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a rule may know beside the message. A limit that is None is not known."""

    now: datetime
    """Aware."""
    server_is_local: bool = False
    max_delay_s: int | None = None
    max_retries: int | None = None
    max_message_bytes: int | None = None
    max_timeout_s: int | None = None
    policies: tuple[Policy, ...] = ()
    """The project's, and the environment's: each holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    message: str
    hint: str | None = None
    path: Path = ()
    """From the message, or from the address or header that the rule was given."""
    severity: Severity = Severity.ERROR
    at_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What `explain` knows of a rule id."""

    title: str
    text: str
    """Why, with where that is known from."""
    example: str | None = None
    """What to write."""


MessageCheck = Callable[[Message, Context], Iterable[Flaw]]
AddressCheck = Callable[[Address, Context], Flaw | None]
HeaderCheck = Callable[[str, str], Flaw | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    id: str
    fields: frozenset[str]
    """The fields of a job that it reads: where a row changes none of them, its answer is known."""
    check: MessageCheck


MESSAGE_RULES: list[MessageRule] = []
FORM_RULES: list[tuple[str, AddressCheck]] = []
"""Of an address's text; the first flaw ends it, for such an address has no parts to look at."""
ADDRESS_RULES: list[tuple[str, AddressCheck]] = []
HEADER_RULES: list[tuple[str, HeaderCheck]] = []
EXPLAINED: dict[str, Explained] = {}


def rule(
    id_: str, *, fields: Iterable[str], title: str, why: str, fix: str
) -> Callable[[MessageCheck], MessageCheck]:
    """Register a rule on whole messages.

    One that reads bodies has to find in a whole what it finds in any of its parts: rows are tried together.
    """

    def register(check: MessageCheck) -> MessageCheck:
        describe(id_, title, why, example=fix)
        MESSAGE_RULES.append(MessageRule(id=id_, fields=frozenset(fields), check=check))
        return check

    return register


def form_rule(id_: str, *, title: str, why: str, fix: str) -> Callable[[AddressCheck], AddressCheck]:
    """Register a rule on the text of every address: url, callbacks, and endpoints of a group."""

    def register(check: AddressCheck) -> AddressCheck:
        describe(id_, title, why, example=fix)
        FORM_RULES.append((id_, check))
        return check

    return register


def address_rule(id_: str, *, title: str, why: str, fix: str) -> Callable[[AddressCheck], AddressCheck]:
    """Register a rule on the parts of every address."""

    def register(check: AddressCheck) -> AddressCheck:
        describe(id_, title, why, example=fix)
        ADDRESS_RULES.append((id_, check))
        return check

    return register


def header_rule(id_: str, *, title: str, why: str, fix: str) -> Callable[[HeaderCheck], HeaderCheck]:
    """Register a rule on every header that is forwarded: to the destination, a callback, or a group."""

    def register(check: HeaderCheck) -> HeaderCheck:
        describe(id_, title, why, example=fix)
        HEADER_RULES.append((id_, check))
        return check

    return register


def describe(id_: str, title: str, text: str, *, example: str | None = None) -> None:
    """Give a rule id its text."""
    if id_ in EXPLAINED:
        raise ValueError(f"two rules are called {id_}")
    EXPLAINED[id_] = Explained(title=title, text=text, example=example)


def all_rules() -> Mapping[str, Explained]:
    """Return every rule id with its text, in the order of the alphabet."""
    return dict(sorted(EXPLAINED.items()))


def explain(id_: str) -> str | None:
    """Write what a rule id means, why, and what to write instead; None for an unknown id."""
    known = EXPLAINED.get(id_)
    if known is None:
        return None
    parts = [f"{id_}: {known.title}", known.text, known.example]
    return "\n\n".join(part for part in parts if part)
