"""A Job -> its templates, compiled once, and what is known of them before any row is."""

from typing import Any

from qstash_jobs.job import Job
from qstash_jobs.problem import Location, Path, Problem
from qstash_jobs.render import JOB, JOB_OF_ROWS, Allowed, Place, Template, compile_value
from qstash_jobs.value import dataclass

SCHEDULE = Allowed(names=JOB.names, where="a schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledJob:
    """A job whose templates are compiled."""

    job: Job
    template: Template
    about: Template | None
    """`enabled` and `for_each`, which know nothing of rows; None for a job that says neither."""
    key: Template | None
    """`key`: the expression that names a row."""
    changing: frozenset[str]
    """The fields that a row can change."""
    secret_headers: tuple[str, ...]
    """The headers that hold a secret, whatever row it is."""


def compile_job(job: Job) -> tuple[CompiledJob, list[Problem]]:
    """Compile a job's templates; the result is usable where there is no problem."""

    def place(path: Path) -> Location:
        return job.place(path)

    allowed = _allowed(job)
    template, problems = compile_value(dict(job.fields), place=place, allowed=allowed)
    about, more = _compile_about(job, place)
    key, still_more = _compile_key(job)
    compiled = CompiledJob(
        job=job,
        template=template,
        about=about,
        key=key,
        changing=template.fields_depending_on("row"),
        secret_headers=_secret_headers(template),
    )
    return compiled, [*problems, *more, *still_more]


def _compile_about(job: Job, place: Place) -> tuple[Template | None, list[Problem]]:
    if job.enabled is True and job.for_each is None:
        return None, []
    about = {"enabled": job.enabled, "for_each": _without_key(job.for_each)}
    return compile_value(about, place=place, allowed=JOB)


def _secret_headers(template: Template) -> tuple[str, ...]:
    paths = template.paths_depending_on("secrets")
    return tuple(sorted({str(path[1]) for path in paths if path[0] == "headers" and len(path) > 1}))


def _without_key(for_each: Any) -> Any:
    if isinstance(for_each, dict):
        return {name: value for name, value in for_each.items() if name != "key"}
    return for_each


def _allowed(job: Job) -> Allowed:
    if job.kind == "schedule":
        return SCHEDULE
    return JOB if job.for_each is None else JOB_OF_ROWS


def _compile_key(job: Job) -> tuple[Template | None, list[Problem]]:
    key = job.for_each.get("key") if isinstance(job.for_each, dict) else None
    if key is None:
        return None, []
    text = key if "${{" in str(key) else "${{ row[" + _quote(str(key)) + "] }}"
    return compile_value({"key": text}, place=lambda _: job.place(("for_each", "key")))


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
