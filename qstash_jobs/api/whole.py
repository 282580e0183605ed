"""A Workspace -> a refusal, where it is not the whole project: what was not read must not look removed."""

import re

from qstash_jobs.api.inputs import STDIN
from qstash_jobs.api.workspace import Workspace
from qstash_jobs.document import read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.files import FileError, find_job_files
from qstash_jobs.files import read_document as read_bytes
from qstash_jobs.job import DECLARING

_LOOKS_DECLARING = re.compile(rf"^[\"']?(?:{'|'.join(DECLARING)})[\"']?[ \t]*:".encode(), re.MULTILINE)


def refuse_part(workspace: Workspace) -> None:
    """UsageError where files of the project that may declare something were not read, or are read in part."""
    inputs = workspace.inputs
    if not workspace.project_name:
        raise UsageError(
            "--prune needs a project's name, to know what is its own: `project: NAME` in qstash-jobs.yaml"
        )
    if inputs.jobs or STDIN in inputs.paths:
        raise UsageError("--prune needs the whole project; leave out --job and standard input")
    read = set(workspace.documents)
    for found in find_job_files([str(workspace.root)], here=inputs.here):
        if found.root == workspace.root and found.shown not in read and may_declare(found.path, found.shown):
            raise UsageError(f"--prune needs the whole project, and {found.shown} was not read; name it too")


def may_declare(path: str, shown: str) -> bool:
    """Say whether a file declares something of an account, or cannot be read and may."""
    try:
        data = read_bytes(path, shown=shown)
    except FileError:
        return True
    document = read_document(data, file=shown)
    if document.problems:
        return _LOOKS_DECLARING.search(data) is not None
    values = document.data if isinstance(document.data, dict) else {}
    return any(isinstance(values.get(section), dict) for section in DECLARING)
