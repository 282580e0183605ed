"""Reading YAML: which values come out, where they stand, what is refused and with which words."""

import gc
import io
import json
import time
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qstash_jobs.document import MOST_ALIASES, MOST_BYTES, MOST_LEVELS, MOST_NODES, Document, read_document
from qstash_jobs.problem import Path


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with both parsers: the one in Python serves where PyYAML was built without libyaml."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    return str(request.param)


both_parsers = pytest.mark.usefixtures("parser")


def read(text: str) -> Document:
    return read_document(text.encode(), file="jobs/a.yaml")


def rules(document: Document) -> list[str]:
    return [problem.rule for problem in document.problems]


def place(document: Document, path: Path, *, key: bool = False) -> tuple[int, int]:
    location = document.locate(path, key=key)
    return location.line, location.column


# values


@both_parsers
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("yes", "yes"),
        ("NO", "NO"),
        ("on", "on"),
        ("tRue", "tRue"),
        ("~", None),
        ("Null", None),
        ("", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-1", -1),
        ("+7", 7),
        ("0x1F", 31),
        ("0o14", 12),
        ("012", "012"),
        ("007", "007"),
        ("-012", "-012"),
        ("00", "00"),
        ("01.5", "01.5"),
        ("10.10", Decimal("10.10")),
        (".5", Decimal("0.5")),
        ("1.", Decimal(1)),
        ("1e3", Decimal("1E+3")),
        ("-1.5E-3", Decimal("-0.0015")),
        ("9223372036854775808", 9223372036854775808),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", Decimal("18446744073709551616")),
        ("-9223372036854775809", Decimal("-9223372036854775809")),
        ("0x10000000000000000", Decimal(2**64)),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("-0x1F", "-0x1F"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("e5", "e5"),
        ("١٢", "١٢"),
        ("=", "="),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ('!!int "12"', 12),
        ("!!float 12", Decimal(12)),
        ("!!bool true", True),
        ("!!null ~", None),
        ("!!map {}", {}),
        ("!!seq []", []),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ('"\\u00e9\\U0001F600\\0"', "é😀\0"),
    ],
)
def test_a_scalar_means_what_the_core_schema_says(written: str, value: object) -> None:
    document = read(f"a: {written}\n")
    assert document.problems == ()
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


@both_parsers
@pytest.mark.parametrize(
    "written", [".inf", "-.INF", ".nan", "1e999", "1e-999", "9" * 5000, "0x" + "f" * 5000]
)
def test_a_number_that_json_cannot_hold_is_a_problem(written: str) -> None:
    document = read(f"a: 1\nb: {written}\n")
    assert rules(document) == ["yaml-number"]
    assert (document.problems[0].location.line, document.problems[0].location.column) == (2, 4)
    assert "quote it" in str(document.problems[0].hint)


@both_parsers
def test_keys_are_text_whatever_they_look_like() -> None:
    document = read("1: a\ntrue: b\non: c\n1.10: d\n'': e\n'null': f\n'<<': g\n&x k: h\n!!str ~: i\n")
    assert document.problems == ()
    assert list(document.data) == ["1", "true", "on", "1.10", "", "null", "<<", "k", "~"]


@both_parsers
@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("version",), "1.10"),
        (("hex",), "0x1F"),
        (("flag",), "True"),
        (("exponent",), "1e3"),
        (("plus",), "+5"),
        (("quoted",), "a b"),
        (("null",), "~"),
        (("empty",), ""),
        (("plain",), "some text"),
        (("tagged",), "0x10"),
        (("alias",), "0x2A"),
        (("list", 1), "FALSE"),
        (("list",), ""),
        (("missing",), ""),
        (("zip",), "012"),
    ],
)
def test_a_scalar_is_given_back_as_it_was_written(path: Path, written: str) -> None:
    document = read(
        "version: 1.10\nhex: 0x1F\nflag: True\nexponent: 1e3\nplus: +5\nquoted: 'a b'\n'null': ~\nempty:\n"
        "plain: some text\ntagged: !!int 0x10\nanchor: &x 0x2A\nalias: *x\nlist: [true, FALSE]\nzip: 012\n"
    )
    assert document.problems == ()
    assert document.written(path) == written


