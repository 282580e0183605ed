"""`qstash-jobs plan`."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from qstash_jobs.plan import Action, PlannedMessage


@click.command("plan")
@options.reading
@options.ledger
@options.run_key
@options.batch_size
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl", "curl"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as commands that send the same.",
)
@click.option("--bodies", is_flag=True, help="Show the bodies of rows too (text).")
def command(**given: Any) -> int:
    """Show the exact requests that `run` would send; send nothing.

    What the ledger knows to be published is shown as skipped. Secrets are never shown: *** stands for them, and $NAME
    in the curl form. Without --run-key or a `run_key` in the file every run has ids of its own; those shown are
    an example.
    """
    from qstash_jobs.api.planning import PlanReading, open_plan
    from qstash_jobs.cli.inputs import read_inputs
    from qstash_jobs.report import curl, plans
    from qstash_jobs.settings import environment as environment_variables

    terminal = Terminal()
    inputs = read_inputs(given, default="jobs/")
    reading = PlanReading(
        ledger=given["ledger"],
        run_key=given["run_key"],
        batch_size=given["batch_size"],
        names_secrets=given["format_"] == "curl",
    )
    with open_plan(inputs, reading, environment_variables()) as plan:
        terminal.mask = plan.mask
        if terminal.problems(plan.problems, files=plan.files):
            return 2
        actions: Counter[Action] = Counter()
        seen: set[str] = set()
        messages = _counting(plan.messages(), actions, seen)
        if given["format_"] == "jsonl":
            terminal.results(plans.write_plan_jsonl(messages))
            if not terminal.is_deserted:
                terminal.result(plans.write_demand_json(plan.demand, messages_per_day=plan.messages_per_day))
        elif given["format_"] == "curl":
            terminal.results(curl.write_plan_curl(messages, secrets=plan.placeholders))
        else:
            lines = plans.write_plan(
                messages, bodies=given["bodies"], width=terminal.width, colour=terminal.colour
            )
            terminal.results(lines)
        if terminal.is_deserted:
            return 0
        terminal.note(plans.summarise_plan(actions, jobs=len(seen)))
        demand = plans.summarise_demand(plan.demand, messages_per_day=plan.messages_per_day)
        if demand is not None:
            terminal.note(demand)
        terminal.problems(plan.check_demand(), files=plan.files)
        if plan.missing_secrets:
            terminal.note(f"to be set before a run: {', '.join(plan.missing_secrets)}")
    return 0


def _counting(
    messages: "Iterator[PlannedMessage]", actions: "Counter[Action]", jobs: set[str]
) -> "Iterator[PlannedMessage]":
    for planned in messages:
        actions[planned.action] += 1
        if planned.action == "publish":
            jobs.add(planned.job)
        yield planned
