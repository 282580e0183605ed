"""Where the sources disagree about the service: the behaviour that a server shows, chosen by whoever tests with it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from qstash_jobs.local.world.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The service's behaviour where its sources disagree (wire contract, section 20)."""

    dedup_window_s: int = 600
    """D1: 10 minutes, or 90 days as the JavaScript SDK's comments still say."""
    default_retries: int = 3
    """D5."""
    group_answer: Literal["array", "object"] = "array"
    """D7: `[...]`, or `{"messages": [...]}`."""
    batch_failure: Literal["whole", "item"] = "whole"
    """D8: one bad item refuses the whole batch, or is answered in its place."""
    unknown_queue: Literal["create", "refuse"] = "create"
    """D12."""
    cancelled: Literal["CANCELED", "CANCELLED"] = "CANCELED"
    """D13: the spelling of the last state; the Python SDK knows this one only."""
    pause_verb: Literal["both", "POST", "PATCH"] = "both"
    """D14: with which method schedules and queues are paused and resumed."""
    overwrite: Literal["keeps_pause", "resumes"] = "keeps_pause"
    """Wire contract 8: whether a paused schedule that is written anew stays paused is not documented."""
    group_headers: Literal["shown", "hidden"] = "shown"
    """Wire contract 9: whether a URL group's default headers are given back is not documented."""
    endpoint_identity: Literal["name", "url"] = "name"
    """Wire contract 9: whether an endpoint of a URL group is known by its name or by its URL is not documented."""
    success_status: Literal[200, 201, 202] = 200
    """D19: a duplicate is answered with 202 all the same."""
    duplicate: Literal["both", "flag", "status"] = "both"
    """Wire contract 4.6: a duplicate shows by status 202 and `deduplicated`, or by one of them."""


def change_switches(switches: Switches, given: Mapping[str, Any]) -> Switches:
    """Turn switches: values as JSON or a command line gives them; raises Refusal."""
    kinds = get_type_hints(Switches)
    named = {name.replace("-", "_"): value for name, value in given.items()}
    unknown = named.keys() - kinds.keys()
    if unknown:
        names = ", ".join(one.name for one in fields(Switches))
        raise Refusal(400, f"there is no switch {min(unknown)[:40]!r}; there are {names}")
    changed: dict[str, Any] = {name: _read(name, value, kinds[name]) for name, value in named.items()}
    return replace(switches, **changed)


def _read(name: str, value: Any, kind: Any) -> Any:
    choices, text = get_args(kind), "" if isinstance(value, bool) else str(value)
    for choice in choices:
        if text == str(choice):
            return choice
    if not choices and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    wanted = " or ".join(map(str, choices)) if choices else "a whole number"
    raise Refusal(400, f"the switch {name} is {wanted}")