@both_parsers
@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~\n", "\ufeff", "\ufeff# x\n"])
def test_an_empty_file_has_no_data_and_no_problem(text: str) -> None:
    document = read(text)
    assert document.data is None
    assert document.problems == ()
    assert document.locate(("url",)).line >= 1


@both_parsers
def test_a_byte_order_mark_is_tolerated_and_counts_no_column() -> None:
    for marks in ("\ufeff", "\ufeff\ufeff"):
        document = read(f"{marks}url: x\n")
        assert document.data == {"url": "x"}
        assert place(document, ("url",)) == (1, 6)
        assert rules(read(f"{marks}&")) == ["yaml-syntax"]


# places


@both_parsers
def test_every_value_and_key_knows_its_line_column_and_source() -> None:
    document = read(
        "jobs:\n  é: {a: 1, b: [x, ü, z]}\r\n  second:\r\n    url: &u http://x\n    list:\n    - one\n    - *u\n"
    )
    assert place(document, ()) == (1, 1)
    assert place(document, ("jobs",), key=True) == (1, 1)
    assert place(document, ("jobs", "é"), key=True) == (2, 3)
    assert place(document, ("jobs", "é", "b", 2)) == (2, 23)
    assert place(document, ("jobs", "second", "url")) == (4, 10)
    assert place(document, ("jobs", "second", "url"), key=True) == (4, 5)
    assert place(document, ("jobs", "second", "list", 0)) == (6, 7)
    assert place(document, ("jobs", "second", "list", 1)) == (7, 7)
    assert document.locate(("jobs", "é", "b")).source == "  é: {a: 1, b: [x, ü, z]}"
    assert document.locate(("jobs", "é", "b")).file == "jobs/a.yaml"


@both_parsers
def test_a_path_that_leads_nowhere_is_placed_at_its_deepest_part() -> None:
    document = read("a:\n  b: 1\n  c: [x]\n")
    assert place(document, ("a", "nope", "deeper"), key=True) == (1, 1)
    assert place(document, ("a", "c", 7)) == (3, 6)
    assert place(document, ("a", "c", "word")) == (3, 6)
    assert place(document, ("a", "b", "under a scalar")) == (2, 6)
    assert place(document, ("a", "c", 0), key=True) == (3, 7)


@both_parsers
def test_what_an_alias_repeats_stands_at_its_anchor() -> None:
    document = read(
        "x-base: &base\n  url: http://x\n  list: [a, {b: c}]\njobs:\n  one: *base\n  two: {three: *base}\n"
    )
    assert document.problems == ()
    assert place(document, ("jobs", "one")) == (5, 8)
    assert place(document, ("jobs", "one"), key=True) == (5, 3)
    assert place(document, ("jobs", "one", "url")) == (2, 8)
    assert place(document, ("jobs", "two", "three", "list", 1, "b")) == (3, 17)
    assert place(document, ("jobs", "two", "three", "list", 1, "b"), key=True) == (3, 14)


@both_parsers
def test_places_stay_right_after_entries_that_were_left_out() -> None:
    document = read("a: 1\na: [x, {y: z}]\n? [complex, &k key]\n: {v: 1}\n<<: {m: 1}\nb: 2\nc: *k\n")
    assert rules(document) == ["yaml-duplicate-key", "yaml-key", "yaml-merge-key"]
    assert document.data == {"a": 1, "b": 2, "c": "key"}
    assert place(document, ("b",)) == (6, 4)
    assert place(document, ("c",), key=True) == (7, 1)


