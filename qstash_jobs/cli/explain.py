"""`qstash-jobs explain`."""

import textwrap
from typing import Any

import click

from qstash_jobs.cli.terminal import Terminal


@click.command("explain")
@click.argument("what", metavar="[FIELD|RULE]", default="")
def command(**given: Any) -> int:
    """Explain a field of a job, or a rule: what is wrong, why, and what to write instead.

    Without an argument it lists all fields and rules.
    """
    from qstash_jobs.errors import UsageError
    from qstash_jobs.grammar import nearest
    from qstash_jobs.report.layout import align
    from qstash_jobs.rules import all_rules
    from qstash_jobs.schema import describe_field, field_names, find_field

    terminal = Terminal()
    what = given["what"].strip("`[] ")
    fields, rules = field_names(), all_rules()
    if not what:
        terminal.results(align([(name, find_field(name)["title"]) for name in fields], width=terminal.width))
        terminal.result("")
        terminal.results(align([(id_, rules[id_].title) for id_ in sorted(rules)], width=terminal.width))
        return 0
    width = min(terminal.width or 100, 100)
    if what in rules:
        rule = rules[what]
        terminal.result(f"{what}: {rule.title}")
        terminal.result("\n" + _wrap(rule.text, width))
        if rule.example:
            terminal.result("\n" + textwrap.indent(rule.example, "    "))
        return 0
    if what in fields:
        terminal.results(_wrap(line, width) for line in describe_field(what))
        return 0
    likely = nearest(what, [*fields, *rules])
    raise UsageError(f"there is no field or rule {what}" + (f"; did you mean {likely}?" if likely else ""))


def _wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())
