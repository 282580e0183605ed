"""What is wrong with a node -> the Fault that says so, in the user's words."""

import re
from collections.abc import Iterable

from qstash_jobs.document.fault import Fault
from qstash_jobs.document.limits import MOST_ALIASES, MOST_LEVELS, MOST_NODES, MOST_PROBLEMS
from qstash_jobs.grammar import nearest, show_word

SHOWN = 60
"""Characters of a user's word that a message repeats."""


def show(word: str) -> str:
    """Show a user's word in quotes, on one line, shortened."""
    return f'"{show_word(word, most=SHOWN)}"'


def duplicate_key(index: int, key: str, line: int | None) -> Fault:
    first = f"the first one is in line {line}; " if line else ""
    return Fault(
        index=index,
        rule="yaml-duplicate-key",
        message=f"the key {show(key)} stands twice in this mapping",
        hint=f"{first}take one away",
    )


def bad_key(index: int, key: str | None, text: str) -> Fault:
    """Say why a key is none: a merge key, null, or (None) a mapping, a list or an alias."""
    if key == "<<":
        hint = "put what jobs share under defaults:, or repeat it"
        return Fault(index=index, rule="yaml-merge-key", message="merge keys are not read", hint=hint)
    if key is not None:
        hint = 'write a word and a colon; quote the word if it is meant: "null":'
        return Fault(index=index, rule="yaml-key", message="a key is missing: null is none", hint=hint)
    if text.startswith("{{", index - 1) or text.startswith("{{", index):
        return unquoted_expression(text.rfind("{{", 0, index + 2), text)
    hint = "write a plain word and a colon"
    return Fault(index=index, rule="yaml-key", message="a key has to be text", hint=hint)


def unquoted_expression(opened: int, text: str) -> Fault:
    """Point at an expression whose `{{` is at `opened` and that YAML takes for something else."""
    start = opened - 1 if text.startswith("$", opened - 1) and opened else opened
    found = re.compile(r"\$?\{\{[^\n\r]{0,80}?\}\}").match(text, start)
    shown = "$" + found[0].lstrip("$") if found and found[0].isprintable() else "${{ … }}"
    quoted = f"'{shown}'" if '"' in shown else f'"{shown}"'
    return Fault(
        index=start,
        rule="unquoted-expression",
        message="YAML takes this expression for something else, because it is not in quotes",
        hint=f"quote the whole value, as in {quoted}",
    )


def cut_expression(text: str, start: int, end: int) -> Fault | None:
    """Say that a comment's sign cut off an expression in the plain scalar between two indices, if one did."""
    opened = text.rfind("${{", start, end)
    if opened < 0 or text.find("}}", opened, end) >= 0 or not re.compile(r"[ \t]+#").match(text, end):
        return None
    return Fault(
        index=opened,
        rule="unquoted-expression",
        message='YAML takes the rest of this expression for a comment, because of " #"',
        hint="quote the whole value",
    )


def bad_number(index: int, message: str) -> Fault:
    return Fault(index=index, rule="yaml-number", message=message, hint="quote it if it is meant as text")


def bad_tag(index: int, tag: str) -> Fault:
    name = re.sub("^tag:yaml.org,2002:", "!!", tag)
    known = name in ("!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq")
    return Fault(
        index=index,
        rule="yaml-tag",
        message=f"the value is not what its tag {name} says"
        if known
        else f"the tag {show(name)} is not read",
        hint="take the tag away; quote the value if the ! belongs to it",
    )


def lone_surrogate(index: int) -> Fault:
    return Fault(
        index=index,
        rule="yaml-surrogate",
        message="half of a surrogate pair is not a character",
        hint="write the character itself, or its number in one piece, as in \\U0001F600",
    )


def old_break(index: int, character: str) -> Fault:
    code = f"{ord(character):04X}"
    return Fault(
        index=index,
        rule="yaml-syntax",
        message=f"the invisible character U+{code} ends a line in old YAML and does not in new",
        hint=f'take it away, or write it as an escape in double quotes, as in "\\u{code}"',
    )


def undefined_alias(index: int, name: str, known: Iterable[str]) -> Fault:
    meant = nearest(name, known)
    return Fault(
        index=index,
        rule="yaml-alias",
        message=f"no anchor before this is called {show(name)}",
        hint=f"did you mean *{meant}?" if meant else "quote the value if the * belongs to it",
    )


def recursive_alias(index: int, name: str, _known: Iterable[str]) -> Fault:
    return Fault(
        index=index,
        rule="yaml-alias",
        message=f"the alias {show(name)} stands inside what it repeats",
        hint="write out what is meant",
    )


def second_document(index: int) -> Fault:
    return Fault(
        index=index,
        rule="yaml-multiple-documents",
        message="a second document begins here, and a file holds one",
        hint="put several jobs under `jobs:`, each with a name of its own",
    )


TOO_MANY = {
    "levels": ("yaml-depth", f"more than {MOST_LEVELS} levels inside each other", None),
    "nodes": (
        "yaml-size",
        f"more than {MOST_NODES:,} values in one job",
        "put many messages into a data file and name it in for_each",
    ),
    "aliases": (
        "yaml-alias",
        f"more than {MOST_ALIASES} aliases in one job",
        "put what jobs share under defaults:",
    ),
    "problems": (
        "yaml-size",
        f"more than {MOST_PROBLEMS:,} problems: the file is not read any further",
        None,
    ),
}


def too_many(what: str, index: int) -> Fault:
    """Say which limit was exceeded: levels, nodes, aliases or problems."""
    rule, message, hint = TOO_MANY[what]
    return Fault(index=index, rule=rule, message=message, hint=hint)