def test_a_very_long_line_is_not_copied_into_every_location() -> None:
    document = read("a: " + "x" * 5000 + "\n" + "{" * 0 + "b: [" + "1, " * 2000 + "end]\n")
    assert len(document.locate(("a",)).source) == 1000
    last = document.locate(("b", 2000))
    assert (last.line, last.column, last.source) == (2, 6005, "")


def walk(node: yaml.Node, path: Path = ()) -> Any:
    yield path, node.start_mark, None
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), value.start_mark, key.start_mark
            yield from walk(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from walk(value, (*path, number))


keys = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
special = st.sampled_from(["yes", "012", "1e3", "${{ row.a }}", "true", "~", "<<"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), texts, special)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


class Quoting(yaml.SafeDumper):
    """PyYAML writes YAML 1.1, where other words are special: all texts but letters go in quotes."""


def represent_text(dumper: Quoting, text: str) -> yaml.Node:
    plain = text.isalpha() and text.isascii() and text.lower() not in ("true", "false", "null")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


Quoting.add_representer(str, represent_text)


@settings(deadline=None, max_examples=150)
@given(nested, st.booleans())
def test_nested_data_written_as_yaml_is_read_back_the_same(data: Any, flow: bool) -> None:
    text = yaml.dump(data, Dumper=Quoting, allow_unicode=True, default_flow_style=flow, sort_keys=False)
    assume("\ufeff" not in text)
    document = read(text)
    assert document.problems == ()
    assert document.data == data


@settings(deadline=None, max_examples=100)
@given(nested)
def test_nested_data_written_as_json_is_read_back_the_same(data: Any) -> None:
    document = read(json.dumps(data, ensure_ascii=False).replace("\x7f", "\\u007f"))
    assume("yaml-surrogate" not in rules(document))
    if document.problems:
        assert any(not character.isprintable() for character in json.dumps(data, ensure_ascii=False))
    else:
        assert document.data == data


@settings(deadline=None, max_examples=150)
@given(nested, st.booleans(), st.sampled_from([None, True, False]))
def test_places_agree_with_those_of_pyyaml(data: Any, unicode: bool, flow: bool | None) -> None:
    text = yaml.dump(data, Dumper=Quoting, allow_unicode=unicode, default_flow_style=flow, width=20)
    assume(not set("\ufeff\x85\u2028\u2029") & set(text))
    document = read(text)
    for path, mark, key_mark in walk(yaml.compose(text, Loader=yaml.SafeLoader)):
        assert place(document, path) == (mark.line + 1, mark.column + 1)
        if key_mark:
            assert place(document, path, key=True) == (key_mark.line + 1, key_mark.column + 1)


# what is refused


@both_parsers
def test_a_duplicate_key_names_the_line_of_the_first() -> None:
    document = read("a:\n  url: 1\n  b: 2\n  'url': 3\n  url: 4\n")
    assert rules(document) == ["yaml-duplicate-key"] * 2
    assert [problem.location.line for problem in document.problems] == [4, 5]
    assert all("line 2" in str(problem.hint) for problem in document.problems)
    assert document.data == {"a": {"url": 1, "b": 2}}


@both_parsers
@pytest.mark.parametrize(
    ("text", "rule", "line", "column", "says"),
    [
        ("a: {<<: {b: 1}}\n", "yaml-merge-key", 1, 5, "defaults:"),
        ("a: !secret x\n", "yaml-tag", 1, 4, '"!secret"'),
        ("a: !!python/object:os.system x\n", "yaml-tag", 1, 4, "!!python"),
        ("a: !!int x\n", "yaml-tag", 1, 4, "!!int"),
        ("a: !!binary aGk=\n", "yaml-tag", 1, 4, "!!binary"),
        ("a: !!seq {}\n", "yaml-tag", 1, 4, "!!seq"),
        ("!!set {}\n", "yaml-tag", 1, 1, "!!set"),
        ("!!int 1: a\n", "yaml-tag", 1, 1, "!!int"),
        ("a: &x [*x]\n", "yaml-alias", 1, 8, "inside what it repeats"),
        ("a: *nope\n", "yaml-alias", 1, 4, '"nope"'),
        ("a: &base 1\nb: *bse\n", "yaml-alias", 2, 4, "did you mean *base?"),
        ("a: 1\n---\nb: 2\n", "yaml-multiple-documents", 2, 1, "`jobs:`"),
        ("a: 1\n...\nb: 2\n", "yaml-multiple-documents", 3, 1, "`jobs:`"),
        ("~: 1\n", "yaml-key", 1, 1, "null"),
        ("{~: 1}\n", "yaml-key", 1, 2, "null"),
        (": 1\n", "yaml-syntax", 1, 1, "a key is missing"),
        ("a: |x\n  y\n", "yaml-syntax", 1, 5, "next line"),
        ("a: [\n- b\n]\n", "yaml-syntax", 2, 1, "a value should stand here"),
        ("? [a]\n: b\n", "yaml-key", 1, 3, "has to be text"),
        ("? {a: b}\n: b\n", "yaml-key", 1, 3, "has to be text"),
        ("a: &x y\n*x : 1\n", "yaml-key", 2, 1, "has to be text"),
        ("url: {{ vars.api }}\n", "unquoted-expression", 1, 6, '"${{ vars.api }}"'),
        ("url: {{ vars.api }}/x\nb: 1\n", "unquoted-expression", 1, 6, '"${{ vars.api }}"'),
        ("a: {e: ${{ row.e }}}\n", "unquoted-expression", 1, 8, '"${{ row.e }}"'),
        ("a: [1, ${{ row.e }}]\n", "unquoted-expression", 1, 8, '"${{ row.e }}"'),
        ("a: {\n  b: http://x/${{ row.e }},\n}\n", "unquoted-expression", 2, 15, "quote the whole value"),
        ('a: ${{ row["b: c"] }}\n', "unquoted-expression", 1, 4, "'${{ row[\"b: c\"] }}'"),
        ('a: ${{ row.b | default(" #1") }}\n', "unquoted-expression", 1, 4, "comment"),
        ("a:\n\tb: 1\n", "yaml-syntax", 2, 1, "tab"),
        ("a: 1\n\tb: 1\n", "yaml-syntax", 2, 1, "tab"),
        ('a: "x\nb: 1\n', "yaml-syntax", 1, 4, "never closed"),
        ("a: 'x\nb: 1\n", "yaml-syntax", 1, 4, "never closed"),
        ("a: 'it's'\nb: 1\n", "yaml-syntax", 1, 8, "behind a closed quote"),
        ('a: "x\nb: "y"\n', "yaml-syntax", 2, 4, "line above"),
        ("a: [1] x\n", "yaml-syntax", 1, 8, "behind a closed ]"),
        ("a: b: c\n", "yaml-syntax", 1, 4, "quotes"),
        ("- my key: note: this\n", "yaml-syntax", 1, 11, "quotes"),
        ("url:http://x\nretries: 3\n", "yaml-syntax", 1, 4, "blank is missing"),
        ("retries: 3\nurl:http://x\n", "yaml-syntax", 2, 4, "blank is missing"),
        ("jobs:\n  a-b:{}\n  c: 1\n", "yaml-syntax", 2, 6, "blank is missing"),
        ("a:\n  b: 1\n   c: 2\n", "yaml-syntax", 3, 4, "same column"),
        ("a:\n   b: 1\n  c: 2\n", "yaml-syntax", 3, 3, "line up"),
        ("a: 1\nword\n", "yaml-syntax", 2, 1, "followed by a colon"),
        ("cron: */5 * * * *\n", "yaml-syntax", 1, 7, "quotes"),
        ("a: & b\n", "yaml-syntax", 1, 4, "anchor"),
        ("a: @b\n", "yaml-syntax", 1, 4, "cannot begin with"),
        ("a: - b\n", "yaml-syntax", 1, 4, "next line"),
        ("a: [1, 2\nb: 3\n", "yaml-syntax", 2, 2, 'the "[" of line 1'),
        ("a: {b: 1\n", "yaml-syntax", 2, 1, 'the "{" of line 1'),
        ('a: "\\d"\n', "yaml-syntax", 1, 5, "no escape"),
        ('a: "\\xZZ"\n', "yaml-syntax", 1, 5, "hexadecimal"),
        ("a: !x!y 1\n", "yaml-tag", 1, 4, "tag"),
        ("a: !%FF x\n", "yaml-tag", 1, 4, "tag"),
        ("a: b\x07\n", "yaml-syntax", 1, 5, "U+0007"),
        ("é: b\x00\n", "yaml-syntax", 1, 5, "U+0000"),
        ("a: \x7f\n", "yaml-syntax", 1, 4, "U+007F"),
        ("a: \ufffe\n", "yaml-syntax", 1, 4, "U+FFFE"),
        ("k" * 2000 + ": 1\n", "yaml-syntax", 1, 1, "1,024"),
    ],
)
def test_what_cannot_be_read_is_explained_at_its_place(
    text: str, rule: str, line: int, column: int, says: str
) -> None:
    document = read(text)
    assert rules(document) == [rule]
    problem = document.problems[0]
    assert (problem.location.line, problem.location.column) == (line, column)
    assert says in f"{problem.message}; {problem.hint}"
    assert problem.location.source == text.split("\n")[line - 1][:1000]


@both_parsers
def test_a_lone_surrogate_never_comes_into_the_data() -> None:
    for text in ('a: "x\\ud800"\n', '"\\udfff": 1\n', 'a: !!str "\\ud800"\n'):
        document = read(text)
        assert rules(document) == ["yaml-surrogate"]
        json.dumps(document.data, ensure_ascii=False).encode()


@both_parsers
@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_a_character_at_which_old_yaml_breaks_lines_does_not_change_a_value_unseen(character: str) -> None:
    document = read(f'a: 1\nb: "x {character} y"\n')
    assert rules(document) == ["yaml-syntax"]
    assert (document.problems[0].location.line, document.problems[0].location.column) == (2, 7)
    assert f"\\u{ord(character):04X}" in str(document.problems[0].hint)
    assert read(f'b: "x \\u{ord(character):04X} y"\n').data == {"b": f"x {character} y"}


@both_parsers
def test_a_character_beyond_unicode_is_a_problem() -> None:
    assert rules(read('a: "\\U00110000"\n')) == ["yaml-syntax"]


@both_parsers
def test_all_faults_that_leave_the_rest_readable_are_told_together() -> None:
    document = read("a: .nan\nb: !x 1\na: 2\n<<: {c: *nope}\nd: [~: 1]\n")
    assert rules(document) == [
        "yaml-number",
        "yaml-tag",
        "yaml-duplicate-key",
        "yaml-merge-key",
        "yaml-alias",
        "yaml-key",
    ]
    assert [problem.location.line for problem in document.problems] == [1, 2, 3, 4, 4, 5]


def test_bytes_that_are_not_utf8_are_placed_at_the_first() -> None:
    document = read_document(
        "é: 1\nname: caf\u00e9, na\u00efve\n".encode("latin-1").replace(b"\xe9:", "é:".encode()), file="x"
    )
    problem = document.problems[0]
    assert (problem.rule, problem.location.line, problem.location.column) == ("yaml-encoding", 2, 10)
    assert problem.location.source.startswith("name: caf")
    assert "0xE9" in problem.message
    assert (document.text, document.data) == ("", None)
    assert document.locate(("a", 1), key=True).line == 1
    assert document.written(("a",)) == ""


def test_a_byte_order_mark_before_bytes_that_are_not_utf8_counts_no_column() -> None:
    location = read_document(b"\xef\xbb\xbfa: \xff", file="x").problems[0].location
    assert (location.line, location.column, location.source) == (1, 4, "a: \ufffd")


def test_utf16_is_recognised() -> None:
    problem = read_document("a: 1\n".encode("utf-16"), file="x").problems[0]
    assert problem.rule == "yaml-encoding"
    assert "UTF-16" in str(problem.hint)


# limits


@both_parsers
@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{" * 1_000_000,
        "- " * 1_000_000,
        "? " * 100_000,
        "{a: " * 100_000,
        "[&a " * 100_000,
        "[[]," * 100_000,
    ],
    ids=["lists", "mappings", "dashes", "questions", "values", "anchors", "pairs"],
)
def test_endless_nesting_is_left_early(text: str) -> None:
    started = time.process_time()
    assert {"yaml-depth", "yaml-syntax"} & set(rules(read(text)))
    assert time.process_time() - started < 5


