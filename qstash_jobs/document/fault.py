"""A fault at a character of the text, before line and column are known."""

from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    index: int
    """Characters from the text's start."""
    rule: str
    message: str
    hint: str | None = None


class StopReading(Exception):  # noqa: N818  # it ends the reading, it is not handed on
    """nothing after this can be read"""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault
