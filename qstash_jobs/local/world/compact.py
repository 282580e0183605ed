"""Values -> JSON without blanks."""

import json
from typing import Any

import orjson


def write_compact(value: Any) -> bytes:
    """Write what JSON can hold; half a surrogate pair, which stands for a byte that is no UTF-8, is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()
