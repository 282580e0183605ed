"""Publishes messages out of a ledger that other runners share, from a process of its own that may be killed.

usage: run_shared.py FOLDER URL LEDGER RUN MESSAGES BATCH_SIZE CONCURRENCY LEASE_S QUEUE

QUEUE is `-` for none. Prints a JSON document: why it stopped early, if it did, and what it told of each message.
"""

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from publishing import Stage, jobs_to, names

from qstash_jobs.errors import StopError

folder, url, address, run, messages, batch_size, concurrency, lease_s, queue = sys.argv[1:]
stage = Stage(Path(folder), url, address=address, lease_s=float(lease_s), deadline_s=float(lease_s) / 3)
jobs = jobs_to(*names(int(messages)), **({} if queue == "-" else {"queue": queue}))
try:
    went = stage.run(jobs, run=run, batch_size=int(batch_size), concurrency=int(concurrency))
except StopError as error:
    sys.stderr.write(f"{run}: {error}\n")
    sys.exit(error.exit_code)
reason = went.ending.reason if went.ending else None
sys.stdout.write(json.dumps({"ending": reason, "states": Counter(went.states.values())}) + "\n")
