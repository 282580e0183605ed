"""What look-ups find: the values under each root, and what to do where a secret is missing."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from qstash_jobs.value import dataclass

MissingSecret = Literal["error", "mask", "local"]
"""A problem; `***` and its name in the result; or `local-NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The values that a template is filled with."""

    roots: Mapping[str, Mapping[str, Any]]
    """vars, env, secrets, row, run, job, project, environment, git and ci, each where there is one; None inside
    run, job, project, environment, git and ci means that it is not known."""
    missing_secret: MissingSecret = "error"  # noqa: S105
    permitted: frozenset[str] = frozenset()
    """Names of refused credentials that the policy allows."""
    vars_outside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The `env.` look-ups that went into each variable: `Filled.outside` of the variables."""

    def with_roots(self, **roots: Mapping[str, Any]) -> "Scope":
        """Return this scope with some roots replaced."""
        return Scope(
            roots={**self.roots, **roots},
            missing_secret=self.missing_secret,
            permitted=self.permitted,
            vars_outside=self.vars_outside,
        )
