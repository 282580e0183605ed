"""A local server that has what job files declare, and what belongs to it: a service, a ledger that goes with it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from qstash_jobs.api.world import Service
from qstash_jobs.local.serve import LocalServer
from qstash_jobs.resources import Resources
from qstash_jobs.settings import account_of
from qstash_jobs.wire.server import read_server


def declare(resources: Resources, server: LocalServer) -> None:
    """Make the URL groups and queues that job files declare."""
    for group in resources.of("url_group"):
        server.make_group(group.name, group.fields["endpoints"])
    for queue in resources.of("queue"):
        parallelism = int(queue.fields.get("parallelism", 1))
        server.make_queue(queue.name, parallelism=parallelism, paused=queue.fields.get("paused", False))


@contextmanager
def temporary_ledger() -> Iterator[Path]:
    """Name a ledger that goes when its server does: what it would remember happened nowhere else."""
    with TemporaryDirectory(prefix="qstash-jobs-") as folder:
        yield Path(folder) / "ledger.db"


def local_service(server: LocalServer, env: Mapping[str, str]) -> Service:
    """Describe a local server as the service to publish to."""
    return Service(
        server=read_server(server.url), token=server.token, account=account_of(server.token), env=env
    )
