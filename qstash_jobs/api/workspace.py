"""Paths -> a Workspace: every job file below them read and held against the schema, with the project around it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from qstash_jobs.document import Document, read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.files import DOCUMENT_BYTES, PROJECT_FILE, JobPath, find_job_files, find_root, show
from qstash_jobs.files import read_document as read_bytes
from qstash_jobs.git import git_remote
from qstash_jobs.grammar import is_job_id, nearest
from qstash_jobs.job import Job, JobFile, Source, read_job_file
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.project import Project, read_project
from qstash_jobs.schema import check_job_file, check_project_file, shape

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
    files_read: int
    """Job files, those with errors included."""

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
    named, from_folders = _read(found)
    documents = {**_drop_data_files(from_folders, root), **named}
    if STDIN in inputs.paths:
        documents["stdin"] = read_document(_read_stdin(), file="stdin")
    files, problems = _read_files(documents, project)
    workspace = Workspace(
        inputs=inputs,
        root=root,
        project=project,
        project_name=project.name or git_remote(root),
        files=tuple(files),
        variables=_variables(inputs),
        problems=(*project_problems, *problems),
        files_read=len(documents),
    )
    if inputs.jobs and not workspace.jobs and not workspace.has_errors:
        raise UsageError(f"no job matches {' or '.join(inputs.jobs)}")
    return workspace


@cache
def _read_stdin() -> bytes:
    """Read standard input, which can be read once, for every environment."""
    return sys.stdin.buffer.read(DOCUMENT_BYTES + 1)


def load_each_environment(inputs: Inputs) -> list[Workspace]:
    """Load once for each environment that the project declares; just once where one is chosen or none declared."""
    workspace = load(inputs)
    names = () if inputs.environment else workspace.project.environments
    return [load(replace(inputs, environment=name)) for name in names] or [workspace]


def find_project(here: Path) -> Project:
    """Read the project file around a folder, for a command that names no job files; what is wrong in it is left."""
    inputs = Inputs(paths=(), here=here)
    project, _ = _load_project(find_root(here / PROJECT_FILE, given=here), inputs)
    return project


def _one_root(found: Sequence[JobPath], inputs: Inputs) -> Path:
    roots = sorted({job_path.root for job_path in found})
    if len(roots) > 1:
        shown = " and ".join(show(root, inputs.here) for root in roots[:2])
        raise UsageError(f"these paths belong to two projects, {shown}; run them one after the other")
    return roots[0] if roots else inputs.here


def _load_project(root: Path, inputs: Inputs) -> tuple[Project, list[Problem]]:
    path = root / PROJECT_FILE
    if not path.is_file():
        if inputs.environment:
            raise UsageError(f"there is no environment {inputs.environment}: no {PROJECT_FILE} declares any")
        return Project(), []
    document = read_document(read_bytes(path), file=show(path, inputs.here))
    problems = [*document.problems, *check_project_file(document)]
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Project(), problems
    project = read_project(document, inputs.environment)
    if inputs.environment and inputs.environment not in project.environments:
        likely = nearest(inputs.environment, project.environments)
        hint = f"did you mean {likely}?" if likely else f"it has {', '.join(project.environments) or 'none'}"
        raise UsageError(f"{document.file} declares no environment {inputs.environment}; {hint}")
    return project, problems


def _read(found: Sequence[JobPath]) -> tuple[dict[str, Document], dict[str, Document]]:
    """Read documents by the name that their jobs' names begin with: those given by path, and those in folders."""
    named: dict[str, Document] = {}
    from_folders: dict[str, Document] = {}
    for job_path in found:
        document = read_document(read_bytes(job_path.path), file=job_path.shown)
        (named if job_path.named else from_folders)[job_path.name] = document
    return named, from_folders


def _drop_data_files(documents: dict[str, Document], root: Path) -> dict[str, Document]:
    """Leave out the files of a folder that some job there reads as data: they are no job files."""
    data = {
        path for name, document in documents.items() for path in _data_files(document, (root / name).parent)
    }
    return {
        name: document
        for name, document in documents.items()
        if (root / name).with_name(Path(document.file).name).resolve() not in data
    }


def _data_files(document: Document, folder: Path) -> set[Path]:
    found: set[Path] = set()
    if isinstance(document.data, dict):
        for job in [document.data, *_mappings(document.data.get("jobs"))]:
            for_each = job.get("for_each")
            file = for_each.get("file") if isinstance(for_each, dict) else for_each
            found |= {
                (folder / path).resolve()
                for path in (file, job.get("body_file"))
                if isinstance(path, str) and "\0" not in path
            }
    return found


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
        document = read_document(read_bytes(inputs.here / inputs.vars_file), file=str(inputs.vars_file))
        if document.problems or not isinstance(document.data, dict):
            why = document.problems[0].message if document.problems else "it holds no mapping"
            raise UsageError(f"the variables in {inputs.vars_file} cannot be read: {why}")
        sources.append(Source(document=document, path=(), fields=document.data))
    if inputs.variables:
        document = read_document(orjson.dumps(dict(inputs.variables)), file="--var")
        sources.append(Source(document=document, path=(), fields=document.data))
    return tuple(sources)
