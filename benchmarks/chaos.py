"""The same messages through the same mishaps, with the official SDK and with `qstash-jobs`: `nox -s chaos`.

Each client publishes to a QStash of its own that accepts, refuses, cuts and delays by one plan: what becomes of a
request hangs on the seed, the message and which request for it this is. What each client told its user is then held
against the server's own record. `--json FILE` keeps the figures, from which docs/reliability.md has its table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

from chaos_service import ChaoticService
from measure import write_table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chaos_server import ChaosServer

CLIENTS = Path(__file__).with_name("chaos_clients.py")

TIMEOUT_S = 1.0
LATE_S = 2.0
"""An answer that no client waits for."""
ROUNDS = 10
"""Nobody tries more often to get the rest through."""

PUBLISHED, FAILED, IN_DOUBT = "published", "failed", "in doubt"

JOB = """\
url: https://example.com/${{ row.order }}
for_each: {file: orders.csv, key: order}
body: {order: "${{ row.order }}"}
"""

TOLD_BY_STATE: Mapping[str, str] = {
    "published": PUBLISHED,
    "skipped": PUBLISHED,
    "deduplicated": PUBLISHED,
    "in_doubt": IN_DOUBT,
    "sending": IN_DOUBT,
    "planned": FAILED,
    "rejected": FAILED,
}
"""What a state says to the user. A message that a stopped run did not reach is counted among those not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a client came to; every figure but `rounds` is a number of messages, or of requests."""

    client: str
    messages: int
    requests: int
    rounds: int
    """How often it was started, at most."""
    lost: int
    """Never accepted, and nobody was told."""
    extra: int
    """Copies beyond the first that QStash accepted, and delivers."""
    false_errors: int
    """Told as failed, and accepted."""
    false_successes: int
    """Told as published, and never accepted."""
    in_doubt: int
    """Told as what may have been accepted."""
    failed: int
    """Told as failed, and never accepted: true, and still to be done."""

    def __add__(self, other: "Tally") -> "Tally":
        mine, its = asdict(self), asdict(other)
        sums = {name: mine[name] + its[name] for name in mine if name not in ("client", "rounds")}
        return Tally(client=self.client, rounds=max(self.rounds, other.rounds), **sums)


@dataclass(slots=True, kw_only=True)
class Trial:
    """One client, its server, and what it has told so far."""

    client: str
    names: Sequence[str]
    service: ChaoticService
    told: dict[str, str] = field(default_factory=dict)

    def count(self, client: str, rounds: int) -> Tally:
        """Hold what was told against the server's record."""
        copies = self.service.copies
        missed = [name for name in self.names if name not in copies]
        verdicts = Counter(self.told.get(name) for name in missed)
        return Tally(
            client=client,
            messages=len(self.names),
            requests=self.service.requests,
            rounds=rounds,
            lost=verdicts[None],
            extra=sum(copies.values()) - len(copies),
            false_errors=sum(self.told.get(name) == FAILED for name in copies),
            false_successes=verdicts[PUBLISHED],
            in_doubt=sum(told == IN_DOUBT for told in self.told.values()),
            failed=verdicts[FAILED],
        )


Round = Callable[[Trial, str, int], bool]
"""Starts a client for the n-th time, with the server's address; says whether something is left to be done."""


