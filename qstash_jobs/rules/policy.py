"""Rules that the project itself made: its policy, and that of the environment."""

from collections.abc import Iterator

from qstash_jobs.grammar import show_seconds
from qstash_jobs.mask import MASKED
from qstash_jobs.message import Message
from qstash_jobs.rules.address import Address, read_address
from qstash_jobs.rules.registry import Context, Flaw, address_rule, rule

WHY = "The project file's `policy` was reviewed once and is held against every job."


@address_rule(
    "policy-destination",
    title="messages go only where the policy lets them",
    why=f"{WHY} `destinations` lists where messages, callbacks, group endpoints and schedules may go.",
    fix='policy: {destinations: ["https://*.example.com/hooks/"]}    # in qstash-jobs.yaml',
)
def destination(address: Address, context: Context) -> Flaw | None:
    for policy in context.policies:
        allowed = policy.destinations
        if allowed is not None and not any(pattern.matches(address) for pattern in allowed):
            places = ", ".join(pattern.text for pattern in allowed) or "nowhere"
            return Flaw(message="the policy does not let messages go there", hint=f"it allows {places}")
    return None


@rule(
    "policy-secret",
    fields=("url", "url_group", "callback", "failure_callback"),
    title="a secret goes only where the policy lets it",
    why=f"{WHY} `secrets` lists where each secret may go; a URL group's endpoints are not known here.",
    fix='policy: {secrets: {REPORT_TOKEN: ["https://reports.example.com/"]}}',
)
def secret(message: Message, context: Context) -> Iterator[Flaw]:
    for field, names in message.secrets.items():
        url = _goal(message, field)
        if url is not None and MASKED in url:
            continue  # where that is depends on a secret which is not known here
        where = None if url is None else read_address(url)
        for policy in context.policies:
            for name in sorted(names & policy.secrets.keys()):
                allowed = policy.secrets[name]
                if where is None or not any(pattern.matches(where) for pattern in allowed):
                    places = ", ".join(pattern.text for pattern in allowed) or "nowhere"
                    yield Flaw(
                        path=(field,),
                        message=f"the policy does not let the secret {name} go there",
                        hint=f"it may go to {places}",
                    )


def _goal(message: Message, field: str) -> str | None:
    """Name where a field's content goes: that of a callback goes to the callback."""
    callback = {"callback": message.callback, "failure_callback": message.failure_callback}.get(field)
    return message.url if callback is None else callback.url


@rule(
    "policy-require",
    fields=(),
    title="every job says what the policy wants said",
    why=f"{WHY} `require` lists fields that every job has, of its own or by defaults.",
    fix="policy: {require: [labels, retries]}",
)
def require(message: Message, context: Context) -> Iterator[Flaw]:
    job = message.job
    said = {
        *job.fields,
        *(["description"] if job.description else []),
        *(["for_each"] if job.for_each is not None else []),
    }
    for policy in context.policies:
        for name in policy.require:
            if name not in said:
                yield Flaw(
                    message=f"the policy requires `{name}`",
                    hint=f"say `{name}` in the job or in its defaults",
                )


@rule(
    "policy-forbid",
    fields=("dedup",),
    title="no job says what the policy forbids",
    why=f"{WHY} `forbid` lists fields (`queue`), or fields with a value or key (`dedup.none`), that no job has.",
    fix="policy: {forbid: [dedup.none]}",
)
def forbid(message: Message, context: Context) -> Iterator[Flaw]:
    for policy in context.policies:
        for text in policy.forbid:
            field, _, value = text.partition(".")
            if field in message.job.fields and (not value or _says(message, field, value)):
                yield Flaw(path=(field,), message=f"the policy forbids `{text}`", at_key=not value)


def _says(message: Message, field: str, value: str) -> bool:
    """Say whether a field has this value, or this key; of deduplication what is meant counts, however it is written."""
    if field == "dedup":
        return message.dedup.kind.name.lower() == value
    found = message.job.fields[field]
    return value in found if isinstance(found, dict) else str(found).lower() == value.lower()


@rule(
    "policy-max",
    fields=("retries", "delay", "not_before", "timeout"),
    title="retries, delays and timeouts stay within the policy",
    why=f"{WHY} `max` sets upper limits.",
    fix="policy: {max: {retries: 5, delay: 7d}}",
)
def most(message: Message, context: Context) -> Iterator[Flaw]:
    delay_s = message.delay_s
    if message.not_before is not None:
        delay_s = int((message.not_before - context.now).total_seconds())
    delay_field = "delay" if message.not_before is None else "not_before"
    for policy in context.policies:
        if (
            message.retries is not None
            and policy.max_retries is not None
            and message.retries > policy.max_retries
        ):
            yield Flaw(path=("retries",), message=f"the policy allows {policy.max_retries:,} retries at most")
        for path, seconds, limit in (
            (delay_field, delay_s, policy.max_delay_s),
            ("timeout", message.timeout_s, policy.max_timeout_s),
        ):
            if seconds is not None and limit is not None and seconds > limit:
                yield Flaw(path=(path,), message=f"the policy allows {show_seconds(limit)} at most")
