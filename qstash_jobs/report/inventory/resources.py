"""URL groups, queues and flow-control pins as observed -> Drafted ones."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from qstash_jobs.grammar import is_job_id, show_seconds
from qstash_jobs.report.inventory.schedules import write_values
from qstash_jobs.report.inventory.secrets import SecretNames
from qstash_jobs.report.inventory.terms import Terms
from qstash_jobs.report.job_file import Drafted, Omission, escape_expressions
from qstash_jobs.report.keys import Keys
from qstash_jobs.rules.secrets import CREDENTIALS
from qstash_jobs.wire.resources.flow_controls import ObservedFlowControl
from qstash_jobs.wire.resources.groups import ObservedGroup
from qstash_jobs.wire.resources.queues import ObservedQueue

Found = tuple[list[Drafted], list[Omission]]

NO_HEADERS = "no headers of URL groups are given back: if one has any, say them in its `headers`"
NO_KEY = "its name cannot be a key: letters, digits, dots, dashes and underscores, a letter or digit first"


def key_groups(groups: tuple[ObservedGroup, ...], terms: Terms) -> dict[str, str]:
    """Give each URL group its key: its name, where that can be one."""
    names = [group.name for group in sorted(groups, key=lambda one: one.name)]
    plain = [name for name in names if is_job_id(name) and name not in terms.taken_keys]
    keys = Keys({*terms.taken_keys, *names})
    return {name: name if name in plain else keys.make(name, otherwise="group") for name in names}


def draft_groups(groups: tuple[ObservedGroup, ...], keys: dict[str, str], secrets: SecretNames) -> Found:
    """Draft URL groups in the order of their names."""
    drafted: list[Drafted] = []
    omissions: list[Omission] = []
    for group in sorted(groups, key=lambda one: one.name):
        if not group.endpoints:
            omissions.append(Omission(what=f"URL group {group.name}", reason="it has no endpoint"))
            continue
        key = keys[group.name]
        fields: dict[str, Any] = {} if key == group.name else {"name": escape_expressions(group.name)}
        fields["endpoints"] = dict(_name_endpoints(group))
        if group.headers:
            fields["headers"] = write_values(group.headers, key, secrets)
        drafted.append(Drafted(key=key, fields=fields, comments=tuple(_remark(group))))
    return drafted, omissions


def _name_endpoints(group: ObservedGroup) -> Iterator[tuple[str, str]]:
    """Yield each endpoint with its name; one without is named after its host, and stays without in the account."""
    keys = Keys(one.name for one in group.endpoints if one.name is not None)
    for endpoint in group.endpoints:
        name = endpoint.name or keys.make(_host(endpoint.url), otherwise="endpoint")
        yield name, escape_expressions(endpoint.url)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _remark(group: ObservedGroup) -> Iterator[str]:
    for name, value in group.headers or ():
        if name.lower() in CREDENTIALS and isinstance(value, str):
            yield f"its {name} stands here in the open, as in the account: better a secret"


def draft_queues(queues: tuple[ObservedQueue, ...]) -> Found:
    """Draft queues in the order of their names."""
    drafted: list[Drafted] = []
    omissions: list[Omission] = []
    for queue in sorted(queues, key=lambda one: one.name):
        if not is_job_id(queue.name):
            omissions.append(Omission(what=f"queue {queue.name}", reason=NO_KEY))
        else:
            fields = {"parallelism": queue.parallelism, "paused": queue.paused}
            drafted.append(Drafted(key=queue.name, fields=fields))
    return drafted, omissions


def draft_flow_controls(keys: tuple[ObservedFlowControl, ...]) -> Found:
    """Draft the pins of flow-control keys in the order of their names; what is not pinned is the messages' own."""
    drafted: list[Drafted] = []
    omissions: list[Omission] = []
    for key in sorted(keys, key=lambda one: one.key):
        what, fields = f"flow control {key.key}", _write_pins(key)
        if fields and is_job_id(key.key):
            paused = ("it is paused, which no file can say",) if key.paused else ()
            drafted.append(Drafted(key=key.key, fields=fields, comments=paused))
        elif fields:
            omissions.append(Omission(what=what, reason=NO_KEY))
        elif key.paused:
            omissions.append(Omission(what=what, reason="it is paused, which no file can say"))
    return drafted, omissions


def _write_pins(key: ObservedFlowControl) -> dict[str, Any]:
    fields: dict[str, Any] = {} if key.parallelism is None else {"parallelism": key.parallelism}
    if key.rate is not None:
        fields |= {"rate": key.rate, "period": show_seconds(key.period_s or 1)}
    return fields
