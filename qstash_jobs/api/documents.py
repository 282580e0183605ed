"""Paths of job files, and standard input -> their documents, by what the names of their jobs begin with."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qstash_jobs.api.inputs import STDIN, Inputs
from qstash_jobs.document import Document, read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.files import JobPath
from qstash_jobs.files import read_document as read_bytes


def read_documents(found: Sequence[JobPath], root: Path, inputs: Inputs) -> dict[str, Document]:
    """Read job files; of a folder, what some job there reads as data is none. UsageError for standard input."""
    documents = _drop_data_files(_read(found))
    if STDIN in inputs.paths:
        documents[_name_stdin(root, inputs, documents)] = _read_stdin(inputs)
    return documents


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
