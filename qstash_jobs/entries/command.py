"""A crontab's command -> the URL that it calls, where calling one is all that it does."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import field

from qstash_jobs.value import dataclass

# `?` matches files only where there are any of that name, and in a URL there are none
_SHELL = re.compile(r"[|;&<>$`()*\[\]{}#\n]")
# curl(1), GLOBBING: one URL with these stands for several
_SEVERAL = re.compile(r"[\[\]{}]")
_QUIET = re.compile(r"\s*(?:&>>?|>>?)\s*/dev/null(?:\s+2>&1)?\s*$|\s+2>&1\s*$|\s+2>\s*/dev/null\s*$")

# curl(1), wget(1): what changes only what is printed, and what a failure is called
_SILENT = frozenset(
    ["--silent", "--show-error", "--fail", "--no-progress-meter", "--quiet", "--no-verbose", "-nv"]
)
_SILENT_LETTERS = {"curl": "sSf", "wget": "q"}
_DISCARDS = {
    "curl": re.compile(r"(?:-[sSf]*o|--output=?)(?P<where>.*)"),
    "wget": re.compile(r"(?:-q?O|--output-document=?)(?P<where>.*)"),
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A URL, and how it is called."""

    url: str
    method: str


def read_call(command: str) -> Call | str:
    """Read a command that is one curl or wget of one URL; a text says why it is not."""
    while (shorter := _QUIET.sub("", command)) != command:
        command = shorter
    try:
        words = shlex.split(command)
    except ValueError:
        return "it runs a command whose quotes do not match"
    program = words[0].rpartition("/")[2] if words else ""
    if program not in _DISCARDS:
        return "it runs a command, and QStash calls a URL: say which with --url"
    if _SHELL.search(_without_quoted(command)):
        return f"the shell makes more of it than one {program}: say which URL to call with --url"
    return _read_words(program, words[1:])


@dataclass(slots=True, kw_only=True)
class _Options:
    """What has been read of a command's words."""

    urls: list[str] = field(default_factory=list)
    method: str = "GET"


def _read_words(program: str, words: Sequence[str]) -> Call | str:
    options = _Options()
    rest = iter(words)
    for word in rest:
        fault = _read_word(program, word, rest, options)
        if fault is not None:
            return fault
    if len(options.urls) != 1 or not re.match(r"https?://", options.urls[0]):
        return f"{program} is given {'no' if not options.urls else 'other than one'} http:// or https:// URL"
    if program == "curl" and _SEVERAL.search(options.urls[0]):
        return "curl makes several URLs of one with braces or brackets: say which with --url"
    if options.method not in _METHODS:
        return f"QStash does not call with the method {options.method}; it has {', '.join(_METHODS)}"
    return Call(url=options.urls[0], method=options.method)


def _read_word(program: str, word: str, rest: Iterator[str], options: _Options) -> str | None:
    """Read an option, or the URL; a text says what stands in the way."""
    name, equals, value = word.partition("=")
    if not word.startswith("-"):
        options.urls.append(word)
    elif word in ("-X", "--request") and program == "curl":
        options.method = next(rest, "")
    elif name in ("--request", "--method") and equals:
        options.method = value
    elif (output := _DISCARDS[program].fullmatch(word)) is not None:
        if (output["where"] or next(rest, "")) not in ("/dev/null", "-"):
            return f"{program} keeps what it is answered, and QStash does not"
    elif not _is_silent(program, word):
        return f"QStash has nothing for the option {word} of {program} that is sure to mean the same"
    return None


def _is_silent(program: str, word: str) -> bool:
    letters = word[1:]
    return word in _SILENT or (bool(letters) and set(letters) <= set(_SILENT_LETTERS[program]))


def _without_quoted(command: str) -> str:
    """Take out what stands in quotes in which the shell changes nothing."""
    return re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", command)
