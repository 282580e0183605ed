"""The ledger in PostgreSQL: opening it, sharing it between runners, and a server that goes away."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic

import psycopg
import pytest
from chaos_server import ChaosServer, Peer, closed_port, make_certificate, serve_tls
from hypothesis import given
from hypothesis import strategies as st
from postgres_server import PostgresServer
from test_ledger_contract import BOOT, NOW, find, new_key, record, result

from qstash_jobs.boundary import Ledger, Scope
from qstash_jobs.clock import SharedClock, SystemClock
from qstash_jobs.errors import LedgerError, LockedError
from qstash_jobs.ledger.postgres import migrations
from qstash_jobs.ledger.postgres.address import Address, holds_password
from qstash_jobs.ledger.postgres.arrays import write_array
from qstash_jobs.ledger.postgres.ledger import exists, open_postgres
from qstash_jobs.ledger.postgres.text import escape, unescape
from qstash_jobs.record import Slot, State, Window


@pytest.fixture
def address(postgres_url: str) -> Address:
    return Address(url=postgres_url)


@pytest.fixture
def own_server(postgres_programs: Path) -> Iterator[PostgresServer]:
    """A server that a test may kill."""
    with PostgresServer(postgres_programs, fsync="on", full_page_writes="on") as server:
        yield server


def refusal(address: Address, *, read_only: bool = False) -> str:
    """Say why a ledger cannot be opened."""
    with pytest.raises(LedgerError) as caught:
        open_postgres(address, read_only=read_only)
    assert caught.value.exit_code == 6
    return str(caught.value)


def execute(address: Address, *statements: str) -> None:
    """Do something to the database behind the ledger's back."""
    with psycopg.connect(address.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# opening


def test_a_server_that_is_down_is_named() -> None:
    with closed_port() as port:
        said = refusal(Address(url=f"postgresql://ada@127.0.0.1:{port}/jobs?connect_timeout=2"))
    assert said.startswith(f"the ledger postgresql://ada@127.0.0.1:{port}/jobs cannot be reached (")
    assert said.endswith("Connection refused); is its server running, and is the address right?")


def test_a_database_that_is_not_there_is_named(postgres_server: PostgresServer) -> None:
    said = refusal(Address(url=postgres_server.url("nowhere")))
    assert 'database "nowhere" does not exist' in said
    assert said.endswith("; create it, or mend the address")


def test_a_password_is_asked_for_and_never_shown(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_server.execute("CREATE ROLE ada LOGIN PASSWORD 'geheim-1'")
    rules = own_server.data / "pg_hba.conf"
    rules.write_text("host all ada all scram-sha-256\n" + rules.read_text())
    own_server.execute("SELECT pg_reload_conf()")
    address = Address(url=own_server.url(user="ada"))
    assert "set PGPASSWORD, or a line in the file that PGPASSFILE names" in refusal(address)
    monkeypatch.setenv("PGPASSWORD", "falsch-2")
    said = refusal(address)
    assert "does not take the password" in said
    assert "falsch-2" not in said


def test_who_may_not_make_tables_is_told_what_to_do(
    address: Address, postgres_server: PostgresServer
) -> None:
    execute(address, "DROP ROLE IF EXISTS poor", "CREATE ROLE poor LOGIN")
    said = refusal(Address(url=address.url.replace("test@", "poor@")))
    assert "this user may not make or change the tables of the ledger" in said
    assert "let a user open it once who may create a schema" in said


def test_who_may_use_the_tables_needs_to_make_none(address: Address) -> None:
    open_postgres(address).close()
    execute(
        address,
        "DROP ROLE IF EXISTS runner",
        "CREATE ROLE runner LOGIN",
        "GRANT USAGE ON SCHEMA qstash_jobs TO runner",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA qstash_jobs TO runner",
    )
    with closing(open_postgres(Address(url=address.url.replace("test@", "runner@")))) as ledger:
        slot = Slot(key=new_key(ledger), job="a")
        ledger.write(intents=[record(slot)])
        assert find(ledger, slot).state is State.SENDING
    execute(address, "REVOKE UPDATE ON ALL TABLES IN SCHEMA qstash_jobs FROM runner")
    with (
        closing(open_postgres(Address(url=address.url.replace("test@", "runner@")))) as ledger,
        pytest.raises(LedgerError, match=r"does not permit this .*grant this user"),
    ):
        ledger.write(intents=[record(slot, attempt=2)])
    execute(address, "DROP OWNED BY runner", "DROP ROLE runner")


@pytest.mark.parametrize("table", ["meta (id text)", "orders (id integer)"])
def test_a_schema_of_somebody_else_is_left_alone(address: Address, table: str) -> None:
    execute(address, "CREATE SCHEMA qstash_jobs", f"CREATE TABLE qstash_jobs.{table}")
    assert "the schema qstash_jobs of" in refusal(address)
    assert "belongs to something else; name another database with --ledger" in refusal(
        address, read_only=True
    )


def test_an_empty_schema_that_was_made_for_the_ledger_is_used(address: Address) -> None:
    execute(address, "CREATE SCHEMA qstash_jobs")
    open_postgres(address).close()
    assert exists(address)


def test_a_ledger_of_a_newer_version_is_refused(address: Address) -> None:
    open_postgres(address).close()
    execute(address, "UPDATE qstash_jobs.meta SET version = 99")
    for read_only in (False, True):
        said = refusal(address, read_only=read_only)
        assert (
            f"was written by a newer qstash-jobs (its schema is 99, this one knows {migrations.newest()})"
            in said
        )
        assert said.endswith("use that version, or name another database with --ledger")


def test_an_older_ledger_is_brought_up_to_date_and_keeps_what_it_knows(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_postgres(address)) as ledger:
        slot, id_ = Slot(key=new_key(ledger), job="a"), ledger.id
        ledger.write(intents=[record(slot)])
    scripts = (*migrations._scripts(), "CREATE TABLE later (a integer); INSERT INTO later VALUES (1);")
    monkeypatch.setattr(migrations, "_scripts", lambda: scripts)
    for read_only in (True, False):
        with closing(open_postgres(address, read_only=read_only)) as ledger:
            assert (ledger.id, find(ledger, slot).state) == (id_, State.SENDING)
    execute(address, "SELECT 1 / (SELECT count(*) FROM qstash_jobs.later)")


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_postgres(address).close()
    with monkeypatch.context() as patch:
        scripts = (*migrations._scripts(), "CREATE TABLE later (a integer); SELECT 1 / 0;")
        patch.setattr(migrations, "_scripts", lambda: scripts)
        assert "division by zero" in refusal(address)
    open_postgres(address).close()
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute(address, "SELECT 1 FROM qstash_jobs.later")


def test_many_programs_can_make_the_same_ledger_at_once(address: Address) -> None:
    ids: list[str] = []

    def open_one() -> None:
        with closing(open_postgres(address)) as ledger:
            ids.append(ledger.id)

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_opening_to_read_makes_nothing_and_writes_nothing(address: Address) -> None:
    assert refusal(address, read_only=True).endswith("yet; the first run makes it")
    assert not exists(address)
    open_postgres(address).close()
    with (
        closing(open_postgres(address, read_only=True)) as ledger,
        pytest.raises(LedgerError, match="only be read"),
    ):
        new_key(ledger)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused(postgres_server: PostgresServer, encoding: str) -> None:
    url = postgres_server.create_database(f"ENCODING '{encoding}' TEMPLATE template0")
    assert f"has the encoding {encoding}; create one with ENCODING 'UTF8'" in refusal(Address(url=url))


@pytest.mark.parametrize("query", ["nonsense=1", "connect_timeout=soon", "%zz=1"])
def test_an_address_that_libpq_cannot_read_is_refused(postgres_server: PostgresServer, query: str) -> None:
    assert "the ledger's address" in refusal(Address(url=f"{postgres_server.url()}?{query}"))


def test_a_server_without_tls_is_refused_where_tls_is_asked_for(postgres_server: PostgresServer) -> None:
    said = refusal(Address(url=f"{postgres_server.url()}?sslmode=require"))
    assert "no TLS connection to the ledger" in said
    assert "see sslmode and sslrootcert in its address" in said


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    context = serve_tls(make_certificate(tmp_path))

    def begin_tls(peer: Peer) -> None:
        # postgresql.org/docs, "SSL Session Encryption": one letter answers the request for it
        peer.read_packet()
        peer.write(b"S")
        with suppress(OSError), context.wrap_socket(peer._connection, server_side=True):
            pass

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    make_certificate(elsewhere)
    with ChaosServer(begin_tls) as server:
        url = (
            f"postgresql://ada@127.0.0.1:{server.port}/db?gssencmode=disable&sslmode=verify-full&sslrootcert="
        )
        for trusted, says in (
            (elsewhere / "certificate.pem", "certificate verify failed"),
            (tmp_path / "none.pem", "does not exist"),
        ):
            said = refusal(Address(url=f"{url}{trusted}"))
            assert "no TLS connection to the ledger" in said
            assert says in said


def test_commits_are_durable_whatever_the_servers_default_is(address: Address) -> None:
    execute(address, f"ALTER DATABASE {address.url.rpartition('/')[2]} SET synchronous_commit = off")
    with closing(open_postgres(address)) as ledger:
        row = ledger._channel.execute("SHOW synchronous_commit").fetchone()
    assert row == ("on",)


def test_a_server_that_is_too_old_is_refused() -> None:
    def say_hello(peer: Peer) -> None:
        # postgresql.org/docs, "Message Formats": AuthenticationOk, ParameterStatus, BackendKeyData, ReadyForQuery
        peer.read_packet()
        status = b"".join(
            b"S" + (len(pair) + 4).to_bytes(4, "big") + pair
            for pair in (b"server_version\x009.6.24\x00", b"server_encoding\x00UTF8\x00")
        )
        peer.write(b"R\0\0\0\x08\0\0\0\0" + status + b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01" + b"Z\0\0\0\x05I")
        peer.wait_for_farewell()

    with ChaosServer(say_hello) as server:
        url = f"postgresql://ada@127.0.0.1:{server.port}/jobs?sslmode=disable&gssencmode=disable"
        assert "is PostgreSQL 9, and the ledger needs 13 or newer" in refusal(Address(url=url))


# addresses and texts


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:geheim@host/db",
        "postgresql://ada:@host/db",
        "postgresql://ada%3Ageheim@host/db",
        "postgresql://host/db?password=geheim",
        "postgresql://host/db?sslmode=require&PassWord=geheim",
        "postgresql://host/db?pass%77ord=geheim",
        "postgresql://host/db?sslpassword=geheim",
    ],
)
def test_a_password_in_an_address_is_seen(url: str) -> None:
    assert holds_password(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada@host:5432/db", "postgresql:///db?passfile=/run/pg", "postgresql://[::1]:5432/db"],
)
def test_an_address_without_one_is_not_taken_for_one_with(url: str) -> None:
    assert not holds_password(url)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\0\\0")))
def test_a_text_with_any_letter_comes_back_as_it_was(text: str) -> None:
    assert "\0" not in escape(text)
    assert unescape(escape(text)) == text


@pytest.fixture(scope="session")
def plain_connection(postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["", "NULL", "a,b", '"', "\\", "{}", " ", "\n", "ü", "'"]),
        ("text", ["a", None, '"\\']),
        ("bytea", [b"", b"\0\xff", bytearray(b"x")]),
        ("bigint", [0, -1, 2**63 - 1, None]),
        ("double precision", [0.1, 1e300, float("inf"), None]),
    ],
)
def test_an_array_is_read_by_the_server_as_it_was_meant(
    plain_connection: psycopg.Connection, kind: str, values: list[object]
) -> None:
    row = plain_connection.execute(f"SELECT %s::{kind}[]".encode(), (write_array(values),)).fetchone()
    assert row == (values,)


