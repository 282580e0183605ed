"""What a message goes out as: the same request, ids and fingerprint in every version, alone and in a batch."""

from pathlib import Path

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import RUN_KEY, envelopes, envelopes_of, open_session, write_job

from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.message import Message
from qstash_jobs.wire.headers import Letterhead
from qstash_jobs.wire.http import Headers

JOB = {"url": "https://api.example.com/x", "queue": "bills", "labels": ["a"], "headers": {"X-A": "é\"'\\"}}
ROWS = [{"id": "A-1", "note": 'say "hi"'}, {"id": "ü]", "note": "é\n"}]


def make(folder: Path, **fields: object) -> list[Message]:
    write_job(folder, JOB | {"body": {"note": "${{ row.note }}"}, "for_each": ROWS} | fields)
    return [envelope.message for envelope in envelopes_of(open_session(folder))]


def address(message: Message, generation: int = 0) -> Envelope:
    addresser = Addresser(key=RUN_KEY, key_number=1, generation=generation, fingerprint_key=b"key")
    return addresser.address(message)


def test_ids_and_fingerprint_are_those_of_every_version(tmp_path: Path) -> None:
    message = make(tmp_path)[1]
    found = [address(message, generation) for generation in (0, 1)]
    assert [(one.id, one.fingerprint.hex()) for one in found] == [
        ("qj-8184b4b542b6834e86a318985ce111e171ef5f38", "d9a193fb9ae079d5ac2c53e65f5a1e42"),
        ("qj-67bbf2a8d1ae2810fd8b1effca9b956ffa359927", "3eee0c1758cd9de7e87631657fefe40a"),
    ]


def test_a_fingerprint_is_another_where_anything_else_goes_out_and_the_same_where_nothing_does(
    tmp_path: Path,
) -> None:
    changes: list[dict[str, object]] = [
        {},
        {"url": "https://api.example.com/y"},
        {"queue": "fees"},
        {"labels": ["b"]},
        {"labels": []},
        {"headers": {"X-A": "b"}},
        {"headers": {"X-B": "b"}},
        {"retries": 0},
        {"method": "PUT"},
        {"content_type": "text/plain"},
        {"dedup": {"id": "a"}},
        {"dedup": "none"},
        {"dedup": "content"},
        {"run_labels": False},
        {"redact": {"body": True}},
        {"body": {"note": "${{ row.note }}", "more": 1}},
    ]
    fingerprints = [address(make(tmp_path, **change)[0]).fingerprint for change in changes]
    assert len(set(fingerprints)) == len(changes)
    assert [address(make(tmp_path, **change)[0]).fingerprint for change in changes] == fingerprints


def test_an_item_of_a_batch_holds_what_the_message_s_own_request_does(tmp_path: Path) -> None:
    for envelope in [*map(address, make(tmp_path)), *envelopes(tmp_path, {"url": "https://example.com"})]:
        request = envelope.request
        item = {"destination": envelope.message.url, "headers": dict(request.headers)}
        if request.body:
            item["body"] = request.body.decode()
        if envelope.message.queue is not None:
            item["queue"] = envelope.message.queue
        assert envelope.batch_item == orjson.dumps(item)


words = st.text(st.characters(codec="utf-8"), max_size=6)
pairs = st.lists(st.tuples(words, words), max_size=3).map(tuple)
own = st.none() | words


@settings(deadline=None)
@given(pairs, pairs, pairs, own, own)
def test_headers_written_once_for_a_job_are_those_of_each_of_its_messages(
    first: Headers, second: Headers, third: Headers, dedup_id: str | None, label: str | None
) -> None:
    letterhead = Letterhead(first, second, third)
    found = letterhead.pairs(dedup_id, label)
    own_pairs = {"Upstash-Deduplication-Id": dedup_id, "Upstash-Label": label}
    id_, labels = [((name, value),) if value is not None else () for name, value in own_pairs.items()]
    assert found == (*first, *id_, *second, *labels, *third)
    assert (letterhead.shared == Letterhead(second, first, third).shared) == (first == second)
    written = b",".join(b"%b:%b" % (orjson.dumps(name), orjson.dumps(value)) for name, value in found)
    assert letterhead.json(dedup_id, label) == b"{%b}" % written
    assert letterhead.size(dedup_id, label) == sum(len(name) + len(value) + 6 for name, value in found)