@both_parsers
def test_sixty_four_levels_are_read_and_one_more_is_not() -> None:
    inner = "[" * MOST_LEVELS + "]" * MOST_LEVELS
    assert read(inner).problems == ()
    assert rules(read(f"[{inner}]")) == ["yaml-depth"]
    assert rules(read("a:\n" + "".join(" " * n + "b:\n" for n in range(1, 80)))) == ["yaml-depth"]


def test_levels_are_counted_through_aliases() -> None:
    deep = "[" * 40 + "]" * 40
    assert read(f"a: &a {deep}\nb: [[*a]]\n").problems == ()
    assert rules(read(f"a: &a {deep}\nb: &b {'[' * 20}*a{']' * 20}\nc: [[[[*b]]]]\n")) == ["yaml-depth"]


def test_fifty_thousand_values_are_read_and_one_more_is_not() -> None:
    # the job's key, its value, `body`, the list, and the items
    fits = "jobs:\n  a:\n    body: [" + "1," * (MOST_NODES - 4) + "]\n"
    assert read(fits).problems == ()
    assert rules(read(fits.replace("1,]", "1,1]"))) == ["yaml-size"]


def test_each_job_and_each_row_has_a_budget_of_its_own() -> None:
    body = "{body: [" + "1," * 30_000 + "]}"
    assert read("jobs:\n" + "".join(f"  j{n}: {body}\n" for n in range(3))).problems == ()
    assert read("schedules:\n" + "".join(f"  j{n}: {body}\n" for n in range(3))).problems == ()
    assert read("".join(f"- {body}\n" for n in range(3))).problems == ()
    assert rules(read("vars:\n" + "".join(f"  j{n}: {body}\n" for n in range(3)))) == ["yaml-size"]
    assert rules(read("a:\n  jobs:\n" + "".join(f"    j{n}: {body}\n" for n in range(3)))) == ["yaml-size"]


