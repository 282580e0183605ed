"""A flow-control key's pins as declared and as observed -> the Change between them."""

from qstash_jobs.grammar import read_seconds, show_seconds
from qstash_jobs.plan.changes import Change, Comparison, Step
from qstash_jobs.resources import Resource
from qstash_jobs.wire.resources.flow_controls import (
    ObservedFlowControl,
    pin_flow_control,
    unpin_flow_control,
)


def plan_flow_control(declared: Resource, observed: ObservedFlowControl | None) -> Change:
    """Plan the pins that a key should have; a limit that the file does not say is left to the messages."""
    parallelism, rate, period = (declared.fields.get(name) for name in ("parallelism", "rate", "period"))
    period_s = None if rate is None else 1 if period is None else read_seconds(_plain(period))
    had = observed or ObservedFlowControl(key=declared.name)
    found = Comparison()
    found.add("parallelism", had.parallelism, None if parallelism is None else int(parallelism))
    found.add("rate", had.rate, None if rate is None else int(rate))
    found.add("period", _show(had.period_s), _show(period_s))
    changed = {one.field for one in found.changes}
    steps: list[Step] = []
    if any(one.new is not None for one in found.changes):
        request = pin_flow_control(
            declared.name,
            parallelism=int(parallelism) if parallelism is not None and "parallelism" in changed else None,
            rate=int(rate) if rate is not None and changed & {"rate", "period"} else None,
            period_s=period_s if changed & {"rate", "period"} else None,
        )
        steps.append(Step(request=request, does="pin its limits"))
    if any(one.new is None for one in found.changes):
        gone = {one.field for one in found.changes if one.new is None}
        request = unpin_flow_control(declared.name, parallelism="parallelism" in gone, rate="rate" in gone)
        steps.append(Step(request=request, does="unpin what is not declared"))
    is_pinned = had.parallelism is not None or had.rate is not None
    return Change(
        kind="flow_control",
        key=declared.key,
        name=declared.name,
        action="unchanged" if not found.changes else "update" if is_pinned else "create",
        fields=tuple(found.changes),
        location=declared.location,
        steps=tuple(steps),
    )


def plan_unpinning(observed: ObservedFlowControl, *, why_force: str) -> Change:
    """Plan that a key's limits are left to its messages again: a key itself cannot be removed."""
    parallelism, rate = observed.parallelism is not None, observed.rate is not None
    found = Comparison()
    found.add("parallelism", observed.parallelism, None)
    found.add("rate", observed.rate, None)
    found.add("period", _show(observed.period_s), None)
    request = unpin_flow_control(observed.key, parallelism=parallelism, rate=rate)
    return Change(
        kind="flow_control",
        key=observed.key,
        name=observed.key,
        action="delete",
        fields=tuple(found.changes),
        steps=(Step(request=request, does="unpin it", may_be_gone=True),),
        needs_force=why_force,
    )


def _plain(value: object) -> str | int:
    return value if isinstance(value, str) else int(str(value))


def _show(seconds: int | None) -> str | None:
    return None if seconds is None else show_seconds(seconds)
