"""What the fault tests share: processes of the command line, and a server for them."""

from collections.abc import Iterator

import pytest
from faults.lives import Launcher


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """One for all tests of a process."""
    begun = Launcher()
    yield begun
    begun.close()
