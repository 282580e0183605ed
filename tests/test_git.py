"""What git's own files say of a work tree, compared with what git says, and never by running its hooks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from qstash_jobs.git import git_head, git_is_dirty, git_remote

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is what this is compared with")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    (folder / "a").write_text("a")
    git(folder, "add", "a")
    git(folder, "commit", "-m", "a")
    return folder


def test_commit_and_branch_are_those_that_git_tells(tree: Path) -> None:
    sha = git(tree, "rev-parse", "HEAD")
    assert git_head(tree) == {"sha": sha, "branch": "main"}
    git(tree, "pack-refs", "--all")
    assert git_head(tree) == {"sha": sha, "branch": "main"}
    git(tree, "checkout", "-b", "feature/x")
    assert git_head(tree) == {"sha": sha, "branch": "feature/x"}
    git(tree, "checkout", "--detach")
    assert git_head(tree) == {"sha": sha}


def test_a_second_work_tree_knows_its_own_commit(tree: Path, tmp_path: Path) -> None:
    git(tree, "remote", "add", "origin", "https://example.com/o/r.git")
    git(tree, "worktree", "add", "-b", "other", str(tmp_path / "second"))
    assert git_head(tmp_path / "second") == {"sha": git(tree, "rev-parse", "HEAD"), "branch": "other"}
    assert git_remote(tmp_path / "second") == "example.com/o/r"


def test_a_tree_is_dirty_once_a_tracked_file_differs(tree: Path) -> None:
    assert git_is_dirty(tree) is False
    (tree / "untracked").write_text("")
    assert git_is_dirty(tree) is False
    (tree / "a").write_text("b")
    assert git_is_dirty(tree) is True


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/owner/name.git", "github.com/owner/name"),
        ("https://user:s3cret@GitHub.com/owner/name", "github.com/owner/name"),
        ("git@github.com:owner/name.git", "github.com/owner/name"),
        ("ssh://git@example.com:2222/group/sub/name.git/", "example.com/group/sub/name"),
    ],
)
def test_a_remote_is_named_without_what_it_holds_of_secrets(tree: Path, url: str, name: str) -> None:
    git(tree, "remote", "add", "upstream", "https://example.com/not/this")
    git(tree, "remote", "add", "origin", url)
    assert git_remote(tree) == name


def test_where_there_is_no_work_tree_nothing_is_known(tmp_path: Path) -> None:
    assert git_head(tmp_path) == {}
    assert git_remote(tmp_path) is None
    assert git_is_dirty(tmp_path) is None
    (tmp_path / ".git").write_bytes(b"gitdir: \xff\xfe nowhere\0")
    assert git_head(tmp_path) == {}
    assert git_remote(tmp_path) is None
