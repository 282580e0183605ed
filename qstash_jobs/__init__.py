"""Publish QStash messages from YAML job files."""

__version__ = "0.1.0"