# several runners


@pytest.fixture
def runners(address: Address) -> Iterator[list[Ledger]]:
    """Two runners on one ledger; what they claim is theirs for a short time."""
    opened = [open_postgres(address, lease_s=0.6) for _ in range(2)]
    yield list(opened)
    for one in opened:
        one.close()


@pytest.mark.parametrize("row_key", [None, "x"])
def test_a_message_without_a_line_is_claimed_by_one_runner(
    runners: list[Ledger], row_key: str | None
) -> None:
    one, other = runners
    slots = [Slot(key=new_key(one), job="a", row=row, row_key=row_key and f"x{row}") for row in range(1, 101)]
    barrier = threading.Barrier(2)
    claimed: list[set[object]] = []

    def claim(ledger: Ledger) -> None:
        records = [record(slot) for slot in slots]
        Random(len(claimed)).shuffle(records)
        barrier.wait(10)
        outrun = ledger.write(intents=records)
        claimed.append({slot.identity for slot in slots} - outrun.claims)

    threads = [threading.Thread(target=claim, args=(ledger,)) for ledger in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not claimed[0] & claimed[1]
    assert claimed[0] | claimed[1] == {slot.identity for slot in slots}


def test_runners_who_claim_a_keyed_row_at_the_same_instant_are_told_apart(
    address: Address, runners: list[Ledger]
) -> None:
    """Both have found it free, and only then does the server meet them in the table's other index."""
    execute(
        address,
        "CREATE FUNCTION qstash_jobs.slow(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(0.2); RETURN $1; END'",
        "DROP INDEX qstash_jobs.messages_row_key",
        # a row is put into the indexes in the order of their making
        "CREATE INDEX slow ON qstash_jobs.messages (qstash_jobs.slow(row))",
        "CREATE UNIQUE INDEX messages_row_key ON qstash_jobs.messages (key, job, row_key, generation) "
        "WHERE row_key <> ''",
    )
    slot = Slot(key=new_key(runners[0]), job="a", row=1, row_key="x")
    for ledger in runners:
        assert ledger.find([slot]) == [None]
    with ThreadPoolExecutor(2) as pool:
        outruns = list(pool.map(lambda ledger: ledger.write(intents=[record(slot)]), runners))
    assert sorted(len(outrun.claims) for outrun in outruns) == [0, 1]


def count_deadlocks(address: Address, runners: list[Ledger]) -> int:
    """End the runners' sessions, because a server's process counts what it has met when it ends; and ask."""
    for ledger in runners:
        ledger.close()
    count = "SELECT deadlocks, numbackends FROM pg_stat_database WHERE datname = current_database()"
    with psycopg.connect(address.url, autocommit=True) as connection:
        while (found := connection.execute(count).fetchone()) and found[1] > 1:
            time.sleep(0.05)
        assert found is not None
        return int(found[0])


def test_runners_whose_files_have_keyed_rows_in_another_order_do_not_wait_in_a_circle(
    address: Address, runners: list[Ledger]
) -> None:
    execute(
        address,
        "CREATE FUNCTION qstash_jobs.slow(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(0.03); RETURN $1; END'",
        "CREATE INDEX slow ON qstash_jobs.messages (qstash_jobs.slow(row))",
    )
    key = new_key(runners[0])
    files = [
        [Slot(key=key, job="a", row=row, row_key=row_key) for row, row_key in enumerate(order, start=1)]
        for order in ("abcdef", "fedcba")
    ]
    with ThreadPoolExecutor(2) as pool:
        claims = pool.map(
            lambda ledger, slots: ledger.write(intents=[record(one) for one in slots]).claims, runners, files
        )
        assert sorted(map(len, claims)) == [0, 6]
    assert count_deadlocks(address, runners) == 0


def test_runners_who_take_and_give_back_the_same_ids_do_not_wait_in_a_circle(
    address: Address, runners: list[Ledger]
) -> None:
    key = new_key(runners[0])
    slots = [Slot(key=key, job="a", row=row, row_key=f"x{row:02}") for row in range(1, 31)]
    windows = [Window(dedup_id=f"k{one.row}", job="a", until=0.0, slot=one) for one in slots]

    def work(ledger: Ledger, random: Random) -> None:
        for _ in range(12):
            chosen = random.sample(range(30), 12)
            ledger.write(
                intents=[record(slots[one], run=f"run{random.random()}") for one in chosen[:8]],
                windows=[windows[one] for one in chosen[:8]],
                released=[windows[one].dedup_id for one in chosen[8:]],
            )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, runners, (Random(1), Random(2))))
    assert count_deadlocks(address, runners) == 0


