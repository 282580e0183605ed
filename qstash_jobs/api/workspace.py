"""Paths -> a Workspace: every job file below them read and held against the schema, with the project around it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from qstash_jobs.document import Document, read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.files import PROJECT_FILE, JobPath, find_job_files, find_root, show
from qstash_jobs.files import read_document as read_bytes
from qstash_jobs.git import git_remote
from qstash_jobs.grammar import is_job_id, nearest
from qstash_jobs.job import Job, JobFile, Source, read_job_file
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.project import Project, read_project
from qstash_jobs.schema import check_job_file, check_project_file, shape
from qstash_jobs.value import dataclass

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a command was told to read."""

    paths: tuple[str, ...]
    here: Path
    """The working directory."""
    environment: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    vars_file: Path | None = None
    secrets_dir: Path | None = None
    jobs: tuple[str, ...] = ()
    """Patterns of full names or ids; none means all."""
    schedules_too: bool = False
    """The patterns may choose schedules."""
    schedules: tuple[str, ...] = ()
    """Patterns of schedules to publish now, once; with any, jobs are published only where `jobs` names them."""
    stdin: bytes | None = None
    """What standard input held, for the path `-`: it can be read once only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The job files of one project, read. `problems` tells what of them is out of order."""

    inputs: Inputs
    root: Path
    project: Project
    project_name: str | None
    """As the project file says, else the git remote; None where neither does."""
    files: tuple[JobFile, ...]
    variables: tuple[Source, ...]
    """Of `--vars-file` and `--var`: stronger than any file's."""
    problems: tuple[Problem, ...]
    documents: tuple[str, ...]
    """Every job file that was read, those with errors included, as they are shown."""

    @property
    def files_read(self) -> int:
        return len(self.documents)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that were asked for, in the order in which they are published."""
        return tuple(job for file in self.files for job in file.jobs if is_chosen(job, self.inputs.jobs))

    @property
    def schedules(self) -> tuple[Job, ...]:
        return tuple(schedule for file in self.files for schedule in file.schedules)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def is_chosen(job: Job, patterns: Sequence[str]) -> bool:
    """Say whether a job's full name or its id matches one of the patterns; no patterns choose all."""
    return not patterns or any(fnmatchcase(name, one) for one in patterns for name in (job.name, job.id))


def load(inputs: Inputs) -> Workspace:
    """Read everything that was asked for. Faults in files are the workspace's problems; UsageError for the rest."""
    found = find_job_files([path for path in inputs.paths if path != STDIN], here=inputs.here)
    root = _one_root(found, inputs)
    project, project_problems = _load_project(root, inputs)
    documents = _drop_data_files(_read(found))
    if STDIN in inputs.paths:
        documents[_name_stdin(root, inputs, documents)] = _read_stdin(inputs)
    files, problems = _read_files(documents, project)
    if any(problem.severity is Severity.ERROR for problem in project_problems):
        # without the project's variables and defaults, most that could be said of its jobs would be wrong
        files = []
    workspace = Workspace(
        inputs=inputs,
        root=root,
        project=project,
        project_name=project.name or git_remote(root),
        files=tuple(files),
        variables=_variables(inputs),
        problems=(*project_problems, *problems),
        documents=tuple(document.file for document in documents.values()),
    )
    _refuse_idle_patterns(workspace)
    return workspace


def _refuse_idle_patterns(workspace: Workspace) -> None:
    """Refuse a pattern that chooses nothing: it is misspelt, and what it was meant for would silently stay behind."""
    if workspace.has_errors:
        return
    jobs = [job for file in workspace.files for job in file.jobs]
    if workspace.inputs.schedules_too:
        jobs += workspace.schedules
    idle = [one for one in workspace.inputs.jobs if not any(is_chosen(job, (one,)) for job in jobs)]
    if idle:
        raise UsageError(f"no job matches {' or '.join(idle)}")
    idle = [
        one
        for one in workspace.inputs.schedules
        if not any(is_chosen(schedule, (one,)) for schedule in workspace.schedules)
    ]
    if idle:
        raise UsageError(f"no schedule matches {' or '.join(idle)}")


def _read_stdin(inputs: Inputs) -> Document:
    if inputs.stdin is None:
        raise UsageError("standard input can be read once only; name a file instead of -")
    return read_document(inputs.stdin, file="stdin")


def _name_stdin(root: Path, inputs: Inputs, taken: Mapping[str, Document]) -> str:
    """Name what came through standard input as a file of the working directory would be: data files lie beside it."""
    here = inputs.here.resolve()
    folder = here.relative_to(root).as_posix() if here.is_relative_to(root) else "."
    name = "stdin" if folder == "." else f"{folder}/stdin"
    if name in taken:
        raise UsageError(f"{taken[name].file} and standard input would give their jobs the same names")
    return name


def name_environments(inputs: Inputs) -> tuple[str, ...]:
    """Name the environments to look at: the one that is chosen, else each that the project declares, else none."""
    if inputs.environment:
        return (inputs.environment,)
    found = find_job_files([path for path in inputs.paths if path != STDIN], here=inputs.here)
    project, _ = _load_project(_one_root(found, inputs), inputs)
    return project.environments or ("",)


