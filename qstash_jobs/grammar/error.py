"""A text that cannot be read -> what is wrong with it, what would mend it, and where."""

from qstash_jobs.grammar.visible import show_word


class GrammarError(ValueError):
    """the text cannot be read"""

    def __init__(self, message: str, *, hint: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.offset = offset
        """Characters from the text's start to the fault, where the fault has a place of its own."""


SHOWN = 40
"""Characters of a faulty text that a message repeats."""


def quote(text: str) -> str:
    """Show a text inside a message: in quotes, on one line, shortened."""
    return f'"{show_word(text, most=SHOWN)}"'