def test_a_claimed_message_is_held_until_its_time_is_over(runners: list[Ledger]) -> None:
    one, other = runners
    slot = Slot(key=new_key(one), job="a")
    one.write(intents=[record(slot)])
    assert not find(one, slot).is_held
    assert find(other, slot).is_held
    assert other.write(intents=[record(slot, attempt=2)]).claims == {slot.identity}
    SystemClock().sleep(0.7)
    assert not find(other, slot).is_held
    assert other.write(intents=[record(slot, attempt=2)]).claims == frozenset()
    assert find(one, slot).is_held


def test_a_result_of_a_claim_that_was_lost_is_not_written_over_a_newer_one(runners: list[Ledger]) -> None:
    one, other = runners
    slot = Slot(key=new_key(one), job="a")
    one.write(intents=[record(slot)])
    SystemClock().sleep(0.7)
    other.write(intents=[record(slot, attempt=2)])
    other.write(results=[result(slot, attempt=2, message_id="msg_new")])
    assert one.write(results=[result(slot, message_id="msg_old")]).results == {slot.identity}
    assert find(one, slot).message_ids == ("msg_new",)


def test_a_late_refusal_does_not_give_back_the_window_of_who_claimed_the_message_since(
    runners: list[Ledger],
) -> None:
    one, other = runners
    key = new_key(one)
    lost, own = (Slot(key=key, job="a", row=row) for row in (1, 2))
    until = datetime.now(UTC).timestamp() + 60
    windows = [Window(dedup_id=f"x{slot.row}", job="a", until=until, slot=slot) for slot in (lost, own)]
    one.write(intents=[record(lost), record(own)], windows=windows)
    SystemClock().sleep(0.7)
    other.write(intents=[record(lost, attempt=2)], windows=[windows[0]])
    other.write(results=[result(lost, attempt=2)])
    refused = [replace(result(slot), state=State.REJECTED) for slot in (lost, own)]
    assert one.write(results=refused, released=["x1", "x2"]).results == {lost.identity}
    assert other.find_windows(["x1", "x2"]) == {"x1": windows[0]}


