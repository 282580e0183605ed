"""`qstash-jobs plan`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
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
    "--bodies",
    is_flag=True,
    envvar="QSTASH_JOBS_BODIES",
    help="Show the bodies of rows too (text, markdown).",
)
def command(**given: Any) -> int:
    """Show the exact requests that `run` would send; send nothing.

    What the ledger knows to be published is shown as skipped. Secrets are never shown: *** stands for them, and $NAME
    in the curl form. Without --run-key or a `run_key` in the file every run has ids of its own; those shown are
    an example. Where the project has environments and none is chosen, it shows each in turn.
    """
    from dataclasses import replace

    from qstash_jobs.api.planning import PlanReading, open_plan
    from qstash_jobs.api.workspace import name_environments
    from qstash_jobs.cli.inputs import read_inputs
    from qstash_jobs.settings import environment as environment_variables

    terminal = Terminal()
    inputs = read_inputs(given, default="jobs/")
    reading = PlanReading(
        ledger=given["ledger"],
        run_key=given["run_key"],
        batch_size=given["batch_size"],
        names_secrets=given["format_"] == "curl",
    )
    exit_code = 0
    for name in name_environments(inputs):
        with open_plan(replace(inputs, environment=name), reading, environment_variables()) as plan:
            exit_code = max(exit_code, _show(plan, given, terminal, chosen=name == inputs.environment))
        if terminal.is_deserted:
            break
    return exit_code


def _show(plan: "Plan", given: dict[str, Any], terminal: Terminal, *, chosen: bool) -> int:
    """Show the plan for one environment, which is named where it is one of several; return 2 where there is none."""
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
        sections = list(write_plan_sections(messages, bodies=given["bodies"]))
        problems = [*plan.problems, *plan.check_demand()]
        summary = list(_summarise(plan, totals))
        lines = write_plan_markdown(sections, summary=summary, problems=problems, environment=environment)
        terminal.results(lines)
    else:
        terminal.results(_write(plan, messages, given, terminal, environment))
    if terminal.is_deserted:
        return 0
    for sentence in _summarise(plan, totals):
        terminal.note(sentence)
    terminal.problems(plan.check_demand(), files=plan.files)
    return 0


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
    given: dict[str, Any],
    terminal: Terminal,
    environment: str,
) -> "Iterator[str]":
    from qstash_jobs.report import curl, plans

    match given["format_"]:
        case "jsonl":
            yield from plans.write_plan_jsonl(messages, environment=plan.environment)
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


def _summarise(plan: "Plan", totals: Totals) -> "Iterator[str]":
    from qstash_jobs.report import plans

    yield plans.summarise_plan(totals.actions, jobs=len(totals.jobs))
    demand = plans.summarise_demand(plan.demand, messages_per_day=plan.messages_per_day)
    if demand is not None:
        yield demand
    if plan.missing_secrets:
        yield f"to be set before a run: {', '.join(plan.missing_secrets)}"
