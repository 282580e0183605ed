"""vercel.json -> its cron entries.

vercel.com/docs/cron-jobs: each is called with GET, in UTC, at its path of the production deployment; where CRON_SECRET
is set, with `Authorization: Bearer` and its value.
"""

from typing import Any

import orjson

from qstash_jobs.entries.entry import Entry, LeftOut, Reading, UnreadableEntriesError, explain_cron

_REMARK = (
    "Vercel sends `Authorization: Bearer` with the value of CRON_SECRET where that is set; a schedule sends it with "
    'headers: {Authorization: "Bearer ${{ secrets.CRON_SECRET }}"}'
)


def read_vercel(content: bytes, *, base_url: str) -> Reading:
    """Read the entries; `base_url` is what their paths continue."""
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnreadableEntriesError(f"it is not JSON: {error}") from error
    crons = data.get("crons", []) if isinstance(data, dict) else None
    if not isinstance(crons, list):
        raise UnreadableEntriesError("it holds no list `crons`, as a vercel.json has")
    entries = tuple(_read_entry(one, base_url.rstrip("/")) for one in crons)
    return Reading(
        entries=entries, remarks=(_REMARK,) if any(isinstance(one, Entry) for one in entries) else ()
    )


def _read_entry(given: Any, base_url: str) -> Entry | LeftOut:
    source = orjson.dumps(given).decode()
    path, cron = (given.get(name) if isinstance(given, dict) else None for name in ("path", "schedule"))
    if not isinstance(path, str) or not isinstance(cron, str) or not path.startswith("/"):
        return LeftOut(
            source=source, line=0, reason="an entry needs a `path` that begins with / and a `schedule`"
        )
    fault = explain_cron(cron)
    if fault is not None:
        return LeftOut(source=source, line=0, reason=fault)
    name = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    return Entry(name=name, source=source, line=0, cron=cron, url=base_url + path, method="GET")
