"""Costs of interleaved repetitions -> ratios with their spread, held against targets: what every benchmark prints.

A ratio is taken within each repetition, whose processes ran one after the other, and the median of these is the
figure: what slows the machine for a while slows both sides of it.
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from measure import Cost, median, write_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How one side compares to the other."""

    median: float
    least: float
    most: float

    def write(self) -> str:
        return f"{show(self.median)} ({show(self.least)}–{show(self.most)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A contender in a panel."""

    name: str
    ratio: Ratio
    cost: Cost
    """The medians of a process."""
    work: int
    """So many messages or files a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Contenders that did the same work in the same run, each as a ratio of one of them."""

    title: str
    unit: str
    bars: Sequence[Bar]
    more_is_better: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure that was promised."""

    text: str
    ratio: Ratio
    goal: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.ratio.median <= self.goal if self.at_most else self.ratio.median >= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one benchmark found."""

    panels: Sequence[Panel]
    targets: Sequence[Target]
    notes: Sequence[str] = ()
    """What was seen besides, a sentence each."""


def show(figure: float) -> str:
    """Write a figure with three digits that count, two above 100."""
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def ratio_of(figures: Sequence[float], beside: Sequence[float]) -> Ratio:
    """Divide, repetition by repetition."""
    ratios = [one / other for one, other in zip(figures, beside, strict=True)]
    return Ratio(median=statistics.median(ratios), least=min(ratios), most=max(ratios))


def rates(costs: Sequence[Cost], work: int = 1) -> list[float]:
    """How much of the work was done in a second, from the start of the process to its end."""
    return [work / cost.wall_s for cost in costs]


def walls(costs: Sequence[Cost]) -> list[float]:
    """The seconds of each repetition."""
    return [cost.wall_s for cost in costs]


def draw_up(
    costs: Mapping[str, Sequence[Cost]],
    beside: Sequence[float],
    *,
    work: Mapping[str, int],
    title: str,
    unit: str,
) -> Panel:
    """Set every contender's rate beside another rate."""
    return Panel(
        title=title,
        unit=unit,
        bars=[
            Bar(
                name=name,
                ratio=ratio_of(rates(each, work[name]), beside),
                cost=median(each),
                work=work[name],
            )
            for name, each in costs.items()
        ],
    )


def print_panel(panel: Panel) -> None:
    """Print a panel to standard error, for who waits for it."""
    head = (panel.title, panel.unit, "least", "most", "wall s", "CPU s", "peak MB", "µs each")
    lines = [
        (
            f"  {bar.name}",
            *(show(figure) for figure in (bar.ratio.median, bar.ratio.least, bar.ratio.most)),
            f"{bar.cost.wall_s:.3f}",
            f"{bar.cost.cpu_s:.3f}",
            f"{bar.cost.peak_mb:.0f}",
            f"{bar.cost.wall_s / bar.work * 1e6:.0f}",
        )
        for bar in panel.bars
    ]
    print(f"\n{write_table(head, lines)}", file=sys.stderr)


def tell(result: Result) -> None:
    """Print a result: for people to standard error, for a program to standard output."""
    for panel in result.panels:
        print_panel(panel)
    print(*result.notes, sep="\n", file=sys.stderr)
    print(*(f"{each.text}: {show(each.ratio.median)}" for each in result.targets), sep="\n", file=sys.stderr)
    print(json.dumps(write_result(result), indent=2))


def write_result(result: Result) -> dict[str, Any]:
    """Turn a result into what JSON can hold."""
    return asdict(result)


def read_result(data: Mapping[str, Any]) -> Result:
    """Take a result back from what `write_result` gave."""
    return Result(
        panels=[
            Panel(**{**panel, "bars": [_read_bar(bar) for bar in panel["bars"]]}) for panel in data["panels"]
        ],
        targets=[Target(**{**target, "ratio": Ratio(**target["ratio"])}) for target in data["targets"]],
        notes=data["notes"],
    )


def _read_bar(bar: Mapping[str, Any]) -> Bar:
    return Bar(**{**bar, "ratio": Ratio(**bar["ratio"]), "cost": Cost(**bar["cost"])})
