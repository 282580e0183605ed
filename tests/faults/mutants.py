"""The program with one promise broken on purpose, again and again -> whether the tests that hold the promise notice.

usage: python tests/faults/mutants.py [NAME ...]

Each mutant is an edit of the sources, made in a copy of the package. One whose text is not found any more fails loudly.
Prints which were caught, and how many of how many; ends with 1 where one was not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A text in one file of the package, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A fault that somebody might make one day."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """Those that are meant to notice, below `tests/faults`."""


def scenario(name: str) -> str:
    return f"test_faults_scenarios.py::test_{name}"


MUTANTS = (
    Mutant(
        name="no deduplication id",
        edits=(
            Edit(
                file="wire/calls.py",
                old='return Request(method="POST", target=prefix + destination(message), headers=headers,',
                new='headers = tuple(one for one in headers if one[0] != "Upstash-Deduplication-Id")\n'
                '    return Request(method="POST", target=prefix + destination(message), headers=headers,',
            ),
        ),
        tests=(scenario("an_acceptance_whose_answer_was_lost_is_found_again_by_its_id"),),
    ),
    Mutant(
        name="no window for sending again",
        edits=(
            Edit(
                file="publish/decide.py",
                old="if first is None or not may_resend(first, now):",
                new="if first is None:",
            ),
        ),
        tests=(scenario("too_late_the_log_is_asked_and_nothing_is_sent_again"),),
    ),
    Mutant(
        name="written after it is sent",
        edits=(
            Edit(
                file="publish/desk.py",
                old="        claimed = self._claim(chosen, claimed_at)\n        self._send(claimed, claimed_at)\n",
                new="        self._send(chosen, claimed_at)\n        claimed = self._claim(chosen, claimed_at)\n",
            ),
        ),
        tests=(
            "test_faults_kills.py::test_a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next",
        ),
    ),
    Mutant(
        name="doubt cleared by a refusal",
        edits=(
            Edit(
                file="record.py",
                old="return State.IN_DOUBT if doubtful else State.REJECTED",
                new="return State.REJECTED",
            ),
            Edit(
                file="state.py",
                old="if transition is None or (doubtful and not transition.clears_doubt):",
                new="if transition is None:",
            ),
        ),
        tests=(scenario("a_refusal_does_not_hide_the_acceptance_before_it"),),
    ),
    Mutant(
        name="synchronous=NORMAL",
        edits=(
            Edit(
                file="ledger/opening.py",
                old='"PRAGMA synchronous = FULL",\n    #',
                new='"PRAGMA synchronous = NORMAL",\n    #',
            ),
        ),
        tests=("test_faults_power.py",),
    ),
    Mutant(
        name="success without an id accepted",
        edits=(
            Edit(
                file="wire/reply.py",
                old='return message_id if isinstance(message_id, str) and message_id.strip() else ""',
                new='return str(message_id) or "?"',
            ),
        ),
        tests=(scenario("success_without_an_id_is_no_success"),),
    ),
    Mutant(
        name="connection kept after a 1xx",
        edits=(
            Edit(
                file="transport/answer.py",
                old='raise BrokenAnswerError(f"an informational answer ({status}) came where the answer was due")',
                new="return Reply(status=status, headers=headers)",
            ),
        ),
        tests=(scenario("an_informational_answer_gives_nobody_the_answer_of_another"),),
    ),
    Mutant(
        name="redirects followed",
        edits=(
            Edit(
                file="transport/line.py",
                old="        self._exchange = Exchange(self._socket, head, request, deadline_s=self._deadline_s)\n",
                new="        self._last = head, request\n"
                "        self._exchange = Exchange(self._socket, head, request, deadline_s=self._deadline_s)\n",
            ),
            Edit(
                file="transport/line.py",
                old="        self._exchange = None\n        self._used_at_s = monotonic()\n",
                new="        if 300 <= reply.status < 400 and (place := reply.header('Location')):\n"
                "            head, request = self._last\n"
                "            head = head.replace(request.target.encode(), place.encode())\n"
                "            self._exchange = Exchange(self._socket, head, request, deadline_s=self._deadline_s)\n"
                "            return self.proceed()\n"
                "        self._exchange = None\n        self._used_at_s = monotonic()\n",
            ),
        ),
        tests=(scenario("a_redirect_is_not_followed_and_stops_the_run_with_nothing_lost"),),
    ),
    Mutant(
        name="no lock",
        edits=(
            Edit(file="ledger/lock.py", old="        while not _take(file):\n", new="        while False:\n"),
        ),
        tests=(scenario("two_runs_at_once_are_one_run_and_a_refusal"),),
    ),
    Mutant(
        name="content not compared when continued",
        edits=(
            Edit(
                file="publish/decide.py",
                old="changed = known.fingerprint != envelope.fingerprint",
                new="changed = False",
            ),
        ),
        tests=(scenario("changed_content_is_not_sent_under_the_id_of_what_may_have_arrived"),),
    ),
    Mutant(
        name="window counted from the last attempt",
        edits=(
            Edit(
                file="publish/work.py",
                old="first_maybe_sent=self.doubtful_since or now,",
                new="first_maybe_sent=now,",
            ),
        ),
        tests=(scenario("the_window_counts_from_the_first_attempt_and_not_from_the_last"),),
    ),
    Mutant(
        name="answers of a batch in another order",
        edits=(
            Edit(
                file="publish/hearing.py",
                old="for item, outcome in zip(flight.batch.tries, outcomes, strict=True):",
                new="for item, outcome in zip(flight.batch.tries, outcomes[::-1], strict=True):",
            ),
        ),
        tests=(scenario("the_parts_of_a_batch_are_told_apart"),),
    ),
)


def copy_package(folder: Path) -> None:
    """Copy what a process needs of the package; it is found before the one that is installed."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("qstash_jobs", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)


def apply(mutant: Mutant, folder: Path) -> None:
    """Make its edits in a copy; LookupError where a text does not stand there exactly once."""
    for edit in mutant.edits:
        path = folder / "qstash_jobs" / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise LookupError(f"{mutant.name}: {edit.file} has {text.count(edit.old)} times {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new))


def run_tests(folder: Path, tests: Sequence[str]) -> int:
    """Run tests against the copy; return pytest's exit code: 0 all passed, 1 some failed."""
    words = [str(Path(__file__).parent / test) for test in tests]
    # -P: the folder that this is started from would come before the copy
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the tests did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode


def hunt(mutants: Sequence[Mutant]) -> list[str]:
    """Return the names of those that were caught; the tests have to pass on a copy without any."""
    with tempfile.TemporaryDirectory() as folder:
        copy_package(Path(folder))
        every = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
        if run_tests(Path(folder), list(every)):
            raise RuntimeError("the tests fail without any mutant")
    caught = []
    for mutant in mutants:
        with tempfile.TemporaryDirectory() as folder:
            copy_package(Path(folder))
            apply(mutant, Path(folder))
            was_caught = run_tests(Path(folder), mutant.tests) == 1
        caught += [mutant.name] * was_caught
        print(f"{'caught' if was_caught else 'NOT CAUGHT':<11} {mutant.name}", flush=True)
    return caught


def main(*names: str) -> None:
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    caught = hunt(chosen)
    print(f"{len(caught)} of {len(chosen)} mutants caught")
    sys.exit(0 if len(caught) == len(chosen) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
