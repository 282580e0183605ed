"""Paths: every file found once, under one name, inside its project, and read without ever waiting."""

import os
from pathlib import Path

import pytest

from qstash_jobs.files import (
    BLOCK_BYTES,
    ChangedError,
    FileError,
    Reading,
    find_job_files,
    find_root,
    inside,
    read_body,
    read_document,
)


def touch(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(*paths: str, here: Path) -> list[str]:
    return [found.name for found in find_job_files(list(paths), here=here)]


def test_a_folder_is_searched_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "b/z.yml",
        "b/a.yaml",
        "a.yaml",
        ".git/x.yaml",
        ".hidden.yaml",
        "note.txt",
        "qstash-jobs.yaml",
    ):
        touch(tmp_path / name)
    assert names(".", here=tmp_path) == ["a", "b/a", "b/z"]


def test_a_name_is_relative_to_the_nearest_project_file_else_to_the_work_tree(tmp_path: Path) -> None:
    touch(tmp_path / ".git" / "HEAD")
    touch(tmp_path / "shop" / "qstash-jobs.yaml")
    touch(tmp_path / "shop" / "jobs" / "a.yaml")
    touch(tmp_path / "other" / "b.yaml")
    assert names("shop/jobs", here=tmp_path) == ["jobs/a"]
    assert names("other/b.yaml", here=tmp_path) == ["other/b"]


def test_without_either_a_name_is_relative_to_what_was_given(tmp_path: Path) -> None:
    touch(tmp_path / "jobs" / "deep" / "a.yaml")
    assert names("jobs", here=tmp_path) == ["deep/a"]
    assert names("jobs/deep/a.yaml", here=tmp_path) == ["a"]


def test_a_file_given_twice_is_one_file(tmp_path: Path) -> None:
    touch(tmp_path / "jobs" / "a.yaml")
    (tmp_path / "link").symlink_to("jobs")
    assert names("jobs", "jobs/a.yaml", "./jobs/../jobs", "link/a.yaml", here=tmp_path) == ["a"]


def test_a_link_to_a_file_elsewhere_belongs_to_where_that_file_lies(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "a.yaml")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "b.yaml").symlink_to("../elsewhere/a.yaml")
    (found,) = find_job_files(["jobs"], here=tmp_path)
    assert (found.name, found.root) == ("a", tmp_path / "elsewhere")


def test_a_link_to_a_folder_is_not_followed_whatever_it_is_called(tmp_path: Path) -> None:
    touch(tmp_path / "jobs" / "a.yaml")
    touch(tmp_path / "elsewhere" / "b.yaml")
    for name, target in (("up", ".."), ("all.yaml", "../elsewhere"), ("elsewhere", "../elsewhere")):
        (tmp_path / "jobs" / name).symlink_to(target)
    assert names("jobs", here=tmp_path) == ["a"]


def test_links_that_lead_in_a_circle_are_told_when_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.yaml").symlink_to("a.yaml")
    (found,) = find_job_files(["jobs"], here=tmp_path)
    with pytest.raises(FileError, match=r"jobs/a\.yaml cannot be read: too many levels of symbolic links"):
        read_document(found.path, shown=found.shown)


def test_a_project_file_that_leads_nowhere_is_still_the_project_s(tmp_path: Path) -> None:
    (tmp_path / "qstash-jobs.yaml").symlink_to("nowhere")
    assert find_root(tmp_path / "jobs", given=tmp_path / "jobs") == tmp_path


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["nope"], "there is no file or folder nope"),
        ([""], "a PATH is empty"),
        (["a.yaml/b"], "there is no file or folder a.yaml/b"),
        (["empty"], "no job files in empty: nothing there ends in .yaml or .yml"),
        (["a\0b"], "cannot be the name of a file"),
        (["x" * 300], "cannot be read: file name too long"),
        (["same"], "same/a.yaml and same/a.yml would give their jobs the same names"),
        (["qstash-jobs.yaml"], "is the project file; name a job file"),
        (["dangling.yaml"], "dangling.yaml is a link that leads nowhere"),
        (["links"], "^links/b.yaml is a link that leads nowhere$"),
        (["circle.yaml"], "circle.yaml cannot be read: too many levels of symbolic links"),
    ],
)
def test_what_holds_no_job_is_told(tmp_path: Path, paths: list[str], sentence: str) -> None:
    for name in ("a.yaml", "same/a.yaml", "same/a.yml"):
        touch(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    touch(tmp_path / "links" / "a.yaml")
    (tmp_path / "links" / "b.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(FileError, match=sentence):
        find_job_files(paths, here=tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes among the files here")
def test_a_pipe_is_refused_at_once_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="pipe is a pipe, a device or a socket, not a file"):
        read_document(tmp_path / "pipe", shown="pipe")
    with pytest.raises(FileError, match="not a file"):
        list(Reading(tmp_path / "pipe", shown="pipe").blocks())


def test_a_body_lies_in_its_project_whatever_links_lead_to_it(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside.txt", b"no")
    project = tmp_path / "project"
    touch(project / "body.txt", b"yes")
    (project / "in.txt").symlink_to("body.txt")
    (project / "out.txt").symlink_to(outside)
    (project / "circle.txt").symlink_to("circle.txt")
    assert read_body(project / "in.txt", root=project, shown="in.txt") == b"yes"
    for name in ("out.txt", "../outside.txt", str(outside)):
        with pytest.raises(FileError, match="lies outside the project, which is the folder"):
            read_body(project / name, root=project, shown=name)
    with pytest.raises(FileError, match="its links lead in a circle"):
        inside(project / "circle.txt", project, shown="circle.txt")
    with pytest.raises(FileError, match="cannot be the name of a file"):
        inside(project / "a\0b", project, shown="a\0b")


def test_a_body_is_no_larger_than_any_plan_takes(tmp_path: Path) -> None:
    path = touch(tmp_path / "big")
    os.truncate(path, 50 * 1024**2 + 1)
    with pytest.raises(FileError, match="big is over 50 MiB"):
        read_body(path, root=tmp_path, shown="big")


def read_twice(path: Path, change: bytes | None) -> bytes:
    reading = Reading(path, shown="rows.csv")
    first = b"".join(reading.blocks())
    if change is not None:
        path.write_bytes(change)
    assert b"".join(reading.blocks()) == first
    return first


def test_a_file_that_stays_as_it_was_can_be_read_again(tmp_path: Path) -> None:
    content = os.urandom(3 * BLOCK_BYTES + 17)
    assert read_twice(touch(tmp_path / "rows.csv", content), None) == content
    assert read_twice(tmp_path / "rows.csv", content) == content


@pytest.mark.parametrize("change", [b"", b"a\n1\n", b"a\n2\n3\n", b"a\n1\n2\n3"])
def test_a_file_that_changed_is_not_read_again(tmp_path: Path, change: bytes) -> None:
    with pytest.raises(
        ChangedError, match=r"rows\.csv changed while it was being published from; run it again"
    ):
        read_twice(touch(tmp_path / "rows.csv", b"a\n1\n2\n"), change)
