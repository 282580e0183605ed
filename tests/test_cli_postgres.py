"""The command line with a ledger in PostgreSQL."""

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from postgres_server import PostgresServer

from qstash_jobs.boundary import Scope
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.ledger import open_postgres
from qstash_jobs.record import RunKey, State

JOB = "url: https://example.com/${{ run.key }}\nbody: {run: '${{ run.id }}'}\n"


@pytest.fixture
def database(cli, postgres_url):
    cli.set("QSTASH_JOBS_LEDGER", postgres_url)
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", JOB)
    return postgres_url


def test_what_one_machine_has_published_another_skips(cli, database) -> None:
    first = cli("run", "a.yaml", "--yes", "--run-key", "monday")
    assert first.code == 0, first.err
    again = cli("run", "a.yaml", "--yes", "--run-key", "monday")
    assert (again.code, len(cli.sent)) == (0, 1)
    assert again.out.startswith("skipped a:a published ")
    assert [one["totals"] for one in cli("runs", "--format", "jsonl").lines] == [
        {"skipped": 1},
        {"published": 1},
    ]
    assert cli("plan", "a.yaml", "--run-key", "monday").out.startswith("skip a:a ")


def test_an_earlier_run_is_continued(cli, database) -> None:
    assert cli("run", "a.yaml", "--yes").code == 0
    assert cli("run", "--continue", "--yes").out.startswith("skipped a:a ")
    assert len(cli.sent) == 1


def test_a_run_under_another_key_is_told_who_has_the_lock(cli, database) -> None:
    assert cli("run", "a.yaml", "--yes").code == 0
    other = open_postgres(Address(url=database))
    with other.lock([Scope(text="shop\n\na", run_key="monday")]):
        for words in (["--run-key", "tuesday"], [], ["--run-key", "monday", "--again", "--job", "a"]):
            answer = cli("run", "a.yaml", "--yes", *words)
            assert answer.code == 7
            assert "under the run key monday" in answer.err
        assert cli("run", "a.yaml", "--yes", "--run-key", "monday").code == 0
        doctor = cli("doctor")
        assert "locks: a run is under way: pid " in doctor.out + doctor.err
    other.close()


def test_runners_of_a_new_key_render_what_the_first_of_them_rendered(cli, database, monkeypatch) -> None:
    """Both begin before either has made the key; the second has to take over the first one's run id."""
    other = open_postgres(Address(url=database))
    start_run = type(other).start_run

    def start_second(ledger, run):
        # the other runner is a moment earlier
        for text in run.keys:
            key = RunKey(project=run.project, environment=run.environment, target=run.target, text=text)
            other.open_key(key, run="first-run", at=run.started_at)
        start_run(ledger, run)

    monkeypatch.setattr(type(other), "start_run", start_second)
    assert cli("run", "a.yaml", "--yes", "--run-key", "monday").code == 0
    (sent,) = cli.sent
    assert b"first-run" in sent.body
    other.close()


def test_a_ledger_is_not_made_by_looking(cli, database) -> None:
    for words in (["runs"], ["show", "a"], ["run", "--continue"]):
        answer = cli(*words)
        assert answer.code == 2
        assert "there is no ledger at postgresql://" in answer.err
    assert cli("plan", "a.yaml").code == 0
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT to_regnamespace('qstash_jobs')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("postgresql://ada:geheim@host/db", 2, "may hold no password"),
        ("postgresql://host/db?pass%77ord=geheim", 2, "may hold no password"),
        ("postgresql:/db", 2, "write postgresql://USER@HOST/DATABASE"),
        ("mysql://host/db", 2, "or postgresql://USER@HOST/DATABASE"),
        ("postgresql://127.0.0.1:1/db", 6, "cannot be reached"),
        ("postgresql:///db?service=none", 6, 'definition of service "none" not found'),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_command(cli, url: str, code: int, says: str) -> None:
    cli.write("a.yaml", JOB)
    answer = cli("run", "a.yaml", "--yes", "--ledger", url)
    assert (answer.code, cli.sent) == (code, [])
    assert says in answer.err
    assert "geheim" not in answer.err


def test_doctor_tells_of_the_server(cli, database, postgres_server: PostgresServer) -> None:
    assert f"none at {database} yet" in cli("doctor").out
    assert cli("run", "a.yaml", "--yes").code == 0
    said = cli("doctor")
    assert "server: PostgreSQL " in said.out
    assert "fsync is off" in said.out
    cli.set("QSTASH_JOBS_LEDGER", postgres_server.url("nowhere"))
    said = cli("doctor")
    assert said.code == 6
    assert 'database "nowhere" does not exist' in said.out


def test_a_message_that_a_runner_may_still_be_sending_is_not_settled_by_hand(cli, database) -> None:
    assert cli("run", "a.yaml", "--yes", "--run-key", "monday").code == 0
    with closing(open_postgres(Address(url=database))) as other:
        (known,) = other.messages()
        # as one leaves it whose connection was cut: its lock is gone, and its claim is not over
        slot = replace(known.slot, generation=1)
        other.write(intents=[replace(known, slot=slot, id="qj-" + "ab" * 20, state=State.SENDING)])
    answer = cli("resolve", "qj-abab", "--as", "published")
    assert (answer.code, answer.out) == (7, "")
    assert "may be sending a:a still; try again in a minute" in answer.err
