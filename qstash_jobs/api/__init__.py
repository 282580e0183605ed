"""The ways of the program put together: load, validate, plan, run, follow. The command line is a shell around it.

`Jobs` is the door for Python programs. It is found on first use, so that a command loads no more than it needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qstash_jobs.api.jobs import Jobs, ProblemsError, RunResult
    from qstash_jobs.publish import Options

__all__ = ["Jobs", "Options", "ProblemsError", "RunResult"]


def __getattr__(name: str) -> Any:
    if name == "Options":
        from qstash_jobs.publish import Options

        return Options
    if name in __all__:
        from qstash_jobs.api import jobs

        return getattr(jobs, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
