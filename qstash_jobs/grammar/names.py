"""Names and words: whether they are legal where they are used, and the one that was probably meant."""

import re
from collections.abc import Iterable

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# wire contract 4.10: queue names, schedule ids, URL group names; 4.7 the same for flow-control keys
WIRE_NAME = re.compile(r"[A-Za-z0-9._-]+")
# wire contract 4.6: `:` is refused, blanks are reported refused
DEDUP_ID = re.compile(r"[A-Za-z0-9._,-]+")
# RFC 9110, 5.6.2: token
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

LONGEST_WORD = 100
"""Words beyond this are not compared: nobody mistypes that much, and comparing takes quadratic time."""


def is_job_id(text: str) -> bool:
    """Tell whether a job may be called so."""
    return JOB_ID.fullmatch(text) is not None


def is_wire_name(text: str) -> bool:
    """Tell whether QStash takes it as the name of a queue, a URL group, a schedule or a flow-control key."""
    return WIRE_NAME.fullmatch(text) is not None


def is_dedup_id(text: str) -> bool:
    """Tell whether QStash takes it as a deduplication id."""
    return DEDUP_ID.fullmatch(text) is not None


def is_header_name(text: str) -> bool:
    """Tell whether it is a header name of HTTP."""
    return HEADER_NAME.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Tell whether it can be one label: labels travel in one header, separated by commas."""
    return bool(text) and text == text.strip() and "," not in text and text.isprintable()


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that was probably meant, or None; case and `-` for `_` count for little."""
    if len(word) > LONGEST_WORD:
        return None
    from difflib import get_close_matches

    folded = {_fold(known): known for known in words if len(known) <= LONGEST_WORD}
    found = get_close_matches(_fold(word), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")
