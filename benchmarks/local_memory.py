"""`qstash-jobs dev --retain` while a million messages come, are delivered and go -> its memory; and with `--state`.

All of it is published in batches and delivered, a twentieth at a time, and after each its resident memory is looked at.
Linux only, as `local.py` is.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import dev, running, send, wait_delivered
from local_load import BATCH
from result import Ratio, Result, Target, tell

PARTS = 20
MOST_GROWTH = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a server held in MB while so many messages came and went."""

    messages: int
    held: Sequence[float]
    """After each twentieth."""
    peak: float

    @property
    def growth(self) -> float:
        """The most that was held after a part of the second half, beside the most of the first half."""
        half = len(self.held) // 2
        return max(self.held[half:]) / max(self.held[:half])

    def write(self) -> str:
        held = ", ".join(f"{figure:.0f}" for figure in self.held)
        return (
            f"{self.messages:,} messages: {held} MB after each twentieth, {self.peak:.0f} at most in between"
        )


def measure_memory(messages: int, folder: Path, *options: str) -> Memory:
    """Publish a twentieth at a time, have all of it delivered, and look."""
    part, held = messages // PARTS // BATCH * BATCH, []
    with running(dev(*options), folder / "errors") as server:
        for number in range(1, PARTS + 1):
            send(server, part // BATCH, batched=True)
            wait_delivered(server, part * number)
            held.append(server.resident_mb)
        return Memory(messages=part * PARTS, held=held, peak=server.peak_mb)


def judge(memory: Memory, kept: Memory, retain: int) -> Result:
    """Hold the figures against the targets."""
    return Result(
        panels=[],
        targets=[
            Target(
                text=f"Local server, {each.messages:,} messages with {options}: memory in the second half, × the first",
                ratio=Ratio(median=each.growth, least=each.growth, most=each.growth),
                goal=MOST_GROWTH,
                at_most=True,
            )
            for options, each in (("`--retain`", memory), ("`--retain` and `--state`", kept))
        ],
        notes=[
            f"Local server with `--retain {retain}`, {memory.write()}",
            f"Local server with `--retain {retain}` and `--state`, {kept.write()}",
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--retain", type=int, default=10_000)
    # `report.py` gives it to all; once is enough where nothing is timed.
    parser.add_argument("--repetitions", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = ("--retain", str(arguments.retain))
    with tempfile.TemporaryDirectory() as name:
        memory = measure_memory(arguments.messages, Path(name), *options)
        kept = measure_memory(
            arguments.messages, Path(name), *options, "--state", str(Path(name) / "state.db")
        )
    tell(judge(memory, kept, arguments.retain))


if __name__ == "__main__":
    main()
