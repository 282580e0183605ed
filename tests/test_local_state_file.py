"""The state file holds what the server would write if it wrote all it knows at once: nothing less, nothing else."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_local_state import OPERATIONS, Life, publish

from qstash_jobs.local.kept.file import StateFile
from qstash_jobs.local.kept.rows import write_batch
from qstash_jobs.local.world import account as accounts
from qstash_jobs.local.world.changes import Changes
from qstash_jobs.local.world.world import World

Rows = dict[str, list[tuple[Any, ...]]]

ALL = OPERATIONS | {
    "enqueue and call back": lambda life, n: life.ask(
        "POST", f"/v2/enqueue/q{n % 2}/https://example.com/q", Callback="https://c.example"
    )
}


def read_rows(file: StateFile) -> Rows:
    """Read what is in the file."""
    kept = file.read()
    return {"messages": list(kept.messages), "events": list(kept.events), "things": sorted(kept.things)}


def write_rows(world: World) -> Rows:
    """Write all that a world knows at once."""
    changes = Changes(wanted=True)
    for account in world.accounts:
        for message in account.messages.values():
            changes.note_message(message)
            changes.events.extend(message.events)
        for names, kind in (
            (account.queues, "queue"),
            (account.groups, "group"),
            (account.schedules, "schedule"),
            (account.flows, "flow"),
            (account.dead, "dead"),
        ):
            for name in names:
                changes.note_thing(account, kind, name)  # type: ignore[arg-type]
    batch = write_batch(world, changes, set())
    return {
        "messages": sorted(batch.messages),
        "events": sorted(batch.events),
        "things": sorted(batch.things),
    }


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_file_is_as_if_written_at_once(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(1000 + seed)
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        publish(life, 0)
        for _ in range(40):
            for _ in range(chosen.randrange(1, 5)):
                ALL[chosen.choice(sorted(ALL))](life, chosen.randrange(10))
            life.save()
            assert read_rows(file) == write_rows(life.world)


def test_flow_control_keys_that_are_idle_and_too_many_are_forgotten_in_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "FLOW_KEYS_KEPT", 3)
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        life.ask("POST", "/v2/flowControl/pinned/pin?rate=3")
        for number in range(8):
            publish(life, number, Flow_Control_Key=f"key{number}", Flow_Control_Value="rate=1")
            life.deliver(200)
            life.save()
        assert read_rows(file) == write_rows(life.world)
        assert 1 < len(life.ask("GET", "/v2/flowControl")) <= 3


def test_time_that_was_let_pass_is_kept_where_nothing_else_happened(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        first = life.ask("POST", "/v2/publish/https://a.example", Deduplication_Id="a")["messageId"]
        life.save()
        life.ask("POST", "/local/advance", b'{"seconds": 700}')
        life.save()
        again = life.again().ask("POST", "/v2/publish/https://a.example", Deduplication_Id="a")
        assert again["messageId"] != first