def load_each_environment(inputs: Inputs) -> list[Workspace]:
    """Load once for each environment that the project declares; just once where one is chosen or none declared."""
    workspace = load(inputs)
    names = () if inputs.environment else workspace.project.environments
    return [load(replace(inputs, environment=name)) for name in names] or [workspace]


def find_project(here: Path, environment: str = "") -> Project:
    """Read the project file around a folder, for a command that names no job files; UsageError for a broken one."""
    inputs = Inputs(paths=(), here=here, environment=environment)
    project, problems = _load_project(_root_around(here), inputs)
    for problem in problems:
        if problem.severity is Severity.ERROR:
            place = f"{problem.location.file}:{problem.location.line}"
            raise UsageError(f"{place}: {problem.message}; mend the project file first")
    return project


def _root_around(here: Path) -> Path:
    return find_root(here.resolve(), given=here)


def _one_root(found: Sequence[JobPath], inputs: Inputs) -> Path:
    roots = sorted({job_path.root for job_path in found})
    if len(roots) > 1:
        shown = " and ".join(show(root, inputs.here) for root in roots[:2])
        raise UsageError(f"these paths belong to two projects, {shown}; run them one after the other")
    return roots[0] if roots else _root_around(inputs.here)


def _load_project(root: Path, inputs: Inputs) -> tuple[Project, list[Problem]]:
    path = root / PROJECT_FILE
    if not os.path.lexists(path):
        if inputs.environment:
            raise UsageError(f"there is no environment {inputs.environment}: no {PROJECT_FILE} declares any")
        return Project(), []
    shown = show(path, inputs.here)
    document = read_document(read_bytes(path, shown=shown), file=shown)
    problems = [*document.problems, *check_project_file(document)]
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Project(), problems
    project = read_project(document, inputs.environment)
    if inputs.environment and inputs.environment not in project.environments:
        likely = nearest(inputs.environment, project.environments)
        hint = f"did you mean {likely}?" if likely else f"it has {', '.join(project.environments) or 'none'}"
        raise UsageError(f"{document.file} declares no environment {inputs.environment}; {hint}")
    return project, problems


def _read(found: Sequence[JobPath]) -> list[tuple[JobPath, Document]]:
    return [
        (job_path, read_document(read_bytes(job_path.path, shown=job_path.shown), file=job_path.shown))
        for job_path in found
    ]


def _drop_data_files(found: Sequence[tuple[JobPath, Document]]) -> dict[str, Document]:
    """Leave out the files of a folder that some job there reads as data: they are no job files.

    The rest go by what the names of their jobs begin with.
    """
    data = {
        file
        for job_path, document in found
        if not job_path.named
        for file in _data_files(document, job_path.path)
    }
    return {
        job_path.name: document for job_path, document in found if job_path.named or job_path.path not in data
    }


def _data_files(document: Document, path: str) -> Iterator[str]:
    """Find the files that a document's jobs read, links followed as far as they lead."""
    if not isinstance(document.data, dict):
        return
    for job in [document.data, *_mappings(document.data.get("jobs"))]:
        for_each = job.get("for_each")
        file = for_each.get("file") if isinstance(for_each, dict) else for_each
        for each in (file, job.get("body_file")):
            if isinstance(each, str) and "\0" not in each:
                yield os.path.realpath(Path(path).parent / each)


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value.values() if isinstance(item, dict)] if isinstance(value, dict) else []


def _read_files(documents: Mapping[str, Document], project: Project) -> tuple[list[JobFile], list[Problem]]:
    files: list[JobFile] = []
    problems: list[Problem] = []
    for name, document in sorted(documents.items(), key=lambda item: item[0].split("/")):
        found = list(document.problems) or check_job_file(document)
        single = shape(document.data) == "single"
        if single and not is_job_id(name.rpartition("/")[2]):
            found.append(_bad_stem(document, name.rpartition("/")[2]))
        if not any(problem.severity is Severity.ERROR for problem in found):
            files.append(read_job_file(document, name=name, single=single, defaults=project.defaults))
        problems += found
    return files, problems


def _bad_stem(document: Document, stem: str) -> Problem:
    return Problem(
        location=replace(document.locate(()), line=1, column=1),
        rule="job-id",
        message=f"the file's name is the job's id, and {stem!r} can't be one",
        hint="use letters, digits, dots, dashes and underscores, or give the job an id under `jobs:`",
    )


def _variables(inputs: Inputs) -> tuple[Source, ...]:
    sources: list[Source] = []
    if inputs.vars_file is not None:
        shown = str(inputs.vars_file)
        document = read_document(read_bytes(inputs.here / inputs.vars_file, shown=shown), file=shown)
        if document.problems or not isinstance(document.data, dict):
            why = document.problems[0].message if document.problems else "it holds no mapping"
            raise UsageError(f"the variables in {shown} cannot be read: {why}")
        sources.append(Source(document=document, path=(), fields=document.data))
    if inputs.variables:
        document = read_document(_write_variables(inputs.variables), file="--var")
        sources.append(Source(document=document, path=(), fields=document.data))
    return tuple(sources)


def _write_variables(variables: Mapping[str, str]) -> bytes:
    try:
        return orjson.dumps(dict(variables))
    except TypeError as error:
        raise UsageError("--var holds bytes that are not UTF-8") from error
