"""What a machine lacks that a test needs -> the test is skipped, or fails where it is said that it may not be."""

import os
from typing import NoReturn

import pytest

BROWSER = "TEST_WITH_BROWSER"
COMPILER = "TEST_WITH_COMPILER"
MEMORY_DISK = "TEST_WITH_MEMORY_DISK"
NODE = "TEST_WITH_NODE"
POSTGRES = "TEST_WITH_POSTGRES"
"""Set to `required`, a machine without it fails the tests."""


def do_without(variable: str, reason: str) -> NoReturn:
    """Skip the test that asks, or fail it where the variable says `required`."""
    if os.environ.get(variable) == "required":
        pytest.fail(reason)
    pytest.skip(reason)
