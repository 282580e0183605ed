"""A text that cannot be read -> what is wrong with it, what would mend it, and where."""


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
    shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown) + '"'
