"""What the promise is held to, in numbers -> whether what was measured keeps to it, and the table that shows it."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from math import inf

from faults.judge import Findings


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number, and between what it has to be."""

    part: str
    what: str
    least: float = 0
    most: float = inf
    unit: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.part, self.what

    @property
    def wanted(self) -> str:
        if self.least == self.most or self.most == 0:
            return self.write(self.most)
        if self.most == inf:
            return f"{self.write(self.least)} at least"
        if self.least == 0:
            return f"{self.write(self.most)} at most"
        return f"{self.least:g} to {self.write(self.most)}"

    def write(self, value: float) -> str:
        number = f"{value:,.2f}".removesuffix(".00")
        return f"{number} {self.unit}".rstrip()


BROKEN = ("lost", "doubled", "lies", "sent and unrecorded", "tracebacks")
"""The ways in which the promise can be broken, in the words of the table."""


def _none_of(part: str, *ways: str) -> list[Figure]:
    return [Figure(part=part, what=way, most=0) for way in ways]


WANTED = (
    Figure(part="storm", what="seeds", least=10),
    Figure(part="storm", what="publications", least=10_000),
    Figure(part="storm", what="SIGKILLs", least=500),
    Figure(part="storm", what="chaotic answers", least=30, unit="%"),
    *_none_of("storm", *BROKEN),
    Figure(part="storm", what="in doubt at the end", most=1, unit="%"),
    Figure(part="kills", what="kills, one at every crossing of every seam", least=500),
    Figure(part="kills", what="disks that fail or are full", least=700),
    *_none_of("kills", *BROKEN),
    Figure(part="cuts", what="cuts, at every byte of requests and answers", least=3_000),
    Figure(part="cuts", what="statuses", least=499),
    *_none_of("cuts", *BROKEN),
    Figure(part="power", what="images of power losses", least=1_000),
    *_none_of("power", "sent and unrecorded", "unreadable"),
    Figure(part="mutants", what="mutants", least=12),
    *_none_of("mutants", "not caught"),
    Figure(part="postgres", what="messages", least=10_000),
    Figure(part="postgres", what="runners at a time", least=10),
    Figure(part="postgres", what="SIGKILLs of runners", least=60),
    Figure(part="postgres", what="SIGKILLs of the database", least=5),
    *_none_of("postgres", "lost", "doubled", "lies", "tracebacks"),
    Figure(part="postgres", what="in doubt at the end", most=1, unit="%"),
    Figure(part="deadline", what="slow servers", least=5),
    Figure(part="deadline", what="the shortest", least=29, most=31, unit="s"),
    Figure(part="deadline", what="the longest", least=29, most=31, unit="s"),
    Figure(part="memory", what="heavy answers", least=30),
    Figure(part="memory", what="most memory", most=149, unit="MB"),
    *_none_of("memory", "tracebacks"),
)

Measured = dict[tuple[str, str], float]
"""By part and name."""


def count_broken(part: str, findings: Findings) -> Measured:
    """Count how often the promise was not kept."""
    kinds = (findings.lost, findings.doubled, findings.lies, findings.unrecorded, findings.faults)
    return {(part, way): len(found) for way, found in zip(BROKEN, kinds, strict=True)}


def find_missed(measured: Mapping[tuple[str, str], float], parts: Container[str]) -> Iterator[str]:
    """Say which figures of these parts are not what they have to be."""
    for figure in WANTED:
        if figure.part not in parts:
            continue
        value = measured.get(figure.key)
        if value is None:
            yield f"{figure.part}: {figure.what} was not measured"
        elif not figure.least <= value <= figure.most:
            yield f"{figure.part}: {figure.what} is {figure.write(value)}, and was to be {figure.wanted}"


def write_table(measured: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """Write what was measured as a table in Markdown."""
    yield "| part | what | measured | wanted |"
    yield "| --- | --- | --- | --- |"
    for figure in WANTED:
        if (value := measured.get(figure.key)) is not None:
            yield f"| {figure.part} | {figure.what} | {figure.write(value)} | {figure.wanted} |"
