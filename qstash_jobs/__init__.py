"""Publish QStash messages from YAML job files."""

from importlib.metadata import version

__version__ = version("qstash-jobs")
