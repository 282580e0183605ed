"""A ledger's path -> the disk that it is on, and who holds its locks; nothing is opened that SQLite has open."""

import os
import re
import shutil
from pathlib import Path

from qstash_jobs.ledger.opening import lock_folder
from qstash_jobs.value import dataclass

# sqlite.org/wal.html: all who use a database have to be on the same host, with memory that they share
_ELSEWHERE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs"}
)
_PASSING = frozenset({"tmpfs", "ramfs"})

_MOUNTS = Path("/proc/self/mountinfo")
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Where a ledger is, or is going to be."""

    free_bytes: int
    kind: str | None
    """The type of the file system; None where the system doesn't tell."""
    is_writable: bool

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is on another machine."""
        return self.kind is not None and (self.kind in _ELSEWHERE or self.kind.startswith("fuse.sshfs"))

    @property
    def is_passing(self) -> bool:
        """Whether it is in memory."""
        return self.kind in _PASSING


def look_at_disk(path: Path) -> Disk:
    """Look at the folder that holds a ledger, or at the one that its folder would be made in; OSError."""
    folder = next(one for one in path.absolute().parents if one.exists())
    return Disk(
        free_bytes=shutil.disk_usage(folder).free,
        kind=_kind(folder),
        is_writable=folder.is_dir() and os.access(folder, os.W_OK | os.X_OK),
    )


def find_holders(path: Path) -> list[str] | None:
    """Say who holds locks of the ledger at a path, in their own words; None where the system doesn't tell.

    Trying to take a lock would tell everywhere, and would refuse the run that begins in this moment.
    """
    try:
        locks = _LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    # proc_locks(5): `1: FLOCK  ADVISORY  WRITE 701 08:01:2359 0 EOF`; one that waits has `->` behind its number. The
    # device is not compared: btrfs and overlayfs give another one here than to stat
    words = [line.split() for line in locks]
    held = {int(one[5].rpartition(":")[2]) for one in words if len(one) > 5 and one[1] == "FLOCK"}
    folder = lock_folder(path)
    try:
        files = [file for file in folder.iterdir() if file.lstat().st_ino in held]
        return sorted({file.read_text(encoding="ascii", errors="replace")[:100] for file in files})
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def _kind(folder: Path) -> str | None:
    """Find the type of the file system that a folder is on: its longest mount point, and the last of equals."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = folder.resolve()
    found: tuple[int, str] | None = None
    for line in lines:
        # proc_pid_mountinfo(5): the fifth field is the mount point, and the type stands behind ` - `
        mount, _, source = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount.split()[4]))
        if real.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = len(point.parts), source.split()[0]
    return found[1] if found else None
