"""A CSV of orders -> one request a message by other means, to be measured beside `run --batch-size 1`.

`sdk` is what a person would write with the official SDK: it checks nothing and remembers nothing. The others send one
finished message again and again. `raw` knows no HTTP beyond the length of an answer: it shows what the server can do.
"""

import csv
import http.client
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

Row = Mapping[str, str]

URL = "https://example.com/orders"
PATH = f"/v2/publish/{URL}"
BODY = b'{"order":"A-00000001","email":"customer1@example.com","total":1.01,"note":"thanks for order 1"}'
HEADERS = {
    "Authorization": "Bearer token",
    "Content-Type": "application/json",
    "Upstash-Method": "POST",
    "Upstash-Retries": "3",
    "Upstash-Deduplication-Id": f"qj-{'0' * 40}",
    "Upstash-Label": f"orders,qj-r-{'0' * 16},qj-m-{'0' * 16}",
    "Upstash-Forward-X-Team": "billing",
}


def rows(path: str, count: int) -> Iterator[Row]:
    """Read the first rows."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        yield from islice(csv.DictReader(file), count)


def sdk_publisher(server: str) -> Callable[[Row], None]:
    """Publish a row with the official SDK's `publish_json`."""
    from qstash import QStash

    client = QStash("token", base_url=server)

    def publish(row: Row) -> None:
        client.message.publish_json(
            url=URL,
            body={
                "order": row["order_id"],
                "email": row["email"],
                "total": float(row["total"]),
                "note": row["note"],
            },
            headers={"X-Team": "billing"},
            retries=3,
            label="orders",
        )

    return publish


def urllib3_sender(server: str, connections: int) -> Callable[[object], None]:
    """Send the finished message through a pool of urllib3's."""
    import urllib3

    pool = urllib3.HTTPConnectionPool(server.removeprefix("http://"), maxsize=connections, block=True)

    def send(_: object) -> None:
        pool.urlopen("POST", PATH, body=BODY, headers=HEADERS)

    return send


def sdk(server: str, path: str, count: int, threads: int) -> None:
    """Publish the rows with the SDK."""
    repeat(sdk_publisher(server), rows(path, count), threads)


def urllib3(server: str, _: str, count: int, threads: int) -> None:
    """Send as many finished messages with urllib3."""
    repeat(urllib3_sender(server, threads), range(count), threads)


def repeat(do: Callable[[Any], None], things: Any, threads: int) -> None:
    """Do it with everything, here or in threads."""
    if threads == 1:
        for thing in things:
            do(thing)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(do, things):
            pass


def http_client(server: str, _: str, count: int, _threads: int) -> None:
    """Send as many finished messages with the standard library."""
    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    for _index in range(count):
        connection.request("POST", PATH, body=BODY, headers=HEADERS)
        connection.getresponse().read()


def raw(server: str, _: str, count: int, _threads: int) -> None:
    """Send as many finished messages as bytes on a socket, and read answers that all have one length."""
    host, _colon, port = server.removeprefix("http://").partition(":")
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(BODY)}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    request = "\r\n".join([*lines, "", ""]).encode() + BODY
    with socket.create_connection((host, int(port))) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _index in range(count):
            line.sendall(request)
            if not line.recv(65536).startswith(b"HTTP/1.1 200"):
                raise SystemExit("the server did not accept a message")


if __name__ == "__main__":
    way, server, path, count, threads = sys.argv[1:]
    ways = {"sdk": sdk, "urllib3": urllib3, "http.client": http_client, "raw": raw}
    ways[way](server, path, int(count), int(threads))
