"""Publishes messages out of a generator, and prints what memory that took at its most, in MiB.

usage: run_rows.py FOLDER URL MESSAGES
"""

import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from publishing import Stage, jobs_to

from qstash_jobs.envelope import Envelope
from qstash_jobs.publish import Options, Settlement, publish
from qstash_jobs.record import Slot
from qstash_jobs.transport import open_watch


def rows(envelopes: Iterable[Envelope], number: int) -> Iterator[Envelope]:
    (one,) = envelopes
    shared = {each.name: getattr(one, each.name) for each in fields(one)}
    for row in range(1, number + 1):
        id_ = f"qj-{row:040x}"
        slot = Slot(key=one.slot.key, job=one.slot.job, row=row)
        yield Envelope(**{**shared, "slot": slot, "id": id_, "dedup_id": id_})


def main(folder: str, url: str, messages: str) -> None:
    stage = Stage(Path(folder), url, deadline_s=30)
    told = 0

    def count(settlement: Settlement) -> None:
        nonlocal told
        told += settlement.state == "published"

    with closing(stage.open_ledger()) as ledger, open_watch() as watch:
        ending = publish(
            rows(stage.envelopes(jobs_to("m"), ledger), int(messages)),
            run="run",
            options=Options(concurrency=4, batch_size=500),
            open_line=stage.open_line,
            watch=watch,
            ledger=ledger,
            clock=stage.clock,
            chance=lambda: 0.0,
            tell=count,
            stopping=lambda: False,
        )
    assert ending is None
    assert told == int(messages)
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}\n")


main(*sys.argv[1:])
