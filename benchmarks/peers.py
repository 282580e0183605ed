"""A CSV of orders -> the same messages published by other means, to be measured beside `qstash-jobs run`.

`sdk` is what a person would write with the official SDK: it checks nothing, remembers nothing, and its messages have
no deduplication id. `prebuilt` sends bytes that were made before through urllib3: no client in Python that uses it
can be faster.
"""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

BATCH = 100
URL = "https://example.com/orders"


def rows(path: str) -> Iterator[list[dict[str, str]]]:
    """Read the rows in batches."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        while batch := list(islice(reader, BATCH)):
            yield batch


def sdk(server: str, path: str) -> None:
    """Publish with the official SDK's `batch_json`."""
    from qstash import QStash

    client = QStash("token", base_url=server)
    for batch in rows(path):
        answers = client.message.batch_json(
            [
                {
                    "url": URL,
                    "body": {
                        "order": row["order_id"],
                        "email": row["email"],
                        "total": float(row["total"]),
                        "note": row["note"],
                    },
                    "headers": {"X-Team": "billing"},
                    "retries": 3,
                    "label": "orders",
                }
                for row in batch
            ]
        )
        if len(answers) != len(batch):
            raise SystemExit("the server answered another number of messages")


def prebuilt(server: str, path: str) -> None:
    """Send one prepared batch as often as the file has batches."""
    import urllib3

    count = sum(len(batch) for batch in rows(path))
    body = Path(path).with_name("batch.json").read_bytes()
    headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
    pool = urllib3.HTTPConnectionPool(server.removeprefix("http://"), maxsize=1)
    for _ in range(count // BATCH):
        pool.urlopen("POST", "/v2/batch", body=body, headers=headers)


if __name__ == "__main__":
    {"sdk": sdk, "prebuilt": prebuilt}[sys.argv[1]](*sys.argv[2:])
