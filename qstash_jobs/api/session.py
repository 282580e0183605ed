"""A Workspace under a run -> its tasks, checked: what `validate`, `plan` and `run` all begin with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from functools import partial

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.scheduled import Scheduled, find_repeated
from qstash_jobs.api.skips import Skips
from qstash_jobs.api.tasks import Named, Task
from qstash_jobs.api.variables import (
    RunFacts,
    base_scope,
    file_scope,
    job_scope,
    render_run_key,
    run_scope,
)
from qstash_jobs.api.workspace import Workspace, is_chosen
from qstash_jobs.envelope import QSTASH_WINDOW_S
from qstash_jobs.errors import UsageError
from qstash_jobs.job import Job, JobFile
from qstash_jobs.message import Message
from qstash_jobs.problem import Problem, Severity, sort_problems
from qstash_jobs.render import MissingSecret, Scope
from qstash_jobs.resources import read_resources
from qstash_jobs.rules import Context, Demand, check_demand, read_policy
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a session takes from outside the files."""

    env: Mapping[str, str]
    secrets: Mapping[str, str]
    missing_secret: MissingSecret
    now: datetime
    server_is_local: bool
    project_name: str
    run_id: str
    run_key: str | None = None
    """Of the command line: stronger than any file's."""
    skip: tuple[str, ...] = ()
    """Messages to leave out for good, in the words of the command line."""
    recorded_keys: Mapping[str, str] = field(default_factory=dict)
    """The run keys that an earlier run used, by file: it is continued under them."""
    facts_of: Callable[[str], RunFacts]
    """What a run key's first run was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A task, and the run key that its messages belong to."""

    task: Task
    run_key: str
    is_named: bool
    """The key is a name, not the run's own id: another run can come back to it."""


@dataclass(slots=True)
class Totals:
    """What the first pass counted."""

    jobs: int = 0
    messages: int = 0
    disabled: list[str] = field(default_factory=list)
    missing_secrets: set[str] = field(default_factory=set)


