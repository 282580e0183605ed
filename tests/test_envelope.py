"""What a message goes out as: the same request, ids and fingerprint in every version, alone and in a batch."""

from hashlib import blake2b
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
        ("qj-8184b4b542b6834e86a318985ce111e171ef5f38", "96d8f24b2b98964cf03fd9df0e8274c2"),
        ("qj-67bbf2a8d1ae2810fd8b1effca9b956ffa359927", "5be09037a1060be17161673fb63e6a25"),
    ]


def test_a_fingerprint_is_of_destination_queue_headers_and_body_each_with_its_length(tmp_path: Path) -> None:
    for message in make(tmp_path):
        envelope = address(message)
        lines = "\n".join(f"{name}:{value}" for name, value in envelope.headers)
        expected = blake2b(key=b"key", digest_size=16)
        for part in (JOB["url"].encode(), b"bills", lines.encode(), message.body):
            expected.update(len(part).to_bytes(8) + part)
        assert envelope.fingerprint == expected.digest()


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
    assert letterhead.lines(dedup_id, label) == "\n".join(f"{name}:{value}" for name, value in found)
    written = b",".join(b"%b:%b" % (orjson.dumps(name), orjson.dumps(value)) for name, value in found)
    assert letterhead.json(dedup_id, label) == b"{%b}" % written
    assert letterhead.size(dedup_id, label) == sum(len(name) + len(value) + 6 for name, value in found)
