"""The published schemas, the code's limits and its filters -> the tables of the reference pages, as Markdown.

`cog -I docs -r docs/job-file.md` writes them into the page. `cog -I docs --check docs/*.md` says whether they are still
true, and so does `tests/test_docs_reference.py`, which needs no cog.
"""

import ast
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from qstash_jobs.cli.main import group
from qstash_jobs.document import MOST_ALIASES, MOST_BYTES, MOST_LEVELS, MOST_NODES
from qstash_jobs.files import BODY_BYTES
from qstash_jobs.prepare.collector import PROBLEMS_OF_A_JOB
from qstash_jobs.prepare.keys import ROW_KEY_BYTES
from qstash_jobs.problem import Location
from qstash_jobs.render import Scope, compile_value
from qstash_jobs.render.expression import MAX_EXPRESSION, MAX_EXPRESSIONS, MAX_FILTERS
from qstash_jobs.render.text import MAX_TEXT_BYTES, write_json
from qstash_jobs.rows.row import LONGEST_FIELD, LONGEST_LINE, LONGEST_WHOLE
from qstash_jobs.schema import job_file_schema, project_schema
from qstash_jobs.state import TRANSITIONS, Transition

Schema = Mapping[str, Any]

ROOT = Path(__file__).parent.parent

FILTERS: Sequence[tuple[str, str, Any, str]] = (
    ("number", "${{ row.total | number }}", "10.50", "a number as JSON writes it; its digits are kept"),
    ("int", "${{ row.count | int }}", "12", "a whole number"),
    ("string", "${{ row.zip | string }}", 8400, "text; true, false and digits as written"),
    ("json", "${{ row.tags | json }}", ["a", "b"], "any value as compact JSON text"),
    ("default", '${{ row.note | default("none") }}', None, "another value for what is missing or null"),
    ("urlencode", "${{ row.email | urlencode }}", "ada+x@example.com", "percent-encoded, `/` included"),
    ("lower", "${{ row.email | lower }}", "Ada@Example.com", "in lower case"),
    ("upper", "${{ row.code | upper }}", "de", "in upper case"),
    ("trim", "${{ row.name | trim }}", " Ada ", "without the blanks around it"),
    ("b64encode", "${{ row.pair | b64encode }}", "user:pass", "in base64"),
    ("date", '${{ row.at | date("%d.%m.%Y") }}', "2026-01-31T09:00:00Z", "a date; `%Y-%m-%d` without a form"),
)
"""Each filter with an expression, the value of its look-up, and what it does in a few words."""


def job_fields() -> str:
    """Write the fields of a job."""
    return JOB_FILE.fields("job")


def schedule_fields() -> str:
    """Write the fields that only a schedule has, and name those of a job that it has not."""
    job, schedule = (job_file_schema()["$defs"][name]["properties"] for name in ("job", "schedule"))
    missing = ", ".join(f"`{name}`" for name in job if name not in schedule)
    return f"{JOB_FILE.fields('schedule', without=job)}\nIt has every field of a job but {missing}.\n"


def set_keys() -> str:
    """Write the keys at the top of a job set."""
    return JOB_FILE.keys(job_file_schema()["$defs"]["job_set"])


def inner_keys(field: str) -> str:
    """Write what stands inside a field that may be a mapping, such as `for_each`."""
    return JOB_FILE.keys(JOB_FILE.find_mapping(field))


def resource_keys(kind: str) -> str:
    """Write what is declared of a URL group, a queue or a flow control."""
    return JOB_FILE.keys(job_file_schema()["$defs"][f"{kind}_resource"])


def project_keys() -> str:
    """Write the keys of the project file."""
    return PROJECT.keys(project_schema())


def policy_keys() -> str:
    """Write the keys of a project's policy."""
    return PROJECT.keys(PROJECT.find_mapping("policy"))


def filters() -> str:
    """Write every filter with what it makes of an example, worked out here."""
    rows = [
        (f"`{name}`", _code(text), _code(_show(value)), _code(_show(_fill(text, value))), what)
        for name, text, value, what in FILTERS
    ]
    return _table(("filter", "written", "found", "becomes", "makes"), rows)


