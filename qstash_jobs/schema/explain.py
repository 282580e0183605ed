"""Data that the schema refuses -> Faults in the user's words: one for each slip, none that follows from another."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from qstash_jobs.grammar import GrammarError, nearest, read_seconds
from qstash_jobs.schema.alternatives import find_meant, is_choice_of_fields, list_alternatives
from qstash_jobs.schema.fault import Fault
from qstash_jobs.schema.keys import advise
from qstash_jobs.schema.published import NULL
from qstash_jobs.schema.refusal import Refusal, find_refusals
from qstash_jobs.schema.words import NOUNS, advise_type, begin_lack, describe, join_choices, name, show


def find_faults(schema: Mapping[str, Any], data: Any) -> list[Fault]:
    """Explain everything that the schema refuses in the data."""
    return _without_cascades(
        [fault for refusal in find_refusals(schema, data) for fault in _explain(refusal)]
    )


def _without_cascades(faults: list[Fault]) -> list[Fault]:
    """Leave a missing field out where an unknown one beside it was meant to be it."""
    meant = {(fault.path[:-1], fault.about) for fault in faults if fault.rule == "schema-unknown-key"}
    return [
        fault
        for fault in faults
        if fault.rule != "schema-missing" or not any((fault.path, (field,)) in meant for field in fault.about)
    ]


def _explain(refusal: Refusal) -> Iterable[Fault]:
    return EXPLAINED[refusal.keyword](refusal)


def _unknown_keys(refusal: Refusal) -> Iterator[Fault]:
    schema = refusal.schema
    for key, value in refusal.value.items():
        # jsonschema tells all of them in one error; `x-` is the only pattern of keys in the schemas
        if key in schema["properties"] or (key.startswith("x-") and "patternProperties" in schema):
            continue
        advice = advise(key, value, schema)
        yield Fault(
            path=(*refusal.path, key),
            rule="schema-unknown-key",
            message=f"unknown field {show(key)}",
            hint=advice.hint,
            at_key=True,
            about=(advice.meant,) if advice.meant else (),
        )


def _missing(refusal: Refusal) -> Iterator[Fault]:
    yield from (_lacks(refusal, (field,)) for field in refusal.limit if field not in refusal.value)


def _lacks(refusal: Refusal, fields: tuple[str, ...]) -> Fault:
    neither = "neither" if len(fields) > 1 else "no"
    listed = " nor ".join(f"`{field}`" for field in fields)
    return Fault(
        path=refusal.path,
        rule="schema-missing",
        message=f"{begin_lack(refusal.path)} {neither} {listed}",
        hint=WHICH.get(fields),
        at_key=True,
        about=fields,
    )


WHICH = {
    ("url", "url_group"): "say where the message goes, as in `url: https://api.example.com/hello`",
    ("parallelism", "rate"): "flow control needs a limit, as in `parallelism: 5`",
    ("key", "id"): "write `key: …` for a key of your own, `id: …` for an id that is sent as it is",
    ("cron",): 'say when it fires, as in `cron: "0 4 * * *"`',
}
"""How to say what is missing."""


def _wrong_type(refusal: Refusal) -> Iterator[Fault]:
    types = refusal.limit if isinstance(refusal.limit, list) else [refusal.limit]
    yield _mistyped(refusal, [NOUNS[type_] for type_ in types if type_ != "null"])


def _mistyped(refusal: Refusal, expected: Iterable[str]) -> Fault:
    wanted = join_choices(dict.fromkeys(expected))
    if refusal.value is None:
        message = f"{name(refusal.path)} is empty; it must be {wanted}"
    else:
        message = f"{name(refusal.path)} must be {wanted}, not {describe(refusal.value)}"
    return Fault(
        path=refusal.path, rule="schema-type", message=message, hint=advise_type(refusal.value, wanted)
    )


def _wrong_choice(refusal: Refusal) -> Iterator[Fault]:
    if not isinstance(refusal.value, str):
        yield _mistyped(refusal, [f"one of {', '.join(refusal.limit)}"])
        return
    word = nearest(refusal.value, refusal.limit)
    yield Fault(
        path=refusal.path,
        rule="schema-choice",
        message=f"{name(refusal.path)} cannot be {show(refusal.value)}",
        hint=f"did you mean `{word}`?" if word else f"choose one of {', '.join(refusal.limit)}",
    )


def _too_small(refusal: Refusal) -> Iterator[Fault]:
    yield _out_of_range(refusal, f"must be {refusal.limit} or more, not {refusal.value}")


def _too_large(refusal: Refusal) -> Iterator[Fault]:
    yield _out_of_range(refusal, f"must be {refusal.limit} or less, not {refusal.value}")


def _too_short(refusal: Refusal) -> Iterator[Fault]:
    yield _out_of_range(refusal, "is empty")


def _too_long(refusal: Refusal) -> Iterator[Fault]:
    yield _out_of_range(
        refusal, f"is longer than {refusal.limit} character{'s' if refusal.limit > 1 else ''}"
    )


def _out_of_range(refusal: Refusal, what: str) -> Fault:
    return Fault(path=refusal.path, rule="schema-range", message=f"{name(refusal.path)} {what}")


def _wrong_pattern(refusal: Refusal) -> Iterator[Fault]:
    title = refusal.schema["title"]
    if refusal.of_key:
        yield Fault(
            path=(*refusal.path, refusal.value),
            rule="schema-pattern",
            message=f"{show(refusal.value) if refusal.value else 'an empty key'} is not {title}",
            hint="no expression is evaluated in a key"
            if "${{" in refusal.value
            else refusal.schema["description"],
            at_key=True,
        )
    elif title.startswith("a duration"):
        yield _wrong_duration(refusal)
    else:
        # the value stays unsaid: an address may hold a password
        yield Fault(
            path=refusal.path,
            rule="schema-pattern",
            message=f"{name(refusal.path)} must be {title}",
            hint=refusal.schema.get("description"),
        )


def _wrong_duration(refusal: Refusal) -> Fault:
    message, hint = f"{show(refusal.value)} is not a duration", None
    try:
        read_seconds(refusal.value)
    except GrammarError as reason:
        message, hint = str(reason), reason.hint
    if refusal.path[-1] == "window" and nearest(refusal.value, ("forever",)):
        hint = "did you mean `forever`?"
    return Fault(path=refusal.path, rule="schema-duration", message=message, hint=hint)


def _refused(refusal: Refusal) -> Iterator[Fault]:
    if refusal.limit == NULL:
        yield Fault(
            path=refusal.path,
            rule="schema-type",
            message=f"{name(refusal.path)} is empty",
            hint="leave it out, or give it a value",
        )
    elif "required" in refusal.limit:
        first, second = sorted(refusal.limit["required"], key=list(refusal.value).index)
        yield Fault(
            path=(*refusal.path, second),
            rule="schema-conflict",
            message=f"`{first}` and `{second}` cannot stand together",
            hint=refusal.schema["title"],
            at_key=True,
        )
    else:
        yield Fault(
            path=refusal.path,
            rule="schema-unknown-key",
            message=f"{name(refusal.path)} is reserved for the format itself",
            hint="leave it out",
            at_key=True,
        )


def _no_alternative(refusal: Refusal) -> Iterable[Fault]:
    if is_choice_of_fields(refusal):
        return [_lacks(refusal, tuple(schema["required"][0] for schema in refusal.limit))]
    alternatives = list_alternatives(refusal)
    meant = find_meant(alternatives)
    if meant is None:
        return [_mistyped(refusal, [one.title for one in alternatives])]
    return [fault for inner in meant.refusals for fault in _explain(inner)]


EXPLAINED: Mapping[str, Callable[[Refusal], Iterable[Fault]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing,
    "type": _wrong_type,
    "enum": _wrong_choice,
    "minimum": _too_small,
    "maximum": _too_large,
    "minLength": _too_short,
    "minProperties": _too_short,
    "maxLength": _too_long,
    "pattern": _wrong_pattern,
    "not": _refused,
    "anyOf": _no_alternative,
}
