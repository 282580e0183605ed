"""A schedule as observed -> a Drafted one: every setting that QStash shows, under the id that it has."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from qstash_jobs.grammar import is_job_id, show_seconds
from qstash_jobs.message import FlowControl
from qstash_jobs.plan.ownership import is_mark
from qstash_jobs.report.inventory.content import InexpressibleError, draft_content, redacted_parts
from qstash_jobs.report.inventory.defaults import take_away
from qstash_jobs.report.inventory.secrets import SecretNames
from qstash_jobs.report.inventory.terms import VARIANTS, Terms, Variant
from qstash_jobs.report.job_file import Drafted, Omission, escape_expressions
from qstash_jobs.report.keys import Keys
from qstash_jobs.rules.secrets import CREDENTIALS
from qstash_jobs.wire.resources.fields import Redacted, Value
from qstash_jobs.wire.resources.schedules import ObservedSchedule

# upstash/docs, qstash/openapi.yaml: what the ids begin with that the service makes itself
MADE_BY_THE_SERVICE = "scd_"

FOREIGN = "another project keeps it as code: it carries that one's mark"


def draft_schedules(
    schedules: tuple[ObservedSchedule, ...], terms: Terms, groups: Mapping[str, str], secrets: SecretNames
) -> tuple[list[Drafted], list[Omission]]:
    """Draft schedules in the order of their ids, the project's own first; `groups` gives the keys of URL groups."""
    drafted: list[Drafted] = []
    omissions: list[Omission] = []
    keys = Keys()
    for schedule in sorted(schedules, key=lambda one: (_own_key(one, terms) is None, one.id)):
        key = keys.make(_own_key(schedule, terms) or name_schedule(schedule))
        try:
            drafted.append(_draft(schedule, key, terms, groups, secrets))
        except InexpressibleError as error:
            omissions.append(Omission(what=f"schedule {schedule.id}", reason=str(error)))
    return drafted, omissions


def name_schedule(schedule: ObservedSchedule) -> str:
    """Name a schedule after its id, or after what it calls where the service made the id."""
    if not schedule.id.startswith(MADE_BY_THE_SERVICE):
        return schedule.id
    if not schedule.destination.startswith(("http://", "https://")):
        return schedule.destination
    try:
        address = urlsplit(schedule.destination)
    except ValueError:
        return schedule.id
    return address.path.rstrip("/").rpartition("/")[2] or address.netloc


def _own_key(schedule: ObservedSchedule, terms: Terms) -> str | None:
    """Give the key under which the project's own files declared it; None for what they did not make."""
    rest = schedule.id.removeprefix(terms.owner.prefix)
    return rest if terms.owner.owns_schedule(schedule.id, schedule.labels) and is_job_id(rest) else None


def is_foreign(schedule: ObservedSchedule, terms: Terms) -> bool:
    """Say whether a schedule carries another project's mark, and not this one's."""
    has_own = terms.owner.read_digest(schedule.labels) is not None
    return not has_own and any(map(is_mark, schedule.labels))


def _draft(
    schedule: ObservedSchedule, key: str, terms: Terms, groups: Mapping[str, str], secrets: SecretNames
) -> Drafted:
    if is_foreign(schedule, terms) and not terms.takes_over:
        raise InexpressibleError(f"{FOREIGN}; --take-over makes it this one's too")
    variant = VARIANTS[terms.variants.get(schedule.id, 0)]
    content, files = draft_content(
        schedule,
        key,
        folder=terms.folder,
        secrets=secrets,
        has_default=terms.defaults.get("content_type") is not None,
    )
    fields: dict[str, Any] = {
        **_write_timing(schedule),
        **({} if _own_key(schedule, terms) == key else {"schedule_id": schedule.id}),
        **_write_target(schedule, groups),
        **content,
        **_write_headers(schedule, key, secrets),
        **_write_delivery(schedule, variant),
        **_write_callbacks(schedule, key, secrets),
        **_write_redaction(schedule, variant),
        "enabled": not schedule.paused,
    }
    return Drafted(
        key=key,
        fields=take_away(fields, terms.defaults),
        comments=tuple(_remark(schedule, terms)),
        files=files,
    )


