"""The words of `--skip` -> the full names of the messages that they mean, found while every message is made once."""

from collections.abc import Iterable

from qstash_jobs.errors import UsageError
from qstash_jobs.message import Message


class Skips:
    """Looks out for messages that are to be left out for good: a word that means none, or several, is a slip."""

    def __init__(self, words: Iterable[str]) -> None:
        self._found: dict[str, set[str]] = {word: set() for word in words}

    @property
    def look_at_each(self) -> bool:
        """Whether the name of every message has to be seen."""
        return bool(self._found)

    def note(self, message: Message) -> None:
        """Compare a message's full name, and the one without its file, with every word."""
        if self._found:
            short = message.name[len(message.job.name) - len(message.job.id) :]
            for name in (message.name, short):
                if name in self._found:
                    self._found[name].add(message.name)

    def names(self) -> frozenset[str]:
        """Return the messages' full names; UsageError for a word that does not mean exactly one."""
        for word, names in self._found.items():
            if not names:
                raise UsageError(f"--skip {word}: no message has this name; plan shows what each is called")
            if len(names) > 1:
                raise UsageError(f"--skip {word} can mean {' or '.join(sorted(names))}; give the full name")
        return frozenset().union(*self._found.values())
