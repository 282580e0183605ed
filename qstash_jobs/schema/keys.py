"""A key that nobody knows -> the word that was meant: the nearest one, QStash's or the SDKs' name of it, or where
it belongs instead.
"""

from collections.abc import Mapping
from typing import Any

from qstash_jobs.grammar import nearest
from qstash_jobs.schema.published import job_file_schema
from qstash_jobs.value import dataclass

SYNONYMS = {
    "url": "destination endpoint uri href target address link to",
    "url_group": "topic topicname group",
    "queue": "queuename",
    "method": "verb httpmethod",
    "body": "json payload data content message text bodyjson jsonbody",
    "body_file": "file bodypath path",
    "body_base64": "base64 bodybase",
    "content_type": "type mimetype mediatype",
    "headers": "header forwardheaders",
    "delay": "wait sleep delayseconds",
    "not_before": "at when runat deliverat scheduledat sendat",
    "timezone": "tz zone",
    "retries": "retry maxretries attempts",
    "retry_delay": "backoff retrybackoff retrydelayexpression",
    "timeout": "httptimeout",
    "callback": "onsuccess webhook callbackurl",
    "failure_callback": "onfailure onerror errorcallback failurecallbackurl",
    "dedup": "deduplication deduplicate",
    "labels": "label tags tag",
    "redact": "redactfields",
    "for_each": "rows matrix loop foreachrow",
    "description": "comment title summary",
    "enabled": "active",
}
"""Fields of a job, each with the names that other tools, the SDKs and people have for it (folded)."""

ELSEWHERE = {
    "deduplicationid": "write `dedup: {id: …}`",
    "dedupid": "write `dedup: {id: …}`",
    "idempotencykey": "write `dedup: {key: …}`",
    "contentbaseddeduplication": "write `dedup: content`",
    "window": "it belongs in `dedup`, as in `dedup: {key: …, window: 30d}`",
    "parallelism": "it belongs in `flow_control`",
    "rate": "it belongs in `flow_control`",
    "ratepersecond": "it belongs in `flow_control`, as in `flow_control: {key: …, rate: 10}`",
    "period": "it belongs in `flow_control`",
    "flowcontrolkey": "write `flow_control: {key: …, rate: …}`",
    "html": "write `body: …` and `content_type: text/html`",
    "disabled": "write `enabled: false`",
    "callbackheaders": "write `callback: {url: …, headers: {…}}`",
    "failurecallbackheaders": "write `failure_callback: {url: …, headers: {…}}`",
    "cron": "it belongs in `schedules`: a schedule fires again and again, a job is published once a run",
    "schedule": "a schedule stands under `schedules:`, with a `cron` of its own",
    "id": "the id is the key that it stands under",
    "name": "the name is the key that it stands under",
    "jobid": "the id is the key that it stands under",
    "scheduleid": "it belongs in `schedules`, for one that the account has already",
    "token": "a token never stands in a file: set QSTASH_TOKEN",
    "qstashtoken": "a token never stands in a file: set QSTASH_TOKEN",
    "runkey": "it belongs at the top of the file",
}
"""What a job has no field for, with what to do instead (folded)."""

NOT_OF_A_SCHEDULE = {
    "for_each": "a schedule sends the same message each time: use a job for rows",
    "not_before": "`cron` says when a schedule fires",
    # upstash/qstash-js issue 39: a repeated id on a schedule was answered with a deleted schedule's id
    "dedup": "QStash deduplicates messages, not schedules",
}

FEW = 9
"""Words that a hint lists at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    hint: str | None = None
    meant: str | None = None
    """The known field that it stands for."""


def advise(key: str, value: Any, definition: Mapping[str, Any]) -> Advice:
    """Say what an unknown key of a mapping was meant to be; `definition` is the mapping's schema."""
    known = list(definition["properties"])
    word = _spelt_otherwise(key, known)
    if word is not None:
        return Advice(hint=f"did you mean `{word}`?", meant=word)
    if "failure_callback" in known:
        return _of_a_job(key, value, known)
    if "jobs" in known and key in _fields("single_job"):
        return Advice(hint="it belongs in a job, under `jobs`, or in `defaults`")
    return _nearest(key, known)


def _spelt_otherwise(key: str, known: list[str]) -> str | None:
    folded = _fold(key)
    for word in known:
        if folded == _fold(word) or folded in SYNONYMS.get(word, "").split():
            return word
    return None


def _of_a_job(key: str, value: Any, known: list[str]) -> Advice:
    if key in NOT_OF_A_SCHEDULE:
        return Advice(hint=NOT_OF_A_SCHEDULE[key])
    if _fold(key) in ELSEWHERE:
        return Advice(hint=ELSEWHERE[_fold(key)])
    is_whole_file = "run_key" in known
    found = _nearest(key, [*known, *_fields("job_set")] if is_whole_file else known)
    if found.meant is None and is_whole_file and isinstance(value, dict) and value.keys() & set(known):
        return Advice(hint="jobs stand under `jobs:`, each with its id")
    return found


def _nearest(key: str, known: list[str]) -> Advice:
    word = nearest(key, known)
    if word is not None:
        return Advice(hint=f"did you mean `{word}`?", meant=word)
    return Advice(hint=f"known here: {', '.join(known)}" if len(known) <= FEW else None)


def _fields(definition: str) -> list[str]:
    return list(job_file_schema()["$defs"][definition]["properties"])


def _fold(key: str) -> str:
    """Make the spellings of one word equal: `Upstash-Not-Before`, `notBefore`, `not_before`."""
    return key.casefold().removeprefix("upstash-").replace("-", "").replace("_", "")
