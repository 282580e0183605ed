"""The urllib3 that opens the connections -> its version, and whether it is what it is called."""

FORK = 900


def urllib3_version() -> str:
    """Return the version of what is imported as urllib3."""
    from urllib3._version import __version__

    return __version__


def is_fork(version: str) -> bool:
    """Say whether this is urllib3-future, which is imported as urllib3 where niquests has been installed."""
    # pypi.org/project/urllib3-future, "Notes": the last number of its versions is 900 or more
    last = version.split(".")[-1]
    return last.isdecimal() and int(last) >= FORK


def is_supported(version: str) -> bool:
    """Say whether this is a version that the project asks for: from 2.7, below 3."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return major == "2" and minor.isdecimal() and int(minor) >= 7
