"""A work tree -> what git says of it, from its files: running git would run what its configuration names."""

import re
from pathlib import Path


def git_remote(root: Path) -> str | None:
    """Name the remote as `host/owner/name`, from `.git/config`; None where there is none."""
    config = _git_text(root, "config")
    match = re.search(r'^\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', config, re.MULTILINE | re.DOTALL)
    return _remote_name(match.group(1)) if match else None


def _remote_name(url: str) -> str | None:
    match = re.fullmatch(r"(?:[a-z+]+://)?(?:[^@/]+@)?([^:/]+)(?::[0-9]+)?[:/]/*(.+?)(?:\.git)?/*", url)
    return f"{match.group(1).lower()}/{match.group(2)}" if match else None


def git_head(root: Path) -> dict[str, str]:
    """Read commit and branch from the work tree's files; empty where there is no work tree."""
    head = _git_text(root, "HEAD").strip()
    if re.fullmatch(r"[0-9a-f]{40,64}", head):
        return {"sha": head}
    reference = head.removeprefix("ref: ")
    if not reference.startswith("refs/heads/"):
        return {}
    sha = _git_text(root, reference).strip() or _packed(root, reference)
    branch = {"branch": reference.removeprefix("refs/heads/")}
    return {"sha": sha, **branch} if sha else branch


def git_is_dirty(root: Path) -> bool | None:
    """Ask git whether tracked files differ from the commit; None where it can't tell."""
    import subprocess

    command = [
        "git",
        "-c",
        "core.fsmonitor=false",
        "-C",
        str(root),
        "status",
        "--porcelain",
        "--untracked-files=no",
    ]
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words and a folder; git's own hooks are off
            command, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return bool(answer.stdout.strip()) if answer.returncode == 0 else None


def _packed(root: Path, reference: str) -> str:
    match = re.search(
        rf"^([0-9a-f]{{40,64}}) {re.escape(reference)}$", _git_text(root, "packed-refs"), re.MULTILINE
    )
    return match.group(1) if match else ""


def _git_text(root: Path, name: str) -> str:
    folder = root / ".git"
    try:
        if folder.is_file():
            folder = root / folder.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
        common = folder / "commondir"
        candidates = [folder / name]
        if common.is_file():
            candidates.append(folder / common.read_text(encoding="utf-8").strip() / name)
        for candidate in candidates:
            if candidate.is_file():
                return candidate.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # ValueError: a link that is no text, or names what no file can be called
        return ""
    return ""
