"""A text -> the parser whose events are read: libyaml's where PyYAML was built with it, else the one in Python."""

from typing import Any, Protocol

import yaml

Event = Any
"""One of yaml.events: their attributes differ by class, and the stubs make every mark optional."""


class Parser(Protocol):
    def get_event(self) -> Event: ...


def open_parser(content: bytes, text: str) -> Parser:
    """Open a parser; both are given the same characters, so that their indices agree.

    libyaml works on bytes, and would only encode the text again.
    """
    loader = getattr(yaml, "CBaseLoader", None)
    parser: Parser = loader(content) if loader else yaml.BaseLoader(text)
    return parser
