"""The names of an account's URL groups and queues, as the official SDK makes them on the local server."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstash import QStash

from qstash_jobs.local.serve import start_server
from qstash_jobs.outcome import Misconfigured, Unknown
from qstash_jobs.transport import open_line
from qstash_jobs.wire.http import Reply, Request
from qstash_jobs.wire.resources import ask_groups, ask_queues, read_names
from qstash_jobs.wire.server import read_server

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def server():
    with start_server() as server:
        yield server


def ask(server, request: Request, token: str | None = None):
    line = open_line(read_server(server.url), token or server.token, environment={})
    try:
        answer = line.connect() or line.send(request, may_send=lambda: True)
    finally:
        line.close()
    return read_names(answer, now=NOW)


def test_what_the_sdk_makes_is_found_by_name(server):
    client = QStash(server.token, base_url=server.url)
    client.url_group.upsert_endpoints("orders", [{"url": "https://example.com/hook", "name": "one"}])
    client.queue.upsert("invoices")
    client.http._client.close()
    assert ask(server, ask_groups()) == {"orders"}
    assert ask(server, ask_queues()) == {"invoices"}


def test_an_empty_account_has_no_names(server):
    assert ask(server, ask_groups()) == frozenset()


def test_a_wrong_token_is_said_to_be_one(server):
    assert isinstance(ask(server, ask_groups(), "wrong"), Misconfigured)


@given(body=st.binary(max_size=200))
def test_no_answer_is_taken_for_a_list_that_is_none(body):
    names = read_names(Reply(status=200, body=body), now=NOW)
    assert isinstance(names, Unknown | frozenset)
