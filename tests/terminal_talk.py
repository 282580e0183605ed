"""A command on a terminal of its own, and somebody who types an answer to its question."""

import os
import pty
import select
import sys
import time
from collections.abc import Callable


def talk(
    *words: str, typed: bytes | None = b"", width: int = 80, before: Callable[[], None] = lambda: None
) -> tuple[int, str]:
    """Run a command, type something at its question (None: Ctrl-C), and return the ending and all that was seen.

    `before` is called when it has asked, and nothing has been typed.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "qstash_jobs", *words],
            {**os.environ, "COLUMNS": str(width), "TERM": "xterm"},
        )
    seen = b""
    asked = False
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.1)
        try:
            piece = os.read(terminal, 65536) if ready else None
        except OSError:
            break
        if piece == b"":
            break
        seen += piece or b""
        if b"[y/N] " in seen and not asked:
            asked = True
            before()
            os.write(terminal, b"\x03" if typed is None else typed)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode()
