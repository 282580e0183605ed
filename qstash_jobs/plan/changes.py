"""What is to become of one thing of the account: the fields that change, and the requests that change them."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from qstash_jobs.mask import MASKED, Mask
from qstash_jobs.problem import Location
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.resources.fields import Redacted

Kind = Literal["schedule", "url_group", "queue", "flow_control"]
Action = Literal["create", "update", "delete", "unchanged", "unknown", "unmanaged"]
Fact = str | int | bool | None
"""A setting, as JSON can hold it; None where there is none."""

CHANGING: frozenset[Action] = frozenset({"create", "update", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field that is not as it should be."""

    field: str
    """As the job file calls it; behind a dot, the header or the endpoint."""
    old: Fact
    new: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a change. Sent twice, it does no more than once."""

    request: Request
    does: str
    """What it does, for whoever is told that it failed."""
    otherwise: Request | None = None
    """What is sent where the first is answered with 404 or 405."""
    may_be_gone: bool = False
    """A 404 says that it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing of the account, and what is to become of it."""

    kind: Kind
    key: str
    """As the files call it; as the account does, where no file declares it."""
    name: str
    """As the account calls it."""
    action: Action
    fields: tuple[FieldChange, ...] = ()
    location: Location | None = None
    """Where it is declared."""
    steps: tuple[Step, ...] = ()
    """In the order in which they are sent; none of them where nothing changes."""
    notes: tuple[str, ...] = ()
    """What a reader should know of it."""
    needs_force: str | None = None
    """Why it is not done without a second word."""

    @property
    def is_waiting(self) -> bool:
        return self.action in CHANGING

    @property
    def is_sent(self) -> bool:
        """Say whether an apply has anything to send: also where it cannot be seen whether that changes anything."""
        return bool(self.steps)


def hide_change(change: Change, mask: Mask) -> Change:
    """Mask a change throughout, its requests included: what is shown, kept or compared with a plan made elsewhere."""

    def hide(fact: Fact) -> Fact:
        return mask.hide(fact) if isinstance(fact, str) else fact

    return replace(
        change,
        fields=tuple(
            replace(one, field=mask.hide(one.field), old=hide(one.old), new=hide(one.new))
            for one in change.fields
        ),
        steps=tuple(
            replace(
                step,
                request=_hide_in_request(step.request, mask),
                otherwise=None if step.otherwise is None else _hide_in_request(step.otherwise, mask),
            )
            for step in change.steps
        ),
        notes=tuple(map(mask.hide, change.notes)),
    )


def _hide_in_request(request: Request, mask: Mask) -> Request:
    return replace(
        request,
        target=mask.hide(request.target),
        headers=tuple((name, mask.hide(value)) for name, value in request.headers),
        body=mask.hide_bytes(request.body),
    )


class Comparison:
    """Collects the fields that differ."""

    def __init__(self) -> None:
        self.changes: list[FieldChange] = []

    def add(self, field: str, old: Fact, new: Fact, *, is_secret: bool = False) -> None:
        """Note a field whose two values are told apart by themselves."""
        if old != new:
            self.put(field, old, new, is_secret=is_secret)

    def put(self, field: str, old: Fact, new: Fact, *, is_secret: bool = False) -> None:
        """Note a field that is known to differ. Of a secret, neither value is shown: an old one is masked by nobody."""
        if is_secret:
            old, new = (None if one is None else MASKED for one in (old, new))
        self.changes.append(FieldChange(field=field, old=hide_in_url(old), new=hide_in_url(new)))

    def add_headers(
        self,
        field: str,
        old: tuple[tuple[str, str | Redacted], ...],
        new: tuple[tuple[str, str], ...],
        *,
        is_secret: Callable[[str], bool],
        skips: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Note the headers that differ, whatever the case of their names; `skips` tells values that are not known."""
        before = {name.lower(): (name, value) for name, value in old}
        after = {name.lower(): (name, value) for name, value in new}
        for key in sorted({*before, *after}):
            name, value = after.get(key, (before[key][0] if key in before else key, None))
            had = before[key][1] if key in before else None
            if value is not None and (skips(value) or is_same(had, value)):
                continue
            self.put(f"{field}.{name}", show_value(had), value, is_secret=is_secret(name))


def is_same(old: str | Redacted | None, new: str) -> bool:
    """Say whether a value is the one that the account holds, shown or hidden."""
    return old.hides(new.encode()) if isinstance(old, Redacted) else old == new


def show_value(value: str | Redacted | None) -> str | None:
    """Show a value of the account; what it hides, as a secret."""
    return MASKED if isinstance(value, Redacted) else value


_WORDS = "auth|token|secret|password|cookie|key|credential|signature"
_TELLING = re.compile(_WORDS, re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/?#@]*(?=@)")
_PARAMETER = re.compile(rf"([?&][^=&#]*(?:{_WORDS})[^=&#]*=)[^&#]+", re.IGNORECASE)


def is_telling(header: str) -> bool:
    """Say whether a header by its name holds what should not be shown, though nobody called it a secret."""
    return _TELLING.search(header) is not None


def hide_in_url(fact: Fact) -> Fact:
    """Mask what of a URL should not be shown: one that the account has may hold a secret that is set nowhere here."""
    if not isinstance(fact, str) or not fact.startswith(("http://", "https://")):
        return fact
    return _PARAMETER.sub(rf"\1{MASKED}", _USER.sub(MASKED, fact))
