"""Paths -> a Workspace: every job file below them read and held against the schema, with the project around it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from qstash_jobs.api.documents import read_documents
from qstash_jobs.api.inputs import STDIN, Inputs, read_variables
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
    documents = read_documents(found, root, inputs)
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
        variables=read_variables(inputs),
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