@pytest.mark.parametrize("state", [State.PUBLISHED, State.PARTIAL, State.ABANDONED, State.DEDUPLICATED])
def test_what_another_runner_has_settled_is_not_claimed_again(runners: list[Ledger], state: State) -> None:
    one, other = runners
    slot = Slot(key=new_key(one), job="a")
    one.write(intents=[record(slot)])
    one.write(results=[replace(result(slot), state=state)])
    assert other.write(intents=[record(slot, attempt=2)]).claims == {slot.identity}
    assert find(other, slot).state is state


@pytest.mark.parametrize("state", [State.PLANNED, State.WAITING, State.REJECTED, State.IN_DOUBT])
def test_what_has_to_go_again_is_claimed_by_whoever_comes_first(runners: list[Ledger], state: State) -> None:
    one, other = runners
    slot = Slot(key=new_key(one), job="a")
    one.write(intents=[record(slot)])
    one.write(results=[replace(result(slot), state=state)])
    assert other.write(intents=[record(slot, attempt=2)]).claims == frozenset()
    assert one.write(intents=[record(slot, attempt=2)]).claims == {slot.identity}


def test_a_deduplication_id_goes_to_one_message_and_the_other_is_not_claimed(runners: list[Ledger]) -> None:
    one, other = runners
    key = new_key(one)
    slots = [Slot(key=key, job="a", row=row) for row in (1, 2)]
    until = datetime.now(UTC).timestamp() + 60
    windows = [Window(dedup_id="x", job="a", until=until, slot=slot) for slot in slots]
    one.write(intents=[record(slots[0])], windows=[windows[0]])
    outrun = other.write(intents=[record(slots[1])], windows=[windows[1]])
    assert outrun.claims == {slots[1].identity}
    assert other.find([slots[1]]) == [None]
    assert other.find_windows(["x"]) == {"x": windows[0]}


