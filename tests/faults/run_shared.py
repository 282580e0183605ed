"""Publishes messages out of a ledger that other runners share, from a process of its own that may be killed.

usage: run_shared.py FOLDER URL LEDGER RUN MESSAGES BATCH_SIZE CONCURRENCY LEASE_S QUEUE [rows]

QUEUE is `-` for none. With `rows`, most messages are rows: by number, by a key, or by a key and with a deduplication id
of the user's own; those that have a key come in another order for each runner. Prints a JSON document: why it stopped
early, if it did, and what it told of each message.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from publishing import Stage, jobs_to, names

from qstash_jobs.errors import StopError


def rows_of(folder: Path, ids: Sequence[str], order: Random) -> dict[str, Any]:
    """Write jobs for the messages, with the files of their rows."""
    folder.mkdir(exist_ok=True)
    kinds: dict[str, dict[str, Any]] = {
        "numbered": {},
        "keyed": {"key": "id"},
        "given": {"key": "id"},
    }
    jobs = jobs_to(*ids[:: len(kinds) + 1][:50])
    rest = [one for one in ids if one not in jobs]
    for number, (kind, by) in enumerate(kinds.items()):
        rows = rest[number :: len(kinds)]
        if by:
            order.shuffle(rows)
        (folder / f"{kind}.csv").write_text("\n".join(["id", *rows]) + "\n")
        (job,) = jobs_to("${{ row.id }}").values()
        jobs[kind] = {**job, "for_each": {"file": f"{kind}.csv", **by}}
    jobs["given"]["dedup"] = {"id": "given-${{ row.id }}"}
    return jobs


folder, url, address, run, messages, batch_size, concurrency, lease_s, queue, *rows = sys.argv[1:]
stage = Stage(Path(folder), url, address=address, lease_s=float(lease_s), deadline_s=float(lease_s) / 3)
if rows:
    jobs = rows_of(Path(folder) / "files", names(int(messages)), Random(run))
else:
    jobs = jobs_to(*names(int(messages)), **({} if queue == "-" else {"queue": queue}))
try:
    went = stage.run(jobs, run=run, batch_size=int(batch_size), concurrency=int(concurrency))
except StopError as error:
    sys.stderr.write(f"{run}: {error}\n")
    sys.exit(error.exit_code)
reason = went.ending.reason if went.ending else None
sys.stdout.write(json.dumps({"ending": reason, "states": Counter(went.states.values())}) + "\n")
