"""`ledger check`, `prune` and `export`: whether it is in order, how it forgets, and what other programs can rely on."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.record import State, Window

ROWS = "jobs:\n  mail:\n    url: https://api.example.com/${{ row.id }}\n    for_each: {file: rows.csv, key: id}\n"


@pytest.fixture
def shop(cli) -> Any:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", "jobs:\n  hello: {url: https://api.example.com/hello}\n")
    cli.write("rows.yaml", ROWS)
    cli.write("rows.csv", "id\n" + "".join(f"r{row}\n" for row in range(2000)))
    return cli


def age(cli: Any, days: int) -> None:
    """Let everything in the ledger have happened so many days earlier."""
    micros = days * 86_400_000_000
    with closing(sqlite3.connect(cli.ledger)) as connection:
        for table, columns in {
            "runs": ("started_at", "ended_at"),
            "keys": ("started_at",),
            "messages": ("maybe_wall", "settled_at"),
        }.items():
            for column in columns:
                connection.execute(f"UPDATE {table} SET {column} = {column} - {micros}")
        connection.commit()


def put(cli: Any, name: str, **changes: Any) -> None:
    with closing(open_sqlite(cli.ledger)) as ledger:
        ledger.write(intents=[replace(one, **changes) for one in ledger.messages() if one.name == name])


def size(cli: Any) -> int:
    return sum(file.stat().st_size for file in cli.ledger.parent.glob("ledger.db*") if file.is_file())


# check


def test_a_ledger_in_order_says_what_it_holds(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    answer = shop("ledger", "check")
    assert (answer.code, answer.out, answer.err) == (0, "in order: 1 run, 1 message\n", "")
    put(shop, "a:hello", state=State.IN_DOUBT)
    assert shop("ledger", "check").out == "in order: 1 run, 1 message, 1 of them in doubt\n"


def test_a_ledger_that_contradicts_itself_says_in_what_and_ends_with_6(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    put(shop, "a:hello", state=State.PUBLISHED, endpoints=())
    answer = shop("ledger", "check")
    assert answer.code == 6
    assert (
        answer.out
        == "1 message is there published, with neither an id of QStash's nor anybody's word for it\n"
    )


def test_a_damaged_file_ends_with_6_and_a_sentence(shop) -> None:
    assert shop("run", "rows.yaml").code == 0
    with closing(sqlite3.connect(shop.ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(shop.ledger.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096 * 8] = b"\xaa" * 4096 * 8
    shop.ledger.write_bytes(content)
    answer = shop("ledger", "check")
    assert answer.code == 6
    assert "damaged" in answer.out + answer.err
    assert "Traceback" not in answer.err


# prune


def test_old_runs_are_forgotten_and_their_room_is_given_back(shop) -> None:
    assert shop("run", "rows.yaml").code == 0
    age(shop, 100)
    assert shop("run", "a.yaml").code == 0
    before = size(shop)
    answer = shop("ledger", "prune", "--older-than", "90d")
    assert answer.code == 0
    assert answer.out.startswith("forgot 1 run, 2,000 messages; ")
    assert answer.out.endswith(" given back\n")
    assert size(shop) < before - 100_000
    assert [run["totals"] for run in shop("runs", "--format", "jsonl").lines] == [{"published": 1}]
    assert shop("ledger", "check").out == "in order: 1 run, 1 message\n"
    assert shop("ledger", "prune", "--older-than", "90d").out == "nothing is that old\n"


def test_what_is_in_doubt_is_never_forgotten(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    put(shop, "a:hello", state=State.IN_DOUBT)
    age(shop, 100)
    answer = shop("ledger", "prune", "--older-than", "90d")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == "nothing is that old"
    assert "kept the run keys of 1 message in doubt; settle them with" in answer.out
    assert shop("resolve", "a:hello", "--as", "published").code == 0
    age(shop, 100)
    assert shop("ledger", "prune", "--older-than", "90d").out.startswith("forgot 1 run, 1 message")


def test_what_is_held_by_a_window_is_never_forgotten(shop) -> None:
    shop.write("w.yaml", "url: https://api.example.com/\ndedup: {key: order-1, window: 365d}\n")
    assert shop("run", "w.yaml").code == 0
    age(shop, 100)
    answer = shop("ledger", "prune", "--older-than", "90d")
    assert answer.out == "nothing is that old\nkept 1 run key whose deduplication ids are held by a window\n"
    assert "its key is taken until" in shop("run", "w.yaml").out


def test_a_key_that_was_used_lately_keeps_its_old_messages(shop) -> None:
    assert shop("run", "a.yaml", "--run-key", "k").code == 0
    age(shop, 100)
    assert shop("run", "a.yaml", "--run-key", "k").code == 0
    assert shop("ledger", "prune", "--older-than", "90d").out == "nothing is that old\n"
    assert "published" in shop("run", "a.yaml", "--run-key", "k").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--older-than", "5m"), "--older-than 5m would forget what is still needed; at least 1h"),
        (("--older-than", "soon"), "--older-than soon: "),
        (("--older-than", ""), "--older-than"),
        (("--older-than", "-1d"), "--older-than -1d: "),
        ((), "missing option '--older-than'"),
    ],
)
def test_an_age_that_makes_no_sense_forgets_nothing(shop, words, said) -> None:
    assert shop("run", "a.yaml").code == 0
    answer = shop("ledger", "prune", *words)
    assert answer.code == 2
    assert said in answer.err
    assert len(shop("runs", "--format", "jsonl").lines) == 1


def test_an_age_beyond_all_time_is_no_traceback(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    assert shop("ledger", "prune", "--older-than", "36500d").out == "nothing is that old\n"


def test_a_reader_keeps_the_room_and_not_the_pruning(shop) -> None:
    assert shop("run", "rows.yaml").code == 0
    age(shop, 100)
    with closing(sqlite3.connect(shop.ledger)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM messages").fetchone()
        answer = shop("ledger", "prune", "--older-than", "90d")
    assert answer.code == 0
    assert answer.out.startswith("forgot 1 run, 2,000 messages")


# export


def test_everything_is_written_as_json_lines(shop) -> None:
    shop.write(
        "w.yaml", "jobs:\n  w: {url: 'https://api.example.com/?q=1', dedup: {key: k, window: forever}}\n"
    )
    shop.write("rows.csv", "id\nx\ny\n")
    assert shop("run", "rows.yaml", "w.yaml", "--run-key", "today").code == 0
    lines = shop("ledger", "export").lines
    assert [line["kind"] for line in lines] == ["run", "message", "message", "message", "window"]
    by_name = {line["name"]: line for line in lines if line["kind"] == "message"}
    first = by_name["rows:mail[x]"]
    assert (first["project"], first["environment"], first["run_key"]) == ("shop", "", "today")
    assert (first["job"], first["row"], first["row_key"], first["generation"]) == ("rows:mail", 1, "x", 0)
    assert (first["state"], first["attempts"], first["evidence"]) == ("published", 1, [])
    assert by_name["w:w"]["row"] is None
    assert by_name["w:w"]["target"] == "https://api.example.com/"
    (window,) = [line for line in lines if line["kind"] == "window"]
    assert (window["job"], window["message"], window["until"]) == ("w:w", "w:w", None)
    (run,) = [line for line in lines if line["kind"] == "run"]
    assert run["keys"] == ["today"]
    shown = {line["name"]: line for line in shop("show", run["id"], "--format", "jsonl").lines}
    for name, line in by_name.items():
        assert shown[name].items() <= line.items()


def test_every_message_has_its_line(shop) -> None:
    assert shop("run", "rows.yaml").code == 0
    lines = shop("ledger", "export").out.splitlines()
    assert len(lines) == 2001
    assert len({json.loads(line).get("id") for line in lines}) == 2001


def test_a_window_beyond_all_calendars_is_no_traceback(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    with closing(open_sqlite(shop.ledger)) as ledger:
        (record,) = ledger.messages()
    with closing(open_sqlite(shop.ledger)) as ledger:
        far = Window(dedup_id="x", job="a", until=1e18, slot=record.slot)
        near = Window(
            dedup_id="y", job="a", until=datetime(2030, 1, 1, tzinfo=UTC).timestamp(), slot=record.slot
        )
        ledger.write(windows=[far, near])
    untils = [line["until"] for line in shop("ledger", "export").lines if line["kind"] == "window"]
    assert untils == [None, "2030-01-01T00:00:00Z"]


@pytest.mark.parametrize("words", [("check",), ("prune", "--older-than", "90d"), ("export",)])
def test_without_a_ledger_there_is_nothing_to_look_after(shop, words) -> None:
    answer = shop("ledger", *words)
    assert answer.code == 2
    assert "there is no ledger at " in answer.err
    assert not shop.ledger.exists()


def test_secrets_are_in_no_export(shop) -> None:
    shop.set("API_KEY", "s3cret-value")
    shop.write(
        "s.yaml",
        "jobs:\n  s:\n    url: https://api.example.com/?key=${{ secrets.API_KEY }}\n"
        "    headers: {X-Key: '${{ secrets.API_KEY }}'}\n",
    )
    assert shop("run", "s.yaml").code == 0
    out = shop("ledger", "export").out
    assert "s3cret-value" not in out
    assert shop.server.token not in out
