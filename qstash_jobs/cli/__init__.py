"""The command line: one file for each command, loaded only when it is asked for."""

from qstash_jobs.cli.main import main

__all__ = ["main"]
