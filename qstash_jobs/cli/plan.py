"""`qstash-jobs plan`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.api.planning import Plan
    from qstash_jobs.plan.messages import Action, PlannedMessage


@click.command("plan")
@options.reading
@options.ledger
@options.run_key
@options.schedule
@options.batch_size
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl", "markdown", "curl"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people; for programs; for a pull request; as commands that send the same.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    envvar="QSTASH_JOBS_EXIT_CODE",
    help="End with 8 where changes to the account are waiting.",
)
@options.prune
@options.force
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep what would change in the account, for `apply --plan FILE`.",
)
@click.option(
    "--bodies",
    is_flag=True,
    envvar="QSTASH_JOBS_BODIES",
    help="Show the bodies of rows too (text, markdown).",
)
def command(**given: Any) -> int:
    """Show the exact requests that `run` would send, and what `apply` would change; change nothing.

    What the ledger knows to be published is shown as skipped. Secrets are never shown: *** stands for them, and $NAME
    in the curl form. Without --run-key or a `run_key` in the file every run has ids of its own; those shown are
    an example. Where the project has environments and none is chosen, it shows each in turn.

    Where the files declare schedules, URL groups, queues or flow controls, the account is asked for its own, and each
    field that differs is shown. Without a token they are listed as unknown. With --schedule it shows what `run
    --schedule` would publish, and nothing of the account.

    \b
    Exit codes:
      0  all is in order, and with --exit-code nothing would change in the account
      2  the command line, the settings or the job files are wrong
      4  with --exit-code or --out: QStash does not accept the token, or there is none
      5  with --exit-code or --out: the account cannot be read
      8  with --exit-code: changes to the account are waiting
    """
    from dataclasses import replace

    from qstash_jobs.api.planning import PlanReading, open_plan
    from qstash_jobs.api.workspace import name_environments
    from qstash_jobs.cli.inputs import read_inputs
    from qstash_jobs.settings import environment as environment_variables

    terminal = Terminal()
    inputs = replace(read_inputs(given, default="jobs/"), schedules_too=not given["schedules"])
    reading = PlanReading(
        ledger=given["ledger"],
        run_key=given["run_key"],
        batch_size=given["batch_size"],
        names_secrets=given["format_"] == "curl",
        prunes=given["prune"],
        forces=given["force"],
        has_to_know=given["exit_code"] or given["out"] is not None,
    )
    _check(given, names_all=not inputs.environment and len(name_environments(inputs)) > 1)
    exit_code = 0
    for name in name_environments(inputs):
        with open_plan(replace(inputs, environment=name), reading, environment_variables()) as plan:
            exit_code = max(exit_code, _show(plan, given, terminal, chosen=name == inputs.environment))
        if terminal.is_deserted:
            break
    return exit_code


def _check(given: dict[str, Any], *, names_all: bool) -> None:
    """Refuse options that say nothing together."""
    from qstash_jobs.errors import UsageError

    if given["format_"] == "curl" and (given["exit_code"] or given["prune"] or given["out"]):
        raise UsageError("the curl form holds messages only; leave out --exit-code, --prune and --out")
    if given["schedules"] and (given["exit_code"] or given["prune"] or given["out"]):
        raise UsageError(
            "--schedule plans messages only; leave it out, or leave out --exit-code, --prune and --out"
        )
    if given["out"] is not None and names_all:
        raise UsageError("a plan that is kept is for one environment; choose it with --environment NAME")


def _show(plan: "Plan", given: dict[str, Any], terminal: Terminal, *, chosen: bool) -> int:
    """Show the plan for one environment, which is named where it is one of several; return 2 where there is none."""
    from qstash_jobs.report.changes_markdown import write_changes_markdown
    from qstash_jobs.report.plan_markdown import write_plan_markdown, write_plan_sections
    from qstash_jobs.report.problems import summarise_problems

    terminal.mask = plan.mask
    is_markdown = given["format_"] == "markdown"
    environment = "" if chosen else plan.environment
    if environment:
        terminal.note(f"in the environment {environment}:")
    if terminal.problems(plan.problems, files=plan.files):
        if is_markdown:
            summary = [summarise_problems(plan.problems, files=plan.files)]
            lines = write_plan_markdown([], summary=summary, problems=plan.problems, environment=environment)
            terminal.results(lines)
        return 2
    totals = Totals()
    messages = totals.count(plan.messages())
    if is_markdown:
        account = list(write_changes_markdown(plan.account.changes))
        sections = [
            *account,
            *write_plan_sections(messages, bodies=given["bodies"], used=sum(map(len, account))),
        ]
        problems = [*plan.problems, *plan.check_demand()]
        summary = [*_summarise_account(plan, given), *_summarise(plan, totals)]
        lines = write_plan_markdown(sections, summary=summary, problems=problems, environment=environment)
        terminal.results(lines)
    else:
        terminal.results(_write(plan, messages, totals, given, terminal, environment))
    if terminal.is_deserted:
        return 0
    for sentence in (*_summarise(plan, totals), *_summarise_account(plan, given)):
        terminal.note(sentence)
    terminal.problems(plan.check_demand(), files=plan.files)
    if given["out"] is not None:
        _keep(plan, given, terminal)
    return 8 if given["exit_code"] and plan.account.waiting else 0


def _keep(plan: "Plan", given: dict[str, Any], terminal: Terminal) -> None:
    """Write the plan for the account into a file."""
    from qstash_jobs.cli.kept import write_plan_file
    from qstash_jobs.plan.kept import keep_plan

    kept = keep_plan(
        plan.account,
        target=plan.target,
        environment=plan.environment,
        paths=given["paths"] or ("jobs/",),
        prunes=given["prune"],
        forces=given["force"],
    )
    write_plan_file(given["out"], kept, plan.account)
    terminal.note(
        f"kept in {given['out']}; to carry it out, and nothing else: qstash-jobs apply --plan {given['out']}"
    )


@dataclass(slots=True, kw_only=True)
class Totals:
    """What was planned, counted as it is shown."""

    actions: "Counter[Action]" = field(default_factory=Counter)
    jobs: set[str] = field(default_factory=set)

    def count(self, messages: "Iterator[PlannedMessage]") -> "Iterator[PlannedMessage]":
        """Count messages on their way."""
        for planned in messages:
            self.actions[planned.action] += 1
            if planned.action == "publish":
                self.jobs.add(planned.job)
            yield planned


def _write(
    plan: "Plan",
    messages: "Iterator[PlannedMessage]",
    totals: Totals,
    given: dict[str, Any],
    terminal: Terminal,
    environment: str,
) -> "Iterator[str]":
    from qstash_jobs.report import changes, curl, plans

    match given["format_"]:
        case "jsonl":
            yield from plans.write_plan_jsonl(messages, environment=plan.environment)
            yield from changes.write_changes_jsonl(plan.account.changes, environment=plan.environment)
            yield plans.write_demand_json(
                plan.demand, messages_per_day=plan.messages_per_day, environment=plan.environment
            )
        case "curl":
            if environment:
                yield f"# the environment {environment}"
                yield ""
            yield from curl.write_plan_curl(messages, secrets=plan.placeholders)
        case _:
            if environment:
                yield f"environment {environment}"
            yield from plans.write_plan(
                messages, bodies=given["bodies"], width=terminal.width, colour=terminal.colour
            )
            if plan.account.changes and totals.actions:
                yield ""
            yield from changes.write_changes(
                plan.account.changes, width=terminal.width, colour=terminal.colour
            )


def _summarise(plan: "Plan", totals: Totals) -> "Iterator[str]":
    from qstash_jobs.report import plans

    if totals.actions or not plan.account.changes:
        yield plans.summarise_plan(totals.actions, jobs=len(totals.jobs))
    demand = plans.summarise_demand(plan.demand, messages_per_day=plan.messages_per_day)
    if demand is not None:
        yield demand
    if plan.missing_secrets:
        yield f"to be set before a run: {', '.join(plan.missing_secrets)}"


def _summarise_account(plan: "Plan", given: dict[str, Any]) -> "Iterator[str]":
    from qstash_jobs.report.changes import summarise_changes

    if plan.account.changes:
        yield summarise_changes(plan.account.changes, missing=plan.unasked)
        if not given["force"] and (reasons := plan.account.refusals()):
            yield f"apply will refuse it without --force: {'; '.join(reasons)}"