def test_runners_of_one_named_key_share_its_jobs_and_others_do_not(runners: list[Ledger]) -> None:
    one, other = runners
    mine = [Scope(text="shop/a.yaml", run_key="monday"), Scope(text="shop/b.yaml", run_key="monday")]
    with one.lock(mine):
        with other.lock(mine[:1]):
            pass
        for theirs in ("tuesday", None):
            with (
                pytest.raises(LockedError, match=r"pid \d+ on .* under the run key monday"),
                other.lock([Scope(text="shop/b.yaml", run_key=theirs)]),
            ):
                pytest.fail("both hold it")
    with other.lock([Scope(text="shop/b.yaml")]), pytest.raises(LockedError), one.lock(mine):
        pytest.fail("both hold it")


def test_a_lock_of_a_session_that_died_is_free(address: Address, runners: list[Ledger]) -> None:
    one, other = runners
    scopes = [Scope(text="shop/a.yaml")]
    with one.lock(scopes):
        execute(
            address,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qstash-jobs' "
            "AND datname = current_database() AND pid <> pg_backend_pid()",
        )
        with other.lock(scopes, wait_s=5):
            pass


def test_one_runner_at_a_time_has_a_queue(runners: list[Ledger]) -> None:
    one, other = runners
    key, another_key = new_key(one), new_key(one)
    with one.lock([Scope(text="a", run_key="k")]), other.lock([Scope(text="a", run_key="k")]):
        assert one.hold_queue(key, "mails")
        assert one.hold_queue(key, "mails")
        assert not other.hold_queue(key, "mails")
        assert other.hold_queue(another_key, "mails")
        assert other.hold_queue(key, "calls")
        slot = Slot(key=key, job="a")
        assert other.write(intents=[record(slot)], queues=[(key, "mails")]).claims == {slot.identity}
        assert other.find([slot]) == [None]
    with other.lock([Scope(text="a")]):
        assert other.hold_queue(key, "mails")


