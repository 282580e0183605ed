"""The text of an env file -> names and values, read so strictly that no other reader takes the file for something else.

A line is blank, a comment, or NAME=VALUE, with `export` in front where a shell reads it too. What sh, systemd and
Docker read differently (a `$`, a backslash, a comment behind a value) is refused with the way to write it that all
of them agree on. A value is never repeated in a message.
"""

import re

from qstash_jobs.grammar.error import GrammarError

_LINE = re.compile(r"(?:export[ \t]+)?([^=]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LITERAL = "put it in single quotes: what stands in them is taken as it is"


def read_env_file(text: str) -> dict[str, str]:
    """Read every NAME=VALUE; GrammarError begins with the number of the line that cannot be read."""
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.removesuffix("\r").strip(" \t")
        if not line or line.startswith("#"):
            continue
        try:
            name, value = _read_line(line)
        except GrammarError as error:
            raise GrammarError(f"line {number}: {error}") from None
        if name in found:
            raise GrammarError(
                f"line {number}: {name} was set before, in line {found[name][1]}; keep one of them"
            )
        found[name] = value, number
    return {name: value for name, (value, _) in found.items()}


def _read_line(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise GrammarError("it has no =; write NAME=VALUE")
    name, value = match.groups()
    if not _NAME.fullmatch(name):
        # a name that cannot be one may be half of a token
        raise GrammarError(
            "what stands before the = is no name of a variable; write NAME=VALUE without blanks"
        )
    if _CONTROL.search(value):
        raise GrammarError(f"the value of {name} holds a control character")
    return name, _read_value(name, value)


def _read_value(name: str, value: str) -> str:
    if value[:1] in ("'", '"'):
        return _read_quoted(name, value[0], value[1:])
    if value[:1] in (" ", "\t"):
        raise GrammarError(f"a blank stands behind the = of {name}; take it out, or put the value in quotes")
    for character in " \t'\"`$\\":
        if character in value:
            word = "a blank" if character in " \t" else character
            raise GrammarError(f"the value of {name} holds {word} without quotes; {_LITERAL}")
    return value


def _read_quoted(name: str, mark: str, rest: str) -> str:
    value, end, behind = rest.partition(mark)
    if not end:
        raise GrammarError(
            f"the quotes of {name} do not end on their line; "
            "a value of several lines goes into a file of its own, see --secrets-dir"
        )
    if behind:
        raise GrammarError(f"something stands behind the quotes of {name}; a comment has a line of its own")
    if mark == '"':
        for character in "`$\\":
            if character in value:
                raise GrammarError(f"the value of {name} holds {character} in double quotes; {_LITERAL}")
    return value