def _write_timing(schedule: ObservedSchedule) -> dict[str, Any]:
    zone = {} if schedule.timezone is None else {"timezone": escape_expressions(schedule.timezone)}
    return {"cron": escape_expressions(schedule.cron), **zone}


def _write_target(schedule: ObservedSchedule, groups: Mapping[str, str]) -> dict[str, Any]:
    target = schedule.destination
    fields = (
        {"url": escape_expressions(target)}
        if target.startswith(("http://", "https://"))
        else {"url_group": escape_expressions(groups.get(target, target))}
    )
    if schedule.queue is not None:
        fields["queue"] = escape_expressions(schedule.queue)
    return fields | ({} if schedule.method == "POST" else {"method": schedule.method})


def _write_headers(schedule: ObservedSchedule, key: str, secrets: SecretNames) -> dict[str, Any]:
    return {"headers": write_values(schedule.headers, key, secrets)} if schedule.headers else {}


def write_values(headers: tuple[tuple[str, Value], ...], key: str, secrets: SecretNames) -> dict[str, Any]:
    """Write headers; what is hidden of them, as secrets."""
    return {
        name: secrets.look_up(value, key, name) if isinstance(value, Redacted) else escape_expressions(value)
        for name, value in headers
    }


def _write_delivery(schedule: ObservedSchedule, variant: Variant) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if schedule.delay_s:
        fields["delay"] = show_seconds(schedule.delay_s)
    if schedule.retries is not None and variant.says_retries:
        fields["retries"] = schedule.retries
    if schedule.retry_delay is not None:
        fields["retry_delay"] = escape_expressions(schedule.retry_delay)
    if schedule.timeout_s:
        fields["timeout"] = show_seconds(schedule.timeout_s)
    if schedule.flow_control is not None:
        fields["flow_control"] = _write_flow_control(schedule.flow_control)
    labels = [label for label in schedule.labels if not is_mark(label)]
    return fields | ({"labels": [escape_expressions(label) for label in labels]} if labels else {})


def _write_flow_control(flow: FlowControl) -> dict[str, Any]:
    if not (flow.parallelism or flow.rate):
        raise InexpressibleError(f"of its flow control {flow.key} QStash shows no limit")
    fields: dict[str, Any] = {"key": escape_expressions(flow.key)}
    if flow.parallelism:
        fields["parallelism"] = flow.parallelism
    if flow.rate:
        fields |= {"rate": flow.rate, "period": show_seconds(flow.period_s or 1)}
    return fields


def _write_callbacks(schedule: ObservedSchedule, key: str, secrets: SecretNames) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, url, headers in (
        ("callback", schedule.callback, schedule.callback_headers),
        ("failure_callback", schedule.failure_callback, schedule.failure_callback_headers),
    ):
        if url is not None:
            written = write_values(headers, f"{key}_{name}", secrets)
            fields[name] = (
                {"url": escape_expressions(url), "headers": written} if written else escape_expressions(url)
            )
    return fields


def _write_redaction(schedule: ObservedSchedule, variant: Variant) -> dict[str, Any]:
    """Write what is hidden though no secret says so: what a secret goes into is hidden without asking."""
    hidden = list(redacted_parts(schedule))
    named = [name for name, _ in schedule.headers]
    hides_all = bool(hidden) and len(hidden) >= len(named) and ("Content-Type" in hidden or variant.hides_all)
    fields: dict[str, Any] = {"body": True} if isinstance(schedule.body, Redacted) else {}
    if hides_all:
        fields["headers"] = True
    elif "Content-Type" in hidden:
        fields["headers"] = ["Content-Type"]
    return {"redact": fields} if fields else {}


def _remark(schedule: ObservedSchedule, terms: Terms) -> Iterator[str]:
    if is_foreign(schedule, terms):
        yield f"{FOREIGN}; whichever of the two applies last would win"
    for name, value in schedule.headers:
        if name.lower() in CREDENTIALS and isinstance(value, str):
            yield f"its {name} stands here in the open, as in the account: better a secret"
    if schedule.callback is not None or schedule.failure_callback is not None:
        yield (
            "of callbacks QStash gives back neither method, retries, retry delay nor timeout: say them here, "
            "if there are any, or the next change takes them off"
        )
