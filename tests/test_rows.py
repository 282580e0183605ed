"""Reading rows: values, numbers and lines, in any blocks; and what is refused, at which line."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.rows import LONGEST_FIELD, LONGEST_LINE, LONGEST_WHOLE, Row, RowError, read_rows, read_tables


def read(content: str | bytes, **options: Any) -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_rows([data], file="data/rows", **{"format": "csv"} | options))


def values(content: str | bytes, **options: Any) -> list[dict[str, Any]]:
    return [row.values for row in read(content, **options)]


def refuse(content: str | bytes, **options: Any) -> RowError:
    with pytest.raises(RowError) as caught:
        read(content, **options)
    error = caught.value
    assert error.file == "data/rows"
    assert str(error) == error.message
    return error


# csv


def test_csv_rows_are_text_with_their_numbers_and_lines() -> None:
    rows = read('id,note\r\n007,"one\r\ntwo"\r\n\r\n  \r\n8,"say ""hi"", x"\r\n')
    assert rows == [
        Row(number=1, values={"id": "007", "note": "one\r\ntwo"}, file="data/rows", line=2),
        Row(number=2, values={"id": "8", "note": 'say "hi", x'}, file="data/rows", line=6),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do_and_the_last_line_needs_none(end: str) -> None:
    rows = read(end.join(["a,b", "1,2", "3,4"]))
    assert [(row.line, row.values) for row in rows] == [(2, {"a": "1", "b": "2"}), (3, {"a": "3", "b": "4"})]


def test_characters_that_only_look_like_line_ends_stay_in_their_value() -> None:
    assert values("a,b\nx\u2028y\x0b\x1c\x85,z\n") == [{"a": "x\u2028y\x0b\x1c\x85", "b": "z"}]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert values("\ufeffa,b\n1,2\n") == [{"a": "1", "b": "2"}]
    assert values("\ufeffa,b\n1,2\n".encode("utf-16-le"), encoding="utf-16") == [{"a": "1", "b": "2"}]


def test_other_delimiters_and_encodings_are_read() -> None:
    assert values("a\tb\n1,5\t2\n", format="tsv") == [{"a": "1,5", "b": "2"}]
    assert values("a;b\n1,5;2\n", delimiter=";") == [{"a": "1,5", "b": "2"}]
    assert values("a\ncafé\n".encode("cp1252"), encoding="cp1252") == [{"a": "café"}]


def test_one_column_and_no_rows_are_fine() -> None:
    assert values("a\n\n1\n") == [{"a": "1"}]
    assert values("a,b\n") == []


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", 1, "no names of columns"),
        ("\n\n", 1, "no names of columns"),
        ("a,b,a\n", 1, "columns 1 and 3"),
        ("a,,c\n", 1, "column 2 has no name"),
        ("a, ,c\n", 1, "column 2 has no name"),
        ("a,b\n1,2\n1\n", 3, "this row has 1 value, and the first line names 2 columns"),
        ("a,b\n1,2,3\n", 2, "3 values"),
        ('a,b\n"x\ny",1\n1,2,3\n', 4, "3 values"),
        ('a,b\n1,2\n3,"x\ny\nz\n', 3, "never closed"),
        ('\n\na,"b\n', 3, "never closed"),
        ('a,b\n"x" y,1\n', 2, "behind a closed quote"),
        ('a,b\n"x\ny" z,1\n', 3, "behind a closed quote"),
        ("a,b\n1,\0\n", 2, "NUL"),
        (f"a\n{'x' * (LONGEST_FIELD + 1)}\n", 2, "1,048,576"),
        ('a\n1\n"' + "x\n" * LONGEST_FIELD, 3, "1,048,576"),
        (b"a,b\n1,2\n3,caf\xe9\n4,5\n", 3, "0xE9"),
        (b"a,b\n1,2\n3,caf\xc3", 3, "0xC3"),
    ],
)
def test_what_is_no_csv_is_refused_at_its_line(content: str | bytes, line: int, says: str) -> None:
    error = refuse(content)
    assert error.line == line
    assert says in error.message


def test_rows_before_a_broken_one_come_first() -> None:
    rows = read_rows([b"a,b\n1,2\n3,\xff\n"], format="csv", file="f")
    assert next(rows).values == {"a": "1", "b": "2"}
    with pytest.raises(RowError):
        next(rows)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_a_delimiter_that_cannot_be_is_refused(delimiter: str) -> None:
    assert "one character" in refuse("a\n", delimiter=delimiter).message


@pytest.mark.parametrize(
    "encoding", ["nope", "zlib", "idna", "undefined", "utf-7", "", "\0", "unicode_escape"]
)
def test_an_encoding_that_is_none_is_refused(encoding: str) -> None:
    assert "utf-8" in str(refuse("a\n", encoding=encoding).hint)


def test_a_line_without_end_is_not_held_in_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 2**20

    for kind in ("csv", "jsonl", "json", "yaml"):
        with pytest.raises(RowError):
            list(read_rows(endless(), format=kind, file="f"))  # type: ignore[arg-type]
    assert LONGEST_LINE <= 2**24


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6),
    st.integers(1, 9),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_csv_written_by_python_is_read_back_whatever_the_blocks(
    table: list[list[str]], size: int, encoding: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *table])
    content = stream.getvalue().encode(encoding)
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    rows = list(read_rows(chunks, format="csv", file="f", encoding=encoding))
    assert [[row.values["a"], row.values["b"]] for row in rows] == table
    assert [row.number for row in rows] == list(range(1, len(table) + 1))
    reader = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    ends = [reader.line_num for _ in reader]
    assert [row.line for row in rows] == [end + 1 for end in ends[:-1]]
    parts = [
        part
        for each in read_tables(chunks, format="csv", file="f", encoding=encoding)
        for part in each.split()
    ]
    assert [row for part in parts for row in part.rows()] == rows
    for part in parts:
        if part.is_even:
            assert part.columns == {name: tuple(row.values[name] for row in part.rows()) for name in "ab"}


def test_a_long_csv_takes_no_more_memory_than_a_short_one() -> None:
    def blocks(count: int) -> Iterator[bytes]:
        yield b"id,email\n"
        for number in range(count):
            yield b"%d,person-%d@example.com\n" % (number, number) * 50

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_rows(blocks(count), format="csv", file="f")) == count * 50
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(20)
    assert peak(600) < 1.2 * peak(60) + 20_000


# json lines, json, yaml


def test_json_lines_keep_digits_lines_and_nesting() -> None:
    rows = read(
        '{"a": 10.10, "b": [1, {"c": null}]}\n\n \r\n{"a": 12345678901234567890123, "b": "\\ud83d\\ude00"}',
        format="jsonl",
    )
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 4)]
    assert str(rows[0].values["a"]) == "10.10"
    assert rows[0].values["b"] == [1, {"c": None}]
    assert rows[1].values == {"a": Decimal("12345678901234567890123"), "b": "😀"}


def test_json_rows_know_their_lines() -> None:
    rows = read('\n[{"a": 1.50},\n\n {"a":\n2}, {"a": true}\n]\n', format="json")
    assert [(row.number, row.line, row.values["a"]) for row in rows] == [
        (1, 2, Decimal("1.50")),
        (2, 4, 2),
        (3, 5, True),
    ]
    assert values("[]", format="json") == []
    assert values("\ufeff[ ]", format="json") == []


def test_yaml_rows_know_their_lines() -> None:
    rows = read("# rows\n- {a: 1.50}\n-\n  a: 012\n", format="yaml")
    assert [(row.number, row.line, row.values["a"]) for row in rows] == [
        (1, 2, Decimal("1.50")),
        (2, 4, "012"),
    ]
    assert values("a: é\n".replace("a", "- a").encode("latin-1"), format="yaml", encoding="latin-1") == [
        {"a": "é"}
    ]
    assert len(read("- {a: 1, b: 2}\n" * 30_000, format="yaml")) == 30_000


DEEP = '{"a":' * 70 + "1" + "}" * 70
ABYSS = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("1\n", 1, "object"),
        ('{"a": 1}\n["a"]\n', 2, "object"),
        ('{"a": 1}\n{"a": \n', 2, "not JSON"),
        ('{"a": 1} {"b": 2}\n', 1, "more than one"),
        ('\n{"a": NaN}\n', 2, "NaN"),
        ('{"a": -Infinity}\n', 1, "-Infinity"),
        ('{"a": 1e999}\n', 1, "cannot be sent"),
        (f'{{"a": {"9" * 5000}}}\n', 1, "digits"),
        ('{"a": {"b": 1, "b": 2}}\n', 1, 'the key "b" stands twice'),
        ('{"a": "\\ud800"}\n', 1, "surrogate"),
        ('{"\\udfff": 1}\n', 1, "surrogate"),
        ('{"a": "\t"}\n', 1, "control character"),
        (DEEP, 1, "64 levels"),
        (ABYSS, 1, "64 levels"),
        (b'{"a": 1}\n{"a": "\xff"}\n', 2, "0xFF"),
    ],
)
def test_what_is_no_row_in_json_is_refused_at_its_line(content: str | bytes, line: int, says: str) -> None:
    error = refuse(content, format="jsonl")
    assert (error.line, says in error.message) == (line, True)
    if isinstance(content, str) and " {" not in content[:10]:
        error = refuse("[\n" + content.strip().replace("}\n", "},\n") + "\n]", format="json")
        assert says in error.message


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", 1, "list of objects"),
        ('{"rows": []}', 1, "list of objects"),
        ('[{"a": 1}\n{"a": 2}]', 1, "comma"),
        ('[{"a": 1},\n{"a": 2},\n]', 2, "comma"),
        ('[{"a": 1},\n{"a": 2}', 2, "comma"),
        ('[{"a": 1},\n{"a": 2}]\n x', 2, "behind the end"),
        ("[,]", 1, "not JSON"),
        ("[", 1, "not JSON"),
        ("[\n{},\n\n {'a': 1}]", 4, "not JSON"),
    ],
)
def test_what_is_no_list_in_json_is_refused_at_its_line(content: str, line: int, says: str) -> None:
    error = refuse(content, format="json")
    assert (error.line, says in error.message) == (line, True)


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", 1, "list of mappings"),
        ("a: 1\n", 1, "list of mappings"),
        ("- a: 1\n- b\n", 2, "mapping"),
        ("- a: 1\n- {a: [}\n", 2, ""),
        ("- a: 1\n- a: 1\n  a: 2\n", 3, "twice"),
        (b"- a: \xff\n", 1, "0xFF"),
    ],
)
def test_what_is_no_row_in_yaml_is_refused_at_its_line(content: str | bytes, line: int, says: str) -> None:
    error = refuse(content, format="yaml")
    assert (error.line, says in error.message) == (line, True)


def test_json_and_yaml_beyond_their_size_say_what_has_none() -> None:
    for kind in ("json", "yaml"):
        error = refuse(b" " * (LONGEST_WHOLE + 1), format=kind)
        assert error.line == 0
        assert "jsonl" in str(error.hint) or "characters" in error.message


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), plain, max_size=3), max_size=4
    ),
    st.booleans(),
)
def test_json_written_by_python_is_read_back_by_both_readers(
    rows: list[dict[str, Any]], escaped: bool
) -> None:
    lines = "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    assert values(lines, format="jsonl") == rows
    assert values(json.dumps(rows, ensure_ascii=escaped, indent=1), format="json") == rows


contents = st.binary(max_size=40) | st.text('[]{}",:\n\r\t 1aeN\\u-', max_size=40).map(str.encode)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["csv", "tsv", "jsonl", "json", "yaml"]), contents)
def test_any_bytes_are_rows_or_a_row_error(kind: str, content: bytes) -> None:
    try:
        rows = read(content, format=kind)
    except RowError as error:
        problem = error
    else:
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        return
    assert 0 <= problem.line <= 1 + len(content)
    assert problem.message.isprintable()