def test_aliases_are_counted_in_each_job() -> None:
    def job(name: str, count: int) -> str:
        return f"  {name}: [" + "*x," * count + "]\n"

    assert read("x-x: &x 1\njobs:\n" + job("a", MOST_ALIASES) + job("b", MOST_ALIASES)).problems == ()
    assert rules(read("x-x: &x 1\njobs:\n" + job("a", MOST_ALIASES + 1))) == ["yaml-alias"]


@both_parsers
def test_a_billion_laughs_are_counted_and_refused() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 10)]
    assert rules(read("\n".join(lines))) == ["yaml-size"]


def test_an_anchor_around_all_jobs_still_counts_what_it_repeats() -> None:
    body = "[" + "1," * 30_000 + "]"
    text = f"jobs: &all\n  a: {body}\n  b: {body}\nx-more: *all\n"
    assert rules(read(text)) == ["yaml-size"]


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    document = read_document(b"#" * (MOST_BYTES + 1), file="x")
    assert rules(document) == ["yaml-size"]
    assert document.problems[0].location.line == 0
    assert read_document(b"#" * MOST_BYTES, file="x").problems == ()


def test_faults_without_end_are_left_after_a_thousand() -> None:
    for text in ("<<: 1\n" * 200_000, "a: 1\n" * 200_000, "[" + "!x 1," * 40_000 + "]"):
        document = read(text)
        assert 1000 <= len(document.problems) <= 1001
        assert any("not read any further" in problem.message for problem in document.problems)