def test_the_clock_is_the_servers(address: Address) -> None:
    with closing(open_postgres(address)) as ledger:
        now = ledger.now()
    assert now is not None
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    ahead = SharedClock(now + timedelta(hours=3))
    first, second = ahead.now(), ahead.instant()
    assert timedelta(0) <= second.wall - first < timedelta(seconds=5)
    assert timedelta(hours=2) < first - datetime.now(UTC) < timedelta(hours=4)


# a server that goes away


def test_a_server_that_restarts_is_waited_for_and_nothing_is_lost(own_server: PostgresServer) -> None:
    address = Address(url=own_server.create_database())
    with closing(open_postgres(address)) as one, closing(open_postgres(address)) as other:
        key = new_key(one)
        slots = [Slot(key=key, job="a", row=row) for row in (1, 2)]
        with one.lock([Scope(text="a", run_key="k")]):
            assert one.hold_queue(key, "mails")
            one.write(intents=[record(slots[0])])
            own_server.kill()
            starter = threading.Timer(0.5, own_server.start)
            starter.start()
            outrun = one.write(
                results=[result(slots[0])], intents=[record(slots[1])], queues=[(key, "mails")]
            )
            starter.join()
            assert (outrun.claims, outrun.results) == (frozenset(), frozenset())
            assert [find(other, slot).state for slot in slots] == [State.PUBLISHED, State.SENDING]
            # what the old session held, the new one has taken back
            with pytest.raises(LockedError), other.lock([Scope(text="a")]):
                pytest.fail("both hold it")
            assert not other.hold_queue(key, "mails")


