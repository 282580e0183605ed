"""Names of messages on stdin -> each published by one client -> a JSON line for each: was the user told that it was?

usage: chaos_clients.py sdk|sdk-ids SERVER TIMEOUT_S
       chaos_clients.py ours TIMEOUT_S WORDS...

`sdk` is the loop that a careful person writes with the official SDK: every exception is caught and told. With `sdk-ids`
each message has a deduplication id. `ours` is the command line itself, with as short a timeout: it has no option for
that, and the SDK has none either.
"""

import json
import sys

URL = "https://example.com/"


def publish(server: str, timeout_s: float, *, with_ids: bool) -> None:
    """Publish with the SDK as it comes, but for its timeout of ten minutes."""
    import httpx
    import qstash.http
    from qstash import QStash

    qstash.http.DEFAULT_TIMEOUT = httpx.Timeout(timeout_s)
    client = QStash("token", base_url=server)
    for line in sys.stdin:
        name = line.strip()
        try:
            client.message.publish_json(
                url=f"{URL}{name}", body={"order": name}, deduplication_id=name if with_ids else None
            )
        except Exception as error:
            tell(name, "failed", f"{type(error).__name__}: {error}")
        else:
            tell(name, "published", None)


def run(timeout_s: float, words: list[str]) -> None:
    """Be `qstash-jobs`."""
    from qstash_jobs.api.world import Service
    from qstash_jobs.boundary import Line
    from qstash_jobs.cli.main import main
    from qstash_jobs.transport import open_line

    def open_quick_line(service: Service) -> Line:
        return open_line(service.server, service.token, environment=service.env, deadline_s=timeout_s)

    Service.open_line = open_quick_line  # type: ignore[method-assign]
    sys.argv = ["qstash-jobs", *words]
    main()


def tell(name: str, state: str, reason: str | None) -> None:
    print(json.dumps({"name": name, "state": state, "reason": reason}), flush=True)


if __name__ == "__main__":
    way, *rest = sys.argv[1:]
    if way == "ours":
        run(float(rest[0]), rest[1:])
    else:
        server, timeout_s = rest
        publish(server, float(timeout_s), with_ids=way == "sdk-ids")
