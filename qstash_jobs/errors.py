"""What stops the program: each class is an ending with its own exit code.

A fault in a user's file is never one of these: it is a `Problem`, collected with the others and shown together.
"""

INTERRUPTED = 130
STOPPED = {INTERRUPTED: "interrupted", 143: "terminated", 129: "hung up"}
"""Exit codes of a program that a signal asked to stop, as shells write them, and what that is called."""


class StopError(Exception):
    """stopped"""

    exit_code = 70

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__ or "")


class UsageError(StopError):
    """the command line, the settings or the job files are wrong"""

    exit_code = 2


class AuthenticationError(StopError):
    """QStash does not accept the token"""

    exit_code = 4


class ServiceError(StopError):
    """QStash could not be used: unreachable, or a limit is reached"""

    exit_code = 5


class LedgerError(StopError):
    """the ledger could not be read or written"""

    exit_code = 6


class LockedError(StopError):
    """another run of these jobs is under way"""

    exit_code = 7
