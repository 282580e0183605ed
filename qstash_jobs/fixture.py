"""The pytest plugin: a test that takes `qstash` gets a local server of its own.

pytest loads this wherever the package is installed, so that nothing else is imported before a test asks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from qstash_jobs.local import StandIn

MARK = "qstash(**options): what the local server of this test is started with, as start_server takes it"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARK)


@pytest.fixture
def qstash(request: pytest.FixtureRequest) -> "Iterator[StandIn]":
    """A QStash-compatible server on this machine, whose time stands still until the test lets some pass."""
    from qstash_jobs.local import StandIn, start_server

    options: dict[str, object] = {"record_requests": True}
    for mark in reversed(list(request.node.iter_markers("qstash"))):
        if mark.args:
            raise pytest.UsageError(
                "the marker qstash takes options by their names, as in qstash(deliver=True)"
            )
        options |= mark.kwargs
    with start_server(**{"stands_still": not options.get("real_time")} | options) as server:  # type: ignore[arg-type]
        yield StandIn(server)
