"""A Question -> every check, in the order in which a run would meet what it looks at."""

from collections.abc import Mapping
from pathlib import Path

from qstash_jobs.api.checkup.ledger import check_ledger
from qstash_jobs.api.checkup.service import check_service
from qstash_jobs.api.checkup.surroundings import (
    check_library,
    check_modes,
    check_names,
    check_program,
    check_project,
)
from qstash_jobs.boundary import Clock
from qstash_jobs.report.checkup import Check
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be looked at."""

    here: Path
    environment: str
    ledger: str | None
    """`--ledger`."""
    names: frozenset[str]
    """The variables that stand for options."""


def check_up(question: Question, env: Mapping[str, str], clock: Clock) -> list[Check]:
    """Look at everything that a run depends on. What cannot be looked at is a check too; nothing is changed."""
    project, about_project = check_project(question.here, question.environment)
    return [
        check_program(),
        check_library(),
        about_project,
        *check_names(env, question.names),
        *check_modes(env),
        *check_service(env, project, clock),
        *check_ledger(question.ledger, env, project),
    ]