def publish_with_sdk(trial: Trial, server: str, number: int) -> bool:
    """Publish everything, or what has failed so far."""
    left = [name for name in trial.names if trial.told.get(name) != PUBLISHED]
    command = [sys.executable, str(CLIENTS), trial.client, server, str(TIMEOUT_S)]
    done = subprocess.run(command, input="\n".join(left), capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        fact = json.loads(line)
        trial.told[fact["name"]] = fact["state"]
    return FAILED in trial.told.values()


def run_in(folder: Path) -> Round:
    """Give the round of `qstash-jobs`: a run, then what its own last lines say to do."""

    def run(trial: Trial, server: str, number: int) -> bool:
        if number == 1:
            (folder / "orders.csv").write_text("\n".join(["order", *trial.names]) + "\n")
            (folder / "orders.yaml").write_text(JOB)
        words = ["run", "orders.yaml" if number == 1 else "--continue", "--yes", "--format", "jsonl"]
        # a request a message, as the SDK's loop has it
        words += ["--batch-size", "1", "--ledger", f"sqlite://{folder}/ledger.db"]
        done = subprocess.run(
            [sys.executable, str(CLIENTS), "ours", str(TIMEOUT_S), *words],
            cwd=folder,
            env={**os.environ, "QSTASH_URL": server, "QSTASH_TOKEN": "token"},
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 1, 3, 5):
            raise RuntimeError(f"qstash-jobs ended with {done.returncode}: {done.stderr}")
        if done.returncode == 5:
            trial.told |= {name: FAILED for name in trial.names if name not in trial.told}
        for line in done.stdout.splitlines():
            fact = json.loads(line)
            trial.told[fact["name"].partition("[")[2].rstrip("]")] = TOLD_BY_STATE[fact["state"]]
        return done.returncode != 0

    return run


ENTRIES: Mapping[str, tuple[str, str]] = {
    "sdk": ("SDK", "SDK, failures sent again"),
    "sdk-ids": ("SDK, an id a message", "SDK, an id a message, failures sent again"),
    "ours": ("qstash-jobs run", "qstash-jobs run, then run --continue"),
}
"""What each client is called after its first round, and after its last."""


def compare(client: str, *, names: Sequence[str], seed: int, share: float) -> list[Tally]:
    """Let one client go on until nothing is left to do; say what it came to after its first round, and its last."""
    first, last = ENTRIES[client]
    with tempfile.TemporaryDirectory() as name:
        publish = run_in(Path(name)) if client == "ours" else publish_with_sdk
        service = ChaoticService(seed=seed, share=share, late_s=LATE_S)
        trial = Trial(client=client, names=names, service=service)
        with ChaosServer(service) as server:
            for number in count(1):
                goes_on = publish(trial, server.url, number)
                if number == 1:
                    tallies = [trial.count(first, 1)]
                if not goes_on or number == ROUNDS:
                    return [*tallies, trial.count(last, number)]
    raise AssertionError("a trial has an end")


def measure(messages: int, seeds: Sequence[int], share: float) -> list[Tally]:
    """Compare all clients, each with every seed, at once: they do little but wait."""
    names = [f"order-{number:05d}" for number in range(messages)]
    trials = [(client, seed) for client in ENTRIES for seed in seeds]
    with ThreadPoolExecutor(len(trials)) as pool:
        found = pool.map(lambda trial: compare(trial[0], names=names, seed=trial[1], share=share), trials)
        tallies = [tally for each in found for tally in each]
    return list(add_up(tallies))


def add_up(tallies: Sequence[Tally]) -> Iterator[Tally]:
    """Add the figures of the seeds."""
    sums: dict[str, Tally] = {}
    for tally in tallies:
        known = sums.get(tally.client)
        sums[tally.client] = tally if known is None else known + tally
    return iter(sums.values())


COLUMNS: Mapping[str, str] = {
    "lost": "lost",
    "false_successes": "false successes",
    "extra": "extra copies",
    "false_errors": "false errors",
    "in_doubt": "in doubt",
    "failed": "failed, and told so",
}


def write_figures(tallies: Sequence[Tally]) -> str:
    """Write what each came to, per mille of the messages."""
    lines = [
        (tally.client, *(f"{1000 * asdict(tally)[name] / tally.messages:.1f}" for name in COLUMNS))
        for tally in tallies
    ]
    return write_table(("per mille of the messages", *COLUMNS.values()), lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="each client, with each seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.3, help="of requests that end in a mishap")
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    arguments = parser.parse_args()
    tallies = measure(arguments.messages, range(arguments.seeds), arguments.share)
    if arguments.json:
        kept = {
            "messages": arguments.messages,
            "seeds": arguments.seeds,
            "share": arguments.share,
            "figures": [asdict(tally) for tally in tallies],
        }
        arguments.json.write_text(json.dumps(kept, indent=2) + "\n")
    print(write_figures(tallies))


if __name__ == "__main__":
    main()
