"""Publishes a number of messages from a process of its own, so that a test can end it as hard as it likes.

usage: run_publish.py FOLDER URL MESSAGES BATCH_SIZE CONCURRENCY
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from publishing import Stage, jobs_to, names

folder, url, messages, batch_size, concurrency = sys.argv[1:]
stage = Stage(Path(folder), url)
stage.run(jobs_to(*names(int(messages))), batch_size=int(batch_size), concurrency=int(concurrency))