class Session:
    """The jobs that were asked for, made ready to be checked and then published."""

    def __init__(self, workspace: Workspace, surroundings: Surroundings) -> None:
        self.workspace = workspace
        self.surroundings = surroundings
        self.totals = Totals()
        self.named = Named()
        """What the messages name of the account, once they are checked."""
        self.skips = Skips(surroundings.skip)
        self.windowed: str | None = None
        """The first message whose window only a ledger can hold."""
        self._problems: list[Problem] = list(workspace.problems)
        self._context = _context(workspace, surroundings)
        self.keyed: list[Keyed] = []
        self.keys_by_file: dict[str, str] = {}
        """The run key of each file, by the name that its jobs' names begin with."""
        self._schedules: list[Task] = []
        self.scheduled: list[Scheduled] = []
        """The schedules that are in order, once they are checked."""
        base = base_scope(
            workspace,
            env=surroundings.env,
            secrets=surroundings.secrets,
            missing_secret=surroundings.missing_secret,
            project_name=surroundings.project_name,
            permitted=frozenset().union(*(policy.secrets for policy in self._context.policies)),
        )
        scopes = [(file, self._file_scope(file, base)) for file in workspace.files]
        scoped = [(file, scope) for file, scope in scopes if scope is not None]
        self.resources = read_resources(scoped, self._context)
        self.demand = self.new_demand()
        """What the messages ask of the plan, once they are checked."""
        self._problems += self.resources.problems
        for file, scope in scoped:
            self._add_file(file, scope)

    def check(self) -> list[Problem]:
        """Make every message once, keep none, and return every problem of every file, sorted."""
        for keyed in self.keyed:
            self._check(keyed.task, counts=True)
            if keyed.is_named and keyed.task.names_rows_by_number:
                self._problems.append(_numbered_rows(keyed.task.job))
        self._check_schedules()
        self._problems += self._too_many()
        return sort_problems(self._problems)

    def check_declared(self) -> list[Problem]:
        """Check what the files declare of the account, and none of the jobs; return the problems of that, sorted."""
        self._check_schedules()
        return sort_problems(self._problems)

    def _check_schedules(self) -> None:
        for schedule in self._schedules:
            if is_chosen(schedule.job, self.workspace.inputs.jobs):
                self._check(schedule, counts=False)
        self._problems += find_repeated(self.scheduled)

    def _too_many(self) -> Iterator[Problem]:
        for source, policy in zip(self.workspace.project.policies, self._context.policies, strict=True):
            most = policy.max_messages
            if most is not None and self.totals.messages > most:
                yield Problem(
                    location=source.document.locate((*source.path, "max", "messages_per_run")),
                    rule="policy-max",
                    message=f"this run has {self.totals.messages:,} messages, and the policy allows {most:,}",
                    hint="publish fewer jobs at once with --job",
                )

    def enabled_schedules(self) -> Iterator[Message]:
        """Make what each schedule publishes; a disabled one publishes nothing."""
        for task in self._schedules:
            if is_chosen(task.job, self.workspace.inputs.jobs):
                yield from task.messages()

    def new_demand(self) -> Demand:
        """Begin to count what messages ask of the plan."""
        groups = self.resources.of("url_group")
        return Demand(endpoints={group.name: len(group.fields["endpoints"]) for group in groups})

    def check_demand(self, demand: Demand) -> list[Problem]:
        """Hold messages against the messages of a day that the project's plan allows."""
        project = self.workspace.project
        most = project.quota.get("messages_per_day")
        if most is None or project.quota_place is None:
            return []
        return list(check_demand(demand, most, project.quota_place))

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self._problems)

    def tasks(self) -> Iterator[Keyed]:
        """Yield the enabled tasks, in the order in which they are published."""
        return (keyed for keyed in self.keyed if keyed.task.is_enabled)

    def named_keys(self) -> list[str]:
        """List the run keys that another run can come back to, each once."""
        return list(dict.fromkeys(keyed.run_key for keyed in self.tasks() if keyed.is_named))

    def _file_scope(self, file: JobFile, base: Scope) -> Scope | None:
        """Add a file's variables; None where they are out of order: what follows from that would only mislead."""
        scope, problems = file_scope(base, file, self.workspace)
        self._problems += problems
        return None if any(problem.severity is Severity.ERROR for problem in problems) else scope

    def _add_file(self, file: JobFile, scope: Scope) -> None:
        own_key, problems = render_run_key(file, scope, self.surroundings.now)
        self._problems += problems
        named = self.surroundings.recorded_keys.get(file.name) or self.surroundings.run_key or own_key
        key = named or self.surroundings.run_id
        self.keys_by_file[file.name] = key
        scope = run_scope(scope, self.surroundings.facts_of(key))
        for job in _find_published(file, self.workspace.inputs):
            self.keyed.append(
                Keyed(task=self._task(job, scope, file), run_key=key, is_named=named is not None)
            )
        self._schedules += [self._task(schedule, scope, file) for schedule in file.schedules]

    def _task(self, job: Job, scope: Scope, file: JobFile) -> Task:
        return Task(
            job,
            scope=job_scope(scope, job),
            context=self._context,
            file=self.workspace.root / file.name,
            root=self.workspace.root,
            group_names=self.resources.group_names,
        )

    def _note(self, message: Message, times: int) -> None:
        self.named.note(message)
        self.skips.note(message)
        if self.windowed is None and message.dedup.window_s > QSTASH_WINDOW_S:
            self.windowed = message.name
        self.demand.note(message, times)

    def _note_schedule(self, task: Task, message: Message, times: int) -> None:
        del times
        self.scheduled.append(Scheduled(task=task, message=message))

    def _check(self, task: Task, *, counts: bool) -> None:
        note = self._note if counts else partial(self._note_schedule, task)
        checked = task.check(note, each=self.skips.look_at_each)
        self._problems += checked.problems
        self.totals.missing_secrets |= checked.missing_secrets
        if not counts:
            return
        if not checked.enabled:
            self.totals.disabled.append(task.job.name)
        else:
            self.totals.jobs += 1
            self.totals.messages += checked.messages


def _find_published(file: JobFile, inputs: Inputs) -> Iterator[Job]:
    """Find what is published of a file: the jobs that are chosen, and the schedules that were asked for by name."""
    if inputs.jobs or not inputs.schedules:
        yield from (job for job in file.jobs if is_chosen(job, inputs.jobs))
    names = {job.name for job in file.jobs}
    for schedule in file.schedules if inputs.schedules else ():
        if is_chosen(schedule, inputs.schedules):
            if schedule.name in names:
                # the ledger and the ids hang on the name: one of the two would be taken for the other
                raise UsageError(
                    f"{schedule.file} has a job and a schedule {schedule.id}; rename one of them to publish it now"
                )
            yield schedule


def _context(workspace: Workspace, surroundings: Surroundings) -> Context:
    quota = workspace.project.quota
    return Context(
        now=surroundings.now,
        server_is_local=surroundings.server_is_local,
        max_delay_s=quota.get("delay"),
        max_retries=quota.get("retries"),
        max_message_bytes=quota.get("message_size"),
        max_timeout_s=quota.get("timeout"),
        policies=tuple(read_policy(source.fields) for source in workspace.project.policies),
    )


def _numbered_rows(job: Job) -> Problem:
    return Problem(
        location=job.place(("for_each",)),
        rule="row-number",
        message="under a named run key, a row is told by its number: in another order it is another message",
        hint="name the column that identifies a row: `for_each: {file: …, key: …}`",
        path=("for_each",),
        severity=Severity.WARNING,
    )