def limits() -> str:
    """Write how much of everything is read."""
    return _table(
        ("what", "at most"),
        [
            ("a job file", _mebibytes(MOST_BYTES)),
            ("mappings and lists inside each other", f"{MOST_LEVELS} levels"),
            ("keys and values of one job", f"{MOST_NODES:,}"),
            ("aliases in one job", f"{MOST_ALIASES}"),
            ("an expression", f"{MAX_EXPRESSION:,} characters, {MAX_FILTERS} filters"),
            ("expressions in one value", f"{MAX_EXPRESSIONS}"),
            ("a text after rendering", _mebibytes(MAX_TEXT_BYTES)),
            ("a `body_file`", _mebibytes(BODY_BYTES)),
            ("a row's key", f"{ROW_KEY_BYTES} bytes"),
            ("a csv, tsv or jsonl file", "any size: it is streamed"),
            ("a line of one", f"{LONGEST_LINE:,} characters"),
            ("a value in csv or tsv", f"{LONGEST_FIELD:,} characters"),
            ("a json or yaml file of rows", _mebibytes(LONGEST_WHOLE)),
            ("different problems of one job's rows; then the rest is not read", f"{PROBLEMS_OF_A_JOB}"),
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A schema's definitions, and how tables are made from them."""

    definitions: Mapping[str, Schema]

    def fields(self, name: str, *, without: Iterable[str] = ()) -> str:
        """Write a definition's properties with what each becomes on the wire."""
        rows = []
        for key, item in self._properties(self.definitions[name]):
            if key not in without:
                text, _, wire = item["description"].partition(" Wire: ")
                rows.append((f"`{key}`", self._list_values(item), text, wire.removesuffix(".")))
        return _table(("field", "value", "what it says", "sent as"), rows)

    def keys(self, schema: Schema) -> str:
        """Write a mapping's properties."""
        rows = [
            (f"`{key}`", self._list_values(item), item["description"])
            for key, item in self._properties(schema)
        ]
        return _table(("key", "value", "what it says"), rows)

    def find_mapping(self, field: str) -> Schema:
        """Find the alternative of a field in which it is a mapping."""
        mappings = [item for item in self._alternatives(self.definitions[field]) if "properties" in item]
        return mappings[0]

    def _properties(self, schema: Schema) -> Iterator[tuple[str, Schema]]:
        for key, item in schema["properties"].items():
            resolved = self._resolve(item)
            if resolved.get("not") != {}:  # `version` is reserved: nothing may stand there
                yield key, resolved

    def _resolve(self, schema: Schema) -> Schema:
        """Follow references; what stands beside one is stronger."""
        if "$ref" not in schema:
            return schema
        target = self._resolve(self.definitions[schema["$ref"].rpartition("/")[2]])
        return {**target, **{key: item for key, item in schema.items() if key != "$ref"}}

    def _alternatives(self, schema: Schema) -> Iterator[Schema]:
        """Yield what may stand there, less the expression and the null that hold everywhere."""
        if "anyOf" not in schema or "type" in schema:
            yield schema
            return
        for item in schema["anyOf"]:
            if item.get("$ref", "").endswith("/expression") or item == {"type": "null"}:
                continue
            yield from self._alternatives(self._resolve(item))

    def _list_values(self, schema: Schema) -> str:
        if "anyOf" in schema and "type" not in schema:
            return "; or ".join(dict.fromkeys(item["title"] for item in self._alternatives(schema)))
        return schema["title"] if schema.get("title", "").startswith("a ") else _name_type(schema)


JOB_FILE = Book(definitions=job_file_schema()["$defs"])
PROJECT = Book(definitions=project_schema()["$defs"])


def _name_type(schema: Schema) -> str:
    types = schema.get("type", ())
    names = {"object": "a mapping", "array": "a list", "string": "text"}
    return next((name for type_, name in names.items() if type_ == types or type_ in types), "")


def _fill(text: str, value: Any) -> Any:
    """Work an expression out whose look-up finds a value in a row."""
    template, problems = compile_value(text, place=lambda _: Location(file="", line=0, column=0))
    name = text.partition("row.")[2].partition(" ")[0]
    filled = template.fill(Scope(roots={"row": {name: value}}))
    if problems or filled.findings:
        raise ValueError(f"{text} cannot be filled with {value!r}")
    return filled.value


def _show(value: Any) -> str:
    return write_json(value) or ""


def _code(text: str) -> str:
    return f"`{text}`"


def _mebibytes(size: int) -> str:
    return f"{size // 1024**2} MiB"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def command_help(name: str) -> str:
    """Write what `qstash-jobs NAME --help` prints, a hundred columns wide."""
    group_context = click.Context(
        group, info_name="qstash-jobs", terminal_width=100, **group.context_settings
    )
    command: click.Command | None = group
    context = group_context
    for word in name.split():
        command = command.get_command(context, word) if isinstance(command, click.Group) else None
        if command is None:
            raise ValueError(f"there is no command {name}")
        context = click.Context(command, info_name=word, parent=context, terminal_width=100)
    return f"```\n{context.command.get_help(context)}\n```\n"


def state_picture() -> str:
    """Draw which state of a message may follow which."""
    edges = [f"    {one.before or '[*]'} --> {one.after}" for one in TRANSITIONS]
    return "\n".join(("```mermaid", "stateDiagram-v2", *edges, "```\n"))


def state_changes() -> str:
    """Write every change of a message's state that is allowed, and when it happens."""
    rows = [
        (f"`{one.before}`" if one.before else "new", f"`{one.after}`", one.when + _write_doubt(one))
        for one in TRANSITIONS
    ]
    return _table(("from", "to", "when"), rows)


CHAOS: Mapping[str, str] = {
    "extra": "extra copies",
    "false_errors": "told as failed, and accepted",
    "false_successes": "told as published, and never accepted",
    "lost": "never accepted, and nobody was told",
    "in_doubt": "told as in doubt",
    "failed": "told as failed, and so it is",
}
"""What `benchmarks/chaos.py` counts."""


def chaos_figures() -> str:
    """Write what `benchmarks/chaos.py` has measured, per mille of the messages."""
    kept = json.loads((ROOT / "benchmarks" / "chaos.json").read_text(encoding="utf-8"))
    sent = f"{kept['seeds']} × {kept['messages']:,} messages, {kept['share']:.0%} of the requests go wrong"
    return f"{sent}; per mille of the messages:\n\n" + _table(
        ("", *CHAOS.values()),
        (
            (one["client"], *(f"{1000 * one[name] / one['messages']:.1f}" for name in CHAOS))
            for one in kept["figures"]
        ),
    )


def _write_doubt(transition: Transition) -> str:
    return "" if transition.clears_doubt else "; never while an earlier attempt may have been accepted"


def modules() -> str:
    """Write what each module of the program does, in the order of its layers: the first line of its own text."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (one for one in layers["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    names = [name.strip() for layer in reversed(contract["layers"]) for name in layer.split("|")]
    return _table(("module", "does"), ((f"`{name}`", _read_first_line(name)) for name in names))


def _read_first_line(name: str) -> str:
    place = ROOT / "qstash_jobs" / name
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
