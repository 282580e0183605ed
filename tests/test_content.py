"""The bodies of answers: read where they are JSON, and never into more memory than a real answer takes."""

import json
import tracemalloc
from time import monotonic

import pytest

from qstash_jobs.wire.content import MOST_TEXT_BYTES, MOST_VALUES, read_json


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"":0},', b'"",', b"0,"])
def test_more_values_than_any_answer_has_are_not_read(unit: bytes) -> None:
    with pytest.raises(ValueError, match="values"):
        read_json(b"[" + unit * (MOST_VALUES + 1) + b"0]")


def test_what_is_not_read_takes_no_memory() -> None:
    body = b"[" + b"{}," * 1_000_000 + b"0]"
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="values"):
            read_json(body)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_looks_like_values_within_texts_does_not_count() -> None:
    page = {"events": [{"messageId": "msg_1", "responseBody": '{"a":[1,2,"\\"]}, ' * 200_000}]}
    assert read_json(json.dumps(page).encode()) == page


def test_as_many_values_as_the_largest_batch_has_are_read() -> None:
    elements = [[{"messageId": "msg_1", "url": "https://example.com"}] * 100] * 1_000
    assert read_json(json.dumps(elements).encode()) == elements
    assert MOST_VALUES > 3 * 100 * 1_000


@pytest.mark.parametrize("wide", ["😀", "\\ud83d\\ude00", "я" * 12_000_000], ids=["one", "escaped", "many"])
def test_texts_that_would_take_more_memory_than_any_answers_are_not_read(wide: str) -> None:
    text = "a" * (MOST_TEXT_BYTES // 4) + wide
    with pytest.raises(ValueError, match="texts"):
        read_json(f'["{text}"]'.encode())
    assert len(read_json(f'["{"a" * len(text)}", "{wide[:12]}"]'.encode())) == 2


@pytest.mark.parametrize("end", [b'"', b'"\\', b'"' + b'\\"' * 4_000_000])
def test_a_text_that_does_not_end_takes_no_time(end: bytes) -> None:
    began_s = monotonic()
    with pytest.raises(ValueError):
        read_json(b"[" + b"0," * MOST_VALUES + end)
    with pytest.raises(ValueError):
        read_json(b'["' + b"0," * MOST_VALUES + end)
    assert monotonic() - began_s < 5