def test_long_lines_that_fail_do_not_take_quadratic_time() -> None:
    started = time.process_time()
    for text in (
        "a: 1\n" + "-" * 1_000_000 + "\nb: 1\n",
        "x " * 500_000 + ": : b: c\n",
        "a: {" + "${{" * 300_000,
    ):
        assert read(text).problems
    assert time.process_time() - started < 5


def test_the_cycle_collector_is_left_as_it_was_found() -> None:
    read("a: [")
    assert gc.isenabled()
    gc.disable()
    try:
        read("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()


# whatever comes


SEED = """# a job file
run_key: ${{ run.date }}
x-base: &base {retries: 3, "q": 'it''s'}
jobs:
  hello:
    url: ${{ vars.api }}/hello
    body: {hello: world, n: [1, 2.50, ~, "\\u00e9"]}
    headers: *base
    text: |
      a
        b
    folded: >-
      c
  ? other
  : !!str 12
"""


def check(content: bytes) -> None:
    document = read_document(content, file="f")
    for problem in document.problems:
        assert problem.location.line >= 0
        assert problem.location.column >= 1
        assert problem.message.isprintable()
        assert problem.hint is None or problem.hint.isprintable()
    if document.data is not None:
        json.dumps(document.data, default=str, ensure_ascii=False).encode()
        visit(document, document.data, ())


def visit(document: Document, value: Any, path: Path) -> None:
    """Every value has a place inside the file, and every scalar a text."""
    location = document.locate(path, key=True)
    assert document.text[document.text.find(location.source) :].startswith(location.source)
    assert isinstance(document.written(path), str)
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        visit(document, inner, (*path, step))


@both_parsers
@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(content: bytes) -> None:
    check(content)


@both_parsers
@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="a:-? ,[]{}&*!|>'\"%@`#~<\\\n\t\r0129.$eu\u00e9\u2028\ufeff", max_size=40))
def test_no_text_of_yaml_signs_makes_it_raise(text: str) -> None:
    check(text.encode())


