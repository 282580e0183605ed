"""The end of a run, and the metrics of those before it -> Prometheus' text format, as a textfile collector reads it.

A counter goes on from what the file says, so that runs between two looks at it are not lost. Every file has the label
`name` of its own: node_exporter refuses two files with one and the same series.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime

from qstash_jobs.value import dataclass

STATES = (
    "published",
    "deduplicated",
    "partial",
    "rejected",
    "in_doubt",
    "planned",
    "skipped",
    "abandoned",
)
"""All are always there: an alert on a series that is missing never fires."""

# prometheus.io/docs/instrumenting/exposition_formats, "Text format details"
_SAMPLE = re.compile(
    r'qstash_jobs_([a-z_]+)\{name="(?:[^"\\]|\\.)*"(?:,([a-z_]+)="([a-z_0-9]+)")?\} ([0-9.]+)'
)
_COMMENT = re.compile(r"# (?:HELP|TYPE) qstash_jobs_.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a run ended."""

    exit_code: int
    ended_at: datetime
    duration_s: float
    totals: Mapping[str, int]
    """Messages by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What goes on from one run to the next."""

    runs: Mapping[str, int] = field(default_factory=dict)
    """Runs by exit code."""
    messages: Mapping[str, int] = field(default_factory=dict)
    success_at_s: float = 0
    """Unix seconds; 0 where no run has gone well yet."""


def read_metrics(text: str) -> Carried:
    """Read what was written here before; ValueError for anything else."""
    runs: dict[str, int] = {}
    messages: dict[str, int] = {}
    success_at_s = 0.0
    for line in text.splitlines():
        if _COMMENT.fullmatch(line):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ValueError("not metrics of qstash-jobs")
        metric, _, key, value = sample.groups()
        if metric == "runs_total":
            runs[key] = int(value)
        elif metric == "messages_total":
            messages[key] = int(value)
        elif metric == "last_success_timestamp_seconds":
            success_at_s = float(value)
    return Carried(runs=runs, messages=messages, success_at_s=success_at_s)


def write_metrics(name: str, run: Finished, before: Carried) -> str:
    """Write all metrics of a file after a run; `name` tells its runs from those of other files."""
    totals = _by_state(run.totals)
    messages = {state: before.messages.get(state, 0) + totals[state] for state in STATES}
    runs = {"0": 0} | Counter(before.runs) + Counter({str(run.exit_code): 1})
    ended_at_s = run.ended_at.timestamp()
    return "".join(
        f"{line}\n"
        for line in (
            *_write("runs_total", "counter", "Runs by exit code.", name, "exit_code", runs),
            *_write("messages_total", "counter", "What runs said of messages.", name, "state", messages),
            *_write("last_run_messages", "gauge", "Messages of the last run.", name, "state", totals),
            *_write("last_run_exit_code", "gauge", "Exit code of the last run.", name, value=run.exit_code),
            *_write("last_run_duration_seconds", "gauge", "How long it took.", name, value=run.duration_s),
            *_write("last_run_timestamp_seconds", "gauge", "When it ended.", name, value=ended_at_s),
            *_write(
                "last_success_timestamp_seconds",
                "gauge",
                "When a run last ended with exit code 0; 0: never yet.",
                name,
                value=before.success_at_s if run.exit_code else ended_at_s,
            ),
        )
    )


def _by_state(totals: Mapping[str, int]) -> dict[str, int]:
    """Count by the states that are shown: what was being sent when a run broke off may have arrived."""
    counted = {str(state): number for state, number in totals.items()}
    counted["in_doubt"] = counted.get("in_doubt", 0) + counted.pop("sending", 0)
    return {state: counted.get(state, 0) for state in STATES}


def _write(
    metric: str,
    kind: str,
    help_: str,
    name: str,
    label: str | None = None,
    values: Mapping[str, float] | None = None,
    *,
    value: float = 0,
) -> Iterator[str]:
    yield f"# HELP qstash_jobs_{metric} {help_}"
    yield f"# TYPE qstash_jobs_{metric} {kind}"
    own = f'name="{_escape(name)}"'
    if label is None:
        yield f"qstash_jobs_{metric}{{{own}}} {_write_number(value)}"
        return
    for key, number in (values or {}).items():
        yield f'qstash_jobs_{metric}{{{own},{label}="{key}"}} {_write_number(number)}'


def _write_number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
