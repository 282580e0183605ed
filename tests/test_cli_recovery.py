"""A run key on a fresh machine: what QStash's log knows of it is not published again, whatever the ledger remembers."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chaos_server import ChaosServer, Peer
from publishing import http

from qstash_jobs.ledger.sqlite import open_sqlite

ROWS = "jobs:\n  mail:\n    url: https://api.example.com/${{ row.id }}\n    for_each: {file: rows.csv, key: id}\n"
HELLO = "jobs:\n  hello: {url: https://api.example.com/hello}\n"


def write_rows(cli: Any, number: int) -> None:
    cli.write("rows.csv", "id\n" + "".join(f"{row}\n" for row in range(number)))


@pytest.fixture
def shop(cli) -> Any:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", HELLO)
    cli.write("rows.yaml", ROWS)
    write_rows(cli, 30)
    return cli


def lose_ledger(cli: Any) -> None:
    """Start on a fresh machine, when QStash has forgotten every deduplication id."""
    for file in cli.ledger.parent.glob("ledger.db*"):
        if file.is_file():
            file.unlink()
    cli.server.advance(601)


def questions(cli: Any) -> list[str]:
    return [one.target for one in cli.server.requests() if one.target.startswith("/v2/events")]


def test_what_another_machine_published_under_a_named_key_is_not_published_again(shop) -> None:
    assert shop("run", "rows.yaml", "--run-key", "2026-01-02").code == 0
    assert shop.server.wait_idle(10)
    assert shop.server.delivery_count == 30
    lose_ledger(shop)
    write_rows(shop, 33)
    answer = shop("run", "rows.yaml", "--run-key", "2026-01-02", "--format", "jsonl")
    assert answer.code == 0
    assert "QStash's log lists 30 messages published under the run key 2026-01-02 before" in answer.err
    states = [line["state"] for line in answer.lines]
    assert (states.count("skipped"), states.count("published")) == (30, 3)
    assert shop.server.wait_idle(10)
    assert shop.server.delivery_count == 33
    (skipped, *_) = [line for line in answer.lines if line["state"] == "skipped"]
    assert skipped["evidence"] == "log"
    assert skipped["reason"].startswith("published ")
    assert skipped["reason"].endswith(f" as {skipped['message_ids'][0]}, by QStash's log")
    assert skipped["message_ids"][0] in {one.message_id for one in shop.server.deliveries()}


def test_what_was_recovered_is_in_the_ledger_from_then_on_with_its_evidence(shop) -> None:
    assert shop("run", "a.yaml", "--run-key", "k").code == 0
    lose_ledger(shop)
    assert shop("run", "a.yaml", "--run-key", "k").code == 0
    before = len(questions(shop))
    again = shop("run", "a.yaml", "--run-key", "k", "--format", "jsonl")
    assert len(questions(shop)) == before
    assert [line["state"] for line in again.lines] == ["skipped"]
    (shown,) = shop("show", "a:hello", "--format", "jsonl").lines
    assert (shown["state"], shown["attempts"], len(shown["message_ids"])) == ("published", 0, 1)
    assert [(one["witness"], one["verdict"]) for one in shown["evidence"]] == [("log", "published")]


def test_a_recovery_that_was_killed_before_the_messages_were_written_down_is_not_lost(shop) -> None:
    """The key is known by then, so that nobody would ask the log again."""
    assert shop("run", "rows.yaml", "--run-key", "k").code == 0
    lose_ledger(shop)
    answer = shop("run", "rows.yaml", "--run-key", "k")
    assert answer.code == 0
    with closing(open_sqlite(shop.ledger)) as ledger:
        (key,) = ledger.run_keys()
        connection = ledger._connection
        connection.execute("DELETE FROM messages")
    sent = len(shop.sent)
    assert [
        one["state"] for one in shop("run", "rows.yaml", "--run-key", "k", "--format", "jsonl").lines
    ] == ["skipped"] * 30
    assert len(shop.sent) == sent
    assert key.key.text == "k"


def test_a_plan_skips_what_was_recovered_too(shop) -> None:
    assert shop("run", "rows.yaml", "--run-key", "k").code == 0
    lose_ledger(shop)
    assert shop("run", "rows.yaml", "--run-key", "k").code == 0
    with closing(open_sqlite(shop.ledger)) as ledger:
        ledger._connection.execute("DELETE FROM messages")
    planned = [
        line
        for line in shop("plan", "rows.yaml", "--run-key", "k", "--format", "jsonl").lines
        if "id" in line
    ]
    assert {line["action"] for line in planned} == {"skip"}
    assert planned[0]["reason"].endswith("by QStash's log")


def test_a_run_without_a_named_key_asks_no_log(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    assert questions(shop) == []


def test_a_named_key_costs_one_question_and_only_where_it_is_new(shop) -> None:
    for _ in range(3):
        assert shop("run", "a.yaml", "--run-key", "k").code == 0
    assert len(questions(shop)) == 1


def test_a_run_that_is_continued_asks_no_log(shop) -> None:
    assert shop("run", "a.yaml").code == 0
    assert shop("run", "--continue").code == 0
    assert questions(shop) == []


def test_a_local_run_asks_no_log(shop) -> None:
    assert shop("run", "--local", "a.yaml", "--run-key", "k").code == 0
    assert questions(shop) == []


def test_a_url_group_is_recovered_with_each_of_its_messages(shop) -> None:
    shop.server.make_group("team", {"a": "https://a.example.com/", "b": "https://b.example.com/"})
    shop.write("group.yaml", "jobs:\n  all: {url_group: team}\n")
    first = shop("run", "group.yaml", "--run-key", "k", "--format", "jsonl").lines[0]
    lose_ledger(shop)
    (line,) = shop("run", "group.yaml", "--run-key", "k", "--format", "jsonl").lines
    assert line["state"] == "skipped"
    assert sorted(line["message_ids"]) == sorted(first["message_ids"])
    assert {one["url"] for one in line["endpoints"]} == {"https://a.example.com/", "https://b.example.com/"}


def test_a_window_holds_for_what_was_recovered(shop) -> None:
    shop.write("w.yaml", "url: https://api.example.com/\ndedup: {key: order-1, window: 30d}\n")
    assert shop("run", "w.yaml", "--run-key", "one").code == 0
    lose_ledger(shop)
    assert shop("run", "w.yaml", "--run-key", "one").code == 0
    answer = shop("run", "w.yaml", "--run-key", "two", "--format", "jsonl")
    assert answer.lines[0]["state"] == "skipped"
    assert "its key is taken until" in answer.lines[0]["reason"]


def test_once_more_on_purpose_is_once_more_also_on_a_fresh_machine(shop) -> None:
    for _ in range(2):
        assert shop("run", "a.yaml", "--run-key", "k", "--again", "--job", "hello").code == 0
        lose_ledger(shop)
    assert shop.server.wait_idle(10)
    assert shop.server.delivery_count == 2
    again = shop("run", "a.yaml", "--run-key", "k", "--again", "--job", "hello", "--format", "jsonl")
    assert [line["state"] for line in again.lines] == ["published"]


# a log that cannot be read


def serve_log(cli: Any, answer: bytes) -> ChaosServer:
    """Accept every message, and answer every question about the log so."""

    def script(peer: Peer) -> None:
        while raw := peer.read_request():
            peer.write(answer if raw.startswith(b"GET /v2/events") else http(201, {"messageId": "msg_1"}))

    server = ChaosServer(script)
    cli.set("QSTASH_URL", server.url)
    return server


def use_passing_ledger(cli: Any, folder: Path) -> None:
    """Run as a pipeline does that names no ledger."""
    cli.set("QSTASH_JOBS_LEDGER", None)
    cli.set("CI", "true")
    cli.set("HOME", str(folder))
    cli.set("XDG_STATE_HOME", str(folder))


BROKEN = {"503": http(503, b""), "404": http(404, {"error": "no such path"}), "not a log": http(200, b"[]")}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_log_that_cannot_be_read_is_told_and_a_lasting_ledger_is_trusted(shop, answer: bytes) -> None:
    with serve_log(shop, answer):
        done = shop("run", "a.yaml", "--run-key", "k")
    assert done.code == 0
    assert "warning: QStash's log cannot be read: " in done.err
    assert "; the run key k is taken to be new" in done.err


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_where_the_ledger_goes_with_its_machine_a_log_that_cannot_be_read_stops_the_run(
    shop, tmp_path: Path, answer: bytes
) -> None:
    use_passing_ledger(shop, tmp_path)
    with serve_log(shop, answer) as server:
        done = shop("run", "a.yaml", "--run-key", "k")
        assert done.code == 6
        assert "so nobody knows what was published under the run key k" in done.err
        assert "--ephemeral" in done.err
        assert not [request for request in server.requests if request.startswith(b"POST")]
        assert shop("runs").out == ""
        assert shop("run", "a.yaml", "--run-key", "k", "--ephemeral").code == 0


def test_a_token_that_may_not_read_the_log_stops_the_run(shop) -> None:
    with serve_log(shop, http(401, {"error": "unauthorized"})):
        done = shop("run", "a.yaml", "--run-key", "k")
    assert done.code == 4
    assert "the token is not accepted" in done.err


def test_a_key_with_more_entries_than_are_read_wants_its_own_ledger(shop) -> None:
    label = "qj-r-0"
    entry = {"messageId": "m", "state": "CREATED", "time": 1, "labels": [label], "url": "https://x"}
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        while raw := peer.read_request():
            asked.append(raw)
            peer.write(http(200, {"events": [entry] * 100, "cursor": str(len(asked))}))

    with ChaosServer(script) as server:
        shop.set("QSTASH_URL", server.url)
        done = shop("run", "a.yaml", "--run-key", "k", "--ephemeral")
    assert done.code == 6
    assert "QStash's log has more than 10,000 entries of the run key k" in done.err
    assert len(asked) == 101
    assert shop("runs").out == ""
