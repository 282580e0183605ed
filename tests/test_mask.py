"""No encoding of a secret survives, whatever stands around it."""

import base64
import html
import json
import shlex
import tracemalloc
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.mask import Mask

Encode = Callable[[str], str]


def lower_hex(text: str) -> str:
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}" for byte in text.encode()
    )


def go_json(text: str) -> str:
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return escaped.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


ENCODINGS: dict[str, Encode] = {
    "as it is": str,
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON as Go writes it": go_json,
    "JSON inside JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "a url": quote,
    "a url, every character": lambda text: quote(text, safe=""),
    "a url encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "a form": quote_plus,
    "a url in lower case": lower_hex,
    "HTML": html.escape,
    "HTML in ASCII": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "CSV": lambda text: text.replace('"', '""'),
    "Python": lambda text: repr(text)[1:-1],
    "Python in ASCII": lambda text: ascii(text)[1:-1],
    "Python's bytes": lambda text: repr(text.encode())[2:-1],
    "a shell": lambda text: shlex.quote(text + "'")[1:-6],
    "CRLF": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for urls": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in a url": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
}

secret_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30) | st.text(
    "ab\\\"'*% +/=&<\n", min_size=4, max_size=12
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text("ab\\\"'*% +", max_size=8)


@pytest.mark.parametrize("name", ENCODINGS)
@given(secret=secret_texts, before=texts, after=texts)
@settings(deadline=None, max_examples=80)
def test_a_secret_is_hidden_in_each_encoding(name: str, secret: str, before: str, after: str) -> None:
    written = ENCODINGS[name](secret)
    mask = Mask({"TOKEN": secret})
    hidden = mask.hide(before + written + after)
    assert written not in hidden
    assert "***" in hidden
    assert mask.hide(hidden) == hidden


@given(secret=secret_texts, before=st.binary(max_size=9), after=st.binary(max_size=9))
@settings(deadline=None)
def test_a_secret_inside_longer_base64_is_hidden_at_every_place_it_may_begin(
    secret: str, before: bytes, after: bytes
) -> None:
    data = secret.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + data + after).decode()
        first, last = -(-len(before) * 8 // 6), (len(before) + len(data)) * 8 // 6
        hidden = Mask({"TOKEN": secret}).hide(text)
        assert text[first:last] not in hidden
        assert "***" in hidden


@given(
    secret=secret_texts,
    before=st.binary(max_size=12),
    after=st.binary(max_size=12).filter(lambda b: not b or b[0] < 128),
)
@settings(deadline=None)
def test_bytes_keep_everything_that_is_no_secret(secret: str, before: bytes, after: bytes) -> None:
    before = before + b"."
    hidden = Mask({"TOKEN": secret}).hide_bytes(before + secret.encode() + after)
    assert secret.encode() not in hidden
    assert Mask({"TOKEN": "never in there"}).hide_bytes(before + after) == before + after


@given(text=texts, secrets=st.lists(secret_texts, min_size=1, max_size=4))
@settings(deadline=None)
def test_bytes_hide_what_their_text_hides(text: str, secrets: list[str]) -> None:
    mask = Mask({str(number): secret for number, secret in enumerate(secrets)})
    whole = text.join(["", *secrets, ""])
    assert mask.hide_bytes(whole.encode()) == mask.hide(whole).encode()


def test_a_long_answer_with_a_wide_letter_is_looked_through_in_little_memory() -> None:
    letters = b"a" * 4_000_000 + "😀".encode()
    for body, room_bytes in ((letters, 100_000), (letters + b"the-secret", 13_000_000)):
        tracemalloc.start()
        try:
            assert b"the-secret" not in Mask({"TOKEN": "the-secret"}).hide_bytes(body)
            assert tracemalloc.get_traced_memory()[1] < room_bytes
        finally:
            tracemalloc.stop()


@given(text=texts, secrets=st.lists(secret_texts, min_size=1, max_size=4))
@settings(deadline=None)
def test_hiding_again_changes_nothing(text: str, secrets: list[str]) -> None:
    mask = Mask({str(number): secret for number, secret in enumerate(secrets)})
    hidden = mask.hide(text + secrets[0] + text)
    assert mask.hide(hidden) == hidden
    assert not any(secret in hidden for secret in secrets)


@given(text=texts, value=st.text(max_size=3))
@settings(deadline=None)
def test_a_value_of_three_characters_is_left_alone(text: str, value: str) -> None:
    assert Mask({"SHORT": value}).hide(text + value) == text + value


def test_without_secrets_nothing_changes() -> None:
    assert Mask({}).hide("everything stays") == "everything stays"
    assert Mask({}).hide_bytes(b"\xff\x00") == b"\xff\x00"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Mask({"A": "hunter", "B": "hunter-and-more"}).hide("x hunter-and-more y hunter") == "x *** y ***"


def test_secrets_that_overlap_are_hidden_together() -> None:
    assert Mask({"A": "first-half", "B": "half-second-part"}).hide("<first-half-second-part>") == "<***>"
    assert Mask({"A": "abcab"}).hide("-abcabcab-") == "-***-"


def test_a_value_of_several_lines_is_hidden_line_by_line() -> None:
    mask = Mask({"KEY": "-----BEGIN KEY-----\n    c2VjcmV0\r\n}\n-----END KEY-----\n"})
    assert mask.hide("log: c2VjcmV0") == "log: ***"
    assert mask.hide("    }") == "    }"


def test_a_common_word_is_hidden_when_it_is_a_secret() -> None:
    assert Mask({"FLAG": "true"}).hide('{"ok":true}') == '{"ok":***}'


def test_a_password_in_a_basic_authorization_is_hidden() -> None:
    header = base64.b64encode(b"somebody:correct horse").decode()
    hidden = Mask({"PASSWORD": "correct horse"}).hide(f"Authorization: Basic {header}")
    assert hidden.startswith("Authorization: Basic c29tZWJvZHk6")
    assert base64.b64encode(b"horse").decode()[:6] not in hidden
    assert "***" in hidden


def test_a_json_body_in_base64_hides_a_value_that_json_escapes() -> None:
    body = base64.b64encode(json.dumps({"password": 'a"quote\nand more'}).encode()).decode()
    assert "***" in Mask({"PASSWORD": 'a"quote\nand more'}).hide(body)


def test_an_environment_value_that_is_not_utf_8_is_hidden() -> None:
    value = b"caf\xe9-secret".decode("utf-8", "surrogateescape")
    assert Mask({"OLD": value}).hide_bytes(b"<caf\xe9-secret>") == b"<***>"
    assert Mask({"OLD": "lone \ud800 half"}).hide("lone \ud800 half") == "***"


def test_a_long_text_without_secrets_comes_back_as_the_same_object() -> None:
    text = "nothing to see " * 100_000
    assert Mask({"TOKEN": "eyJhbGciOiJIUzI1NiJ9.payload"}).hide(text) is text


def test_many_backslashes_and_quotes_take_no_time() -> None:
    mask = Mask({"ODD": "\\\"'%\\\"'%\\\"'%!"})
    text = "\\\"'%" * 5_000 + "!" + "\\" * 20_000 + "'\"" * 5_000
    assert "***" in mask.hide(text)


def test_a_secret_that_hiding_another_puts_together_is_hidden_too() -> None:
    assert Mask({"A": "***x", "B": "token"}).hide("<tokenx>") == "<***>"
