"""Job files in a few lines of Python: load, validate, plan, run, and follow, as the command line does.

    from qstash_jobs.api import Jobs

    jobs = Jobs.load("jobs/", environment="production")
    for problem in jobs.validate().problems:
        print(problem.location.file, problem.location.line, problem.message)
    result = jobs.run(run_key="2026-11-23")
    print(result.totals, result.exit_code)

Address, token, secrets and ledger are found as the command line finds them. Each method with a name that ends in
`_async` does the same in a thread, to be awaited.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import field
from pathlib import Path

from qstash_jobs.api.following import describe as describe_progress
from qstash_jobs.api.following import follow_messages, targets_of
from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.planning import PlanReading, open_plan
from qstash_jobs.api.results import describe
from qstash_jobs.api.run import run
from qstash_jobs.api.validate import Validation, validate
from qstash_jobs.api.wish import Tools, Wish
from qstash_jobs.api.workspace import load
from qstash_jobs.api.world import (
    check_environment,
    clock_of,
    find_ledger,
    find_service,
    is_ledger_passing,
    open_ledger,
    system_clock,
)
from qstash_jobs.errors import INTERRUPTED, UsageError
from qstash_jobs.plan.messages import PlannedMessage
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.publish import Ending, Options
from qstash_jobs.report.deliveries import Followed
from qstash_jobs.report.records import ResultLine
from qstash_jobs.settings import Secrets
from qstash_jobs.settings import environment as process_environment
from qstash_jobs.value import dataclass


class ProblemsError(UsageError):
    """the job files are out of order"""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = next(problem for problem in problems if problem.severity is Severity.ERROR)
        super().__init__(f"{first.location.file}:{first.location.line}: {first.message}")
        self.problems = tuple(problems)
        """All of them, warnings included, sorted by place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run went."""

    run: str
    """Its id."""
    exit_code: int
    """What the command line would end with: 0 all is well, 1 rejected, 3 in doubt, 5 stopped early …"""
    totals: Mapping[str, int]
    """Messages by state."""
    results: tuple[ResultLine, ...] = ()
    """One for each message, in the order in which they settled; empty where `on_result` was given."""
    ending: Ending | None = None
    """Why the run stopped early, if it did."""
    warnings: tuple[Problem, ...] = field(default=())


class Jobs:
    """Job files of one project, in one environment."""

    def __init__(self, inputs: Inputs, env: Mapping[str, str]) -> None:
        self._inputs = inputs
        self._env = env

    @classmethod
    def load(
        cls,
        *paths: str | Path,
        environment: str = "",
        variables: Mapping[str, str] | None = None,
        vars_file: Path | None = None,
        secrets_dir: Path | None = None,
        jobs: str | Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> "Jobs":
        """Name files or folders; they are read anew by each method.

        `jobs` is a pattern of full names or ids, or several; `env` stands in for the process's environment.
        UsageError where a path isn't there.
        """
        if not paths:
            raise UsageError("say which jobs: a file, or a folder such as jobs/")
        inputs = Inputs(
            paths=tuple(str(path) for path in paths),
            here=Path.cwd(),
            environment=environment,
            variables=dict(variables or {}),
            vars_file=vars_file,
            secrets_dir=secrets_dir,
            jobs=(jobs,) if isinstance(jobs, str) else tuple(jobs),
        )
        load(inputs)
        return cls(inputs, process_environment() if env is None else env)

    def validate(self, *, strict: bool = False) -> Validation:
        """Find everything that can be known to be wrong, offline. `strict` makes errors of warnings."""
        return validate(self._inputs, self._env, strict=strict)

    def plan(
        self, *, run_key: str | None = None, ledger: str | None = None, batch_size: int = 100
    ) -> Iterator[PlannedMessage]:
        """Yield what `run` would do with each message, the exact requests included; secrets are `***`.

        ProblemsError where the files are out of order.
        """
        reading = PlanReading(ledger=self._ledger(ledger), run_key=run_key, batch_size=batch_size)
        with open_plan(self._inputs, reading, self._env) as plan:
            _refuse(plan.problems)
            yield from plan.messages()

    def run(
        self,
        *,
        run_key: str | None = None,
        ledger: str | None = None,
        ephemeral: bool = False,
        options: Options = Options(),
        on_result: Callable[[ResultLine], None] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> RunResult:
        """Publish, each message at most once for its run key; nobody is asked.

        `on_result` is called with each message once its result is recorded, in this thread; without it the results
        are kept and returned. `stopping` is asked between requests; a yes finishes what is on the wire and ends the
        run. `ephemeral` says that a pipeline's ledger may go with its machine. ProblemsError where the files are out
        of order; the other StopErrors carry their exit code.
        """
        workspace = load(self._inputs)
        check_environment(workspace.project)
        service, _ = find_service(self._env, workspace.project)
        kept: list[ResultLine] = []
        tell = on_result or kept.append
        passes = is_ledger_passing(self._ledger(ledger), self._env, workspace.project)
        with closing(open_ledger(find_ledger(self._ledger(ledger), self._env, workspace.project))) as opened:
            report = run(
                workspace,
                Wish(run_key=run_key, options=options, needs_lasting_ledger=passes and not ephemeral),
                Tools(
                    service=service,
                    ledger=opened,
                    clock=clock_of(opened),
                    env=self._env,
                    secrets=Secrets(self._env, self._inputs.secrets_dir),
                ),
                show_problems=_refuse,
                confirm=lambda _: True,
                tell=lambda run_id, settlement: tell(describe(run_id, settlement)),
                stopping=lambda: INTERRUPTED if stopping() else 0,
            )
        return RunResult(
            run=report.run or "",
            exit_code=report.exit_code,
            totals=report.totals,
            results=tuple(kept),
            ending=report.ending,
            warnings=report.problems,
        )

    def follow(self, run_id: str, *, wait_s: float = 0, ledger: str | None = None) -> list[Followed]:
        """Ask QStash what it did with a run's messages, for so long until all are delivered or have failed."""
        workspace = load(self._inputs)
        service, _ = find_service(self._env, workspace.project)
        path = find_ledger(self._ledger(ledger), self._env, workspace.project)
        with closing(open_ledger(path, read_only=True)) as opened:
            if not opened.find_runs(run_id):
                raise UsageError(f"the ledger knows no run {run_id}")
            targets = targets_of(opened.messages(run=run_id))
            return [
                describe_progress(progress)
                for progress in follow_messages(targets, service, system_clock(), wait_s=wait_s)
            ]

    def _ledger(self, given: str | None) -> str | None:
        return given or self._env.get("QSTASH_JOBS_LEDGER")

    async def validate_async(self, *, strict: bool = False) -> Validation:
        """`validate`, in a thread."""
        return await asyncio.to_thread(self.validate, strict=strict)

    async def plan_async(
        self, *, run_key: str | None = None, ledger: str | None = None, batch_size: int = 100
    ) -> list[PlannedMessage]:
        """`plan`, in a thread; the whole of it is held in memory."""

        def read() -> list[PlannedMessage]:
            return list(self.plan(run_key=run_key, ledger=ledger, batch_size=batch_size))

        return await asyncio.to_thread(read)

    async def run_async(
        self,
        *,
        run_key: str | None = None,
        ledger: str | None = None,
        ephemeral: bool = False,
        options: Options = Options(),
        on_result: Callable[[ResultLine], None] | None = None,
    ) -> RunResult:
        """`run`, in a thread. Cancelling it finishes what is on the wire, records it, and ends the run."""
        cancelled = False

        def stopping() -> bool:
            return cancelled

        working = asyncio.ensure_future(
            asyncio.to_thread(
                self.run,
                run_key=run_key,
                ledger=ledger,
                ephemeral=ephemeral,
                options=options,
                on_result=on_result,
                stopping=stopping,
            )
        )
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            cancelled = True
            await working
            raise

    async def follow_async(
        self, run_id: str, *, wait_s: float = 0, ledger: str | None = None
    ) -> list[Followed]:
        """`follow`, in a thread."""
        return await asyncio.to_thread(self.follow, run_id, wait_s=wait_s, ledger=ledger)


def _refuse(problems: Sequence[Problem]) -> None:
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ProblemsError(problems)