def test_a_server_that_stays_away_is_given_up(own_server: PostgresServer) -> None:
    address = Address(url=own_server.create_database())
    with closing(open_postgres(address, patience_s=0.5)) as ledger:
        key = new_key(ledger)
        own_server.kill()
        with pytest.raises(LedgerError, match=r"then for 0\.5 s: .* cannot be reached"):
            ledger.find([Slot(key=key, job="a")])


def test_a_server_that_was_given_up_is_waited_for_no_more_and_used_once_it_is_back(
    own_server: PostgresServer,
) -> None:
    address = Address(url=own_server.create_database())
    with closing(open_postgres(address, patience_s=4)) as ledger:
        key = new_key(ledger)
        own_server.kill()
        with pytest.raises(LedgerError):
            ledger.find([Slot(key=key, job="a")])
        began_s = monotonic()
        for _ in range(3):
            with pytest.raises(LedgerError, match="cannot be reached"):
                ledger.find([Slot(key=key, job="a")])
        assert monotonic() - began_s < 4
        own_server.start()
        assert ledger.find([Slot(key=key, job="a")]) == [None]


def test_a_queue_that_another_runner_took_meanwhile_is_given_up(own_server: PostgresServer) -> None:
    address = Address(url=own_server.create_database())
    scopes = [Scope(text="a", run_key="k")]
    with closing(open_postgres(address)) as one, closing(open_postgres(address)) as other:
        key = new_key(one)
        slot = Slot(key=key, job="a")
        with one.lock(scopes), other.lock(scopes):
            assert one.hold_queue(key, "mails")
            execute(
                address,
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                f"AND (classid::bigint << 32) | objid::bigint = {one._holds._session}",
            )
            # the server ends a session in its own time
            while not other.hold_queue(key, "mails"):
                SystemClock().sleep(0.02)
            outrun = one.write(intents=[record(slot)], queues=[(key, "mails")])
            assert outrun.claims == {slot.identity}
            assert one.find([slot]) == [None]


class Cutter:
    """Passes bytes between a runner and a database, and once cuts the connection when a commit is on its way."""

    def __init__(self, port: int, *, arrives: bool) -> None:
        self.is_armed = False
        self.cuts = 0
        self._port = port
        self._arrives = arrives

    def __call__(self, peer: Peer) -> None:
        is_cut = threading.Event()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as database:
            threading.Thread(target=self._answer, args=(database, peer, is_cut), daemon=True).start()
            while data := peer.read_packet():
                if self.is_armed and b"COMMIT" in data:
                    self.is_armed = False
                    self.cuts += 1
                    is_cut.set()
                    if self._arrives:
                        database.sendall(data)
                        SystemClock().sleep(0.2)
                    break
                database.sendall(data)
            database.shutdown(socket.SHUT_RDWR)
        peer.reset()

    def _answer(self, database: socket.socket, peer: Peer, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while (data := database.recv(65536)) and not is_cut.is_set():
                peer.write(data)


@pytest.mark.parametrize("arrives", [False, True], ids=["the commit did not arrive", "its answer did not"])
def test_a_connection_lost_while_committing_is_settled_by_reading_back(
    postgres_server: PostgresServer, arrives: bool
) -> None:
    address = Address(url=postgres_server.create_database())
    cutter = Cutter(postgres_server.port, arrives=arrives)
    with ChaosServer(cutter) as proxy:
        through = Address(url=address.url.replace(str(postgres_server.port), str(proxy.port)))
        with closing(open_postgres(address)) as other, closing(open_postgres(through)) as one:
            slot = Slot(key=new_key(one), job="a")
            cutter.is_armed = True
            outrun = one.write(intents=[record(slot, first_maybe_sent=BOOT)])
            assert (outrun.claims, cutter.cuts) == (frozenset(), 1)
            known = find(one, slot)
            assert (known.state, known.attempt, known.is_held) == (State.SENDING, 1, False)
            assert find(other, slot).is_held
            cutter.is_armed = True
            assert one.write(results=[replace(result(slot), settled_at=NOW)]).results == frozenset()
            assert cutter.cuts == 2
            assert find(other, slot).state is State.PUBLISHED
