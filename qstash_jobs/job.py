"""Document -> Jobs: defaults merged in, names given, templates not yet rendered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from qstash_jobs.document import Document
from qstash_jobs.problem import Location, Path
from qstash_jobs.value import dataclass

Kind = Literal["job", "schedule"]

DISPLACED = {
    "url": ("url", "url_group"),
    "url_group": ("url", "url_group"),
    "body": ("body", "body_file", "body_base64"),
    "body_file": ("body", "body_file", "body_base64"),
    "body_base64": ("body", "body_file", "body_base64"),
    "delay": ("delay", "not_before"),
    "not_before": ("delay", "not_before"),
}
"""A field that a job sets takes these of the defaults away: only one of each row can hold."""

MERGED = ("headers", "flow_control")
"""Fields whose keys merge with those of the defaults; any other field replaces the default's."""

ABOUT = ("description", "enabled", "for_each")
"""Fields that say something about a job and nothing about its messages."""


DECLARING = ("schedules", "url_groups", "queues", "flow_controls")
"""The parts of a file that say what the account should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A mapping in a document, and the way to it."""

    document: Document
    path: Path
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job or a schedule as written, with every default in it."""

    kind: Kind
    home: Source
    """The job's own mapping."""
    id: str
    name: str
    """`<path without suffix>:<id>`: what the ledger and the deduplication ids hang on."""
    fields: Mapping[str, Any]
    """Merged and not rendered, less what is only about the job. Header values are text as it was written."""
    origins: Mapping[Path, tuple[Document, Path]]
    """Where each field stands; headers and flow control by key."""
    enabled: bool = True
    description: str | None = None
    for_each: Any = None

    @property
    def file(self) -> str:
        return self.home.document.file

    @property
    def line(self) -> int:
        return self.place(()).line

    def place(self, path: Path, *, key: bool = False) -> Location:
        """Locate a field's value, or its key, wherever it stands; the job's own key if it has none."""
        for length in (2, 1):
            origin = self.origins.get(path[:length]) if len(path) >= length else None
            if origin is not None:
                document, base = origin
                return document.locate((*base, *path[length:]), key=key and len(path) == length)
        if path and path[0] in self.home.fields:
            return self.home.document.locate((*self.home.path, *path), key=key)
        return self.home.document.locate(self.home.path, key=bool(self.home.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file: its jobs, and what it declares of the account."""

    document: Document
    name: str
    """The path without suffix that names of jobs begin with."""
    jobs: tuple[Job, ...] = ()
    schedules: tuple[Job, ...] = ()
    run_key: Any = None
    vars: Mapping[str, Any] = field(default_factory=dict)
    url_groups: Mapping[str, Any] = field(default_factory=dict)
    queues: Mapping[str, Any] = field(default_factory=dict)
    flow_controls: Mapping[str, Any] = field(default_factory=dict)


def read_job_file(document: Document, *, name: str, single: bool, defaults: Sequence[Source] = ()) -> JobFile:
    """Read a document that the schema has found in order.

    `defaults` are those of the project, weakest first; the document's own come on top. `single` says that the
    document is one job, whose id is the file's stem.
    """
    data = document.data
    if single:
        fields = {key: value for key, value in data.items() if key != "run_key" and not key.startswith("x-")}
        job = _merge(
            Source(document=document, path=(), fields=fields), "job", name.rpartition("/")[2], name, defaults
        )
        return JobFile(document=document, name=name, jobs=(job,), run_key=data.get("run_key"))
    if data.get("defaults"):
        defaults = (*defaults, Source(document=document, path=("defaults",), fields=data["defaults"]))
    return JobFile(
        document=document,
        name=name,
        jobs=tuple(_each(document, "jobs", "job", name, defaults)),
        schedules=tuple(_each(document, "schedules", "schedule", name, defaults)),
        run_key=data.get("run_key"),
        vars=data.get("vars") or {},
        url_groups=data.get("url_groups") or {},
        queues=data.get("queues") or {},
        flow_controls=data.get("flow_controls") or {},
    )


def _each(
    document: Document, section: str, kind: Kind, name: str, defaults: Sequence[Source]
) -> Iterator[Job]:
    for id_, fields in (document.data.get(section) or {}).items():
        yield _merge(Source(document=document, path=(section, id_), fields=fields), kind, id_, name, defaults)


NOT_OF_A_SCHEDULE = ("for_each", "not_before", "dedup")


def _merge(home: Source, kind: Kind, id_: str, name: str, defaults: Sequence[Source]) -> Job:
    merged: dict[str, Any] = {}
    origins: dict[Path, tuple[Document, Path]] = {}
    for source in (*defaults, home):
        for key, value in source.fields.items():
            if kind == "schedule" and key in NOT_OF_A_SCHEDULE and source is not home:
                continue
            for displaced in DISPLACED.get(key, ()):
                if displaced != key:
                    merged.pop(displaced, None)
                    origins.pop((displaced,), None)
            _put(merged, origins, source, key, value)
    about = {key: merged.pop(key) for key in ABOUT if key in merged}
    return Job(
        kind=kind,
        home=home,
        id=id_,
        name=f"{name}:{id_}",
        fields=merged,
        origins=origins,
        enabled=about.get("enabled", True),
        description=about.get("description"),
        for_each=about.get("for_each"),
    )


def _put(
    merged: dict[str, Any], origins: dict[Path, tuple[Document, Path]], source: Source, key: str, value: Any
) -> None:
    here = (*source.path, key)
    if value is None:
        merged.pop(key, None)
    elif key in MERGED and isinstance(value, dict):
        merged[key] = dict(merged.get(key, {}))
        for name, item in value.items():
            _put_inner(merged[key], origins, source, key, name, item)
    else:
        merged[key] = value
        origins[(key,)] = (source.document, here)


def _put_inner(
    inner: dict[str, Any],
    origins: dict[Path, tuple[Document, Path]],
    source: Source,
    key: str,
    name: str,
    value: Any,
) -> None:
    if key == "headers":
        for same in [known for known in inner if known.lower() == name.lower()]:
            del inner[same]
            origins.pop((key, same), None)
    if value is None:
        inner.pop(name, None)
        return
    path = (*source.path, key, name)
    inner[name] = value if isinstance(value, str) or key != "headers" else source.document.written(path)
    origins[(key, name)] = (source.document, path)
