"""`resolve`: a doubt settled by a person's word, who said so and when, and what the next run makes of it."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from qstash_jobs.boundary import Scope
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.record import Record, State

HELLO = "run_key: today\njobs:\n  hello: {url: https://api.example.com/hello}\n  bye: {url: https://api.example.com/bye}\n"


def put_in_doubt(cli: Any, *names: str, state: State = State.IN_DOUBT) -> list[Record]:
    """Leave messages as a run leaves them that was cut off."""
    with closing(open_sqlite(cli.ledger)) as ledger:
        records = [
            replace(one, state=state, endpoints=(), status=None)
            for one in ledger.messages()
            if one.slot.job.rpartition(":")[2] in names
        ]
        ledger.write(intents=records)
        return records


@pytest.fixture
def doubt(cli) -> Record:
    """A message in doubt, of which QStash knows nothing any more."""
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", HELLO)
    assert cli("run", "a.yaml").code == 0
    cli.server.advance(601)
    (record,) = put_in_doubt(cli, "hello")
    cli.set("GITHUB_ACTOR", "ada")
    return record


def show(cli: Any, what: str) -> Any:
    (shown,) = cli("show", what, "--format", "jsonl").lines
    return shown


def test_a_doubt_is_settled_as_published_with_who_said_so_and_when(cli, doubt) -> None:
    answer = cli("resolve", doubt.id, "--as", "published")
    assert (answer.code, answer.out, answer.err) == (0, "published a:hello, by the word of ada\n", "")
    shown = show(cli, doubt.id)
    assert (shown["state"], shown["attempts"]) == ("published", 1)
    (evidence,) = shown["evidence"]
    assert (evidence["witness"], evidence["verdict"], evidence["who"]) == ("person", "published", "ada")
    assert evidence["at"] == shown["settled_at"]
    before = len(cli.sent)
    assert cli("run", "a.yaml").code == 0
    assert len(cli.sent) == before
    assert "by the word of ada" in cli("show", doubt.id).out


def test_a_doubt_is_settled_as_not_published_and_the_next_run_sends_it_with_the_same_id(cli, doubt) -> None:
    answer = cli("resolve", doubt.id[:12], "--as", "not-published")
    assert (answer.code, answer.out) == (0, "planned a:hello, by the word of ada\n")
    assert answer.err == f"to send it: qstash-jobs run --continue {doubt.run[:8]}\n"
    assert show(cli, doubt.id)["state"] == "planned"
    finished = cli("run", "--continue", doubt.run[:8], "--format", "jsonl")
    assert finished.code == 0
    states = {line["name"]: line["state"] for line in finished.lines}
    assert states == {"a:hello": "published", "a:bye": "skipped"}
    assert dict(cli.sent[-1].headers)["Upstash-Deduplication-Id"] == doubt.id
    (evidence,) = show(cli, doubt.id)["evidence"]
    assert (evidence["verdict"], evidence["who"]) == ("not_published", "ada")


def test_what_was_on_the_wire_when_a_run_was_killed_is_a_doubt_too(cli, doubt) -> None:
    put_in_doubt(cli, "hello", state=State.SENDING)
    assert cli("resolve", "a:hello", "--as", "published").code == 0
    assert show(cli, doubt.id)["state"] == "published"


def test_a_doubt_whose_job_is_gone_from_the_files_is_told_until_somebody_settles_it(cli, doubt) -> None:
    cli.write("a.yaml", HELLO.replace("  hello: {url: https://api.example.com/hello}\n", ""))
    told = (
        "1 message of earlier runs may have been accepted, and these files publish it no more: a:hello; put it back "
        "and run again, or say what you know: qstash-jobs resolve MESSAGE --as published, or --as not-published"
    )
    for words in (("run", "--continue"), ("run", "a.yaml")):
        finished = cli(*words)
        assert finished.code == 3
        assert told in finished.err.splitlines()
    assert cli("runs", "--format", "jsonl").lines[0]["exit_code"] == 3
    assert cli("resolve", "a:hello", "--as", "published").code == 0
    finished = cli("run", "--continue")
    assert finished.code == 0
    assert "no more" not in finished.err


def test_a_doubt_whose_row_is_gone_is_told_and_settled_when_the_row_is_back(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("rows.csv", "id\none\ntwo\n")
    cli.write("a.yaml", "url: https://api.example.com/${{ row.id }}\nfor_each: {file: rows.csv, key: id}\n")
    assert cli("run", "a.yaml", "--run-key", "today").code == 0
    put_in_doubt(cli, "a")
    cli.write("rows.csv", "id\ntwo\n")
    finished = cli("run", "a.yaml", "--run-key", "today")
    assert finished.code == 3
    assert "these files publish it no more: a:a[one]; " in finished.err
    cli.write("rows.csv", "id\none\ntwo\n")
    finished = cli("run", "a.yaml", "--run-key", "today")
    assert finished.code == 0
    assert cli.server.delivery_count == 2


def test_a_doubt_of_a_job_that_was_not_chosen_is_not_missed(cli, doubt) -> None:
    assert cli("run", "a.yaml", "--job", "bye").code == 0


def test_a_wrong_word_publishes_nothing_twice_and_is_set_right_by_the_log(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", HELLO)
    assert cli("run", "a.yaml").code == 0
    (record,) = put_in_doubt(cli, "hello")
    assert cli("resolve", "a:hello", "--as", "not-published").code == 0
    finished = cli("run", "--continue", "--format", "jsonl")
    assert finished.code == 0
    assert {line["name"]: line["state"] for line in finished.lines}["a:hello"] == "published"
    assert show(cli, record.id)["evidence"][-1]["witness"] == "log"
    assert cli.server.delivery_count == 2


def test_a_wrong_word_is_not_taken_for_another_ledgers_doing(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", "run_labels: false\nurl: https://api.example.com/hello\n")
    assert cli("run", "a.yaml", "--run-key", "today").code == 0
    put_in_doubt(cli, "a")
    assert cli("resolve", "a:a", "--as", "not-published").code == 0
    again = cli("run", "a.yaml", "--run-key", "today")
    assert again.code == 1
    assert "or of an attempt that `resolve` has called not published" in again.out
    assert (
        "an earlier attempt, or another ledger's message, as msg_"
        in cli("run", "a.yaml", "--run-key", "today").out
    )


def test_a_message_that_was_not_published_gives_its_window_back(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", "url: https://api.example.com/\ndedup: {key: order-1, window: 30d}\n")
    assert cli("run", "a.yaml", "--run-key", "one").code == 0
    put_in_doubt(cli, "a")
    cli.server.advance(601)
    assert "its key is taken until" in cli("run", "a.yaml", "--run-key", "two").out
    assert cli("resolve", "a:a", "--as", "not-published").code == 0
    assert cli("run", "a.yaml", "--run-key", "two").out.startswith("published a:a msg_")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope", "--as", "published"), "the ledger knows no message nope; see qstash-jobs runs"),
        (("a:bye", "--as", "published"), "a:bye is published, and only a doubt can be settled"),
        (("", "--as", "published"), "MESSAGE is empty"),
        (("a:hello", "--as", "published", "--run", ""), "--run is empty"),
        (("qj-zz", "--as", "published"), "the ledger knows no message qj-zz"),
        (("a:hello", "--as", "published", "--run", "zz"), "no run begins with zz"),
        (("a:hello", "--as", "maybe"), "invalid value for '--as'"),
        (("a:hello",), "missing option '--as'"),
        (
            ("a:hello", "--as", "published", "--ledger", "sqlite:////nope/x.db"),
            "there is no ledger at /nope/x.db yet",
        ),
    ],
)
def test_what_cannot_be_settled_is_said_and_changes_nothing(cli, doubt, words, said) -> None:
    answer = cli("resolve", *words)
    assert answer.code == 2
    assert said in answer.err
    assert show(cli, doubt.id)["state"] == "in_doubt"


def test_a_name_that_means_several_doubts_settles_none(cli, doubt) -> None:
    assert cli("run", "a.yaml", "--run-key", "tomorrow").code == 0
    first, second = put_in_doubt(cli, "hello")
    answer = cli("resolve", "a:hello", "--as", "published")
    assert answer.code == 2
    assert "a:hello can mean 2 messages in doubt: " in answer.err
    assert first.id[:11] in answer.err
    assert second.id[:11] in answer.err
    assert cli("resolve", second.id, "--as", "published").code == 0
    assert cli("resolve", "a:hello", "--as", "published").code == 0


def test_a_name_that_means_several_messages_and_no_doubt_is_told(cli, doubt) -> None:
    assert cli("run", "a.yaml", "--run-key", "tomorrow").code == 0
    answer = cli("resolve", "a:bye", "--as", "published")
    assert answer.code == 2
    assert (
        "none of the 2 messages that this can mean is in doubt, and only a doubt can be settled" in answer.err
    )


def test_a_doubt_is_left_alone_while_a_run_of_its_jobs_is_under_way(cli, doubt) -> None:
    with closing(open_sqlite(cli.ledger)) as ledger, ledger.lock([Scope(text="shop\n\na")]):
        answer = cli("resolve", doubt.id, "--as", "published")
    assert answer.code == 7
    assert "another run of these jobs is under way" in answer.err
    assert show(cli, doubt.id)["state"] == "in_doubt"


def test_a_doubt_is_settled_beside_a_run_of_other_jobs(cli, doubt) -> None:
    with closing(open_sqlite(cli.ledger)) as ledger, ledger.lock([Scope(text="shop\n\nb")]):
        assert cli("resolve", doubt.id, "--as", "published").code == 0