@both_parsers
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_damage_to_a_good_file_makes_it_raise(data: st.DataObject) -> None:
    text = SEED
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 5)))
        text = text[:start] + data.draw(st.text(alphabet=":-[]{}&*!|'\"\\\n\t #b${", max_size=3)) + text[end:]
    check(text.encode())


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_what_both_parsers_can_read_they_read_alike(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SEED)))
    text = (
        SEED[:start]
        + data.draw(st.sampled_from([":", "-", "[", "'", '"', " ", "\n", "a", "b: 1\n"]))
        + SEED[start:]
    )
    content = text.encode()
    fast = read_document(content, file="f")
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CBaseLoader", raising=False)
        slow = read_document(content, file="f")
    if not fast.problems and not slow.problems:
        assert fast.data == slow.data
        assert fast.locate(("jobs", "hello", "headers")) == slow.locate(("jobs", "hello", "headers"))


def test_a_dump_of_many_jobs_is_read_and_every_job_is_found_at_once() -> None:
    stream = io.StringIO()
    stream.write("jobs:\n")
    for number in range(3_000):
        stream.write(f"  job-{number}:\n    url: http://x/{number}\n")
    document = read(stream.getvalue())
    assert document.problems == ()
    assert [document.locate(("jobs", f"job-{n}"), key=True).line for n in range(3_000)] == [
        2 + 2 * n for n in range(3_000)
    ]
