"""A duration as QStash's headers write it (`1d10h30m`, `90s`) -> whole seconds, or a Refusal."""

import re

from qstash_jobs.local.world.refusal import Refusal

# wire contract 4.1: units s m h d; compound forms accepted; sub-second units undocumented
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
PART = re.compile(r"([0-9]{1,15})([^0-9]*)")


def read_duration_s(text: str, *, setting: str) -> int:
    """Read a duration; the setting is named in the refusal."""
    seconds = 0
    offset = 0
    while offset < len(text) or not text:
        part = PART.match(text, offset)
        if part is None:
            raise Refusal(400, f'invalid {setting}: invalid duration "{text}"')
        if not part[2]:
            # wire contract 4.1: Go's own words for a bare number
            raise Refusal(400, f'invalid {setting}: missing unit in duration "{text}"')
        if part[2] not in UNITS_S:
            raise Refusal(400, f'invalid {setting}: unknown unit "{part[2]}" in duration "{text}"')
        seconds += int(part[1]) * UNITS_S[part[2]]
        offset = part.end()
    return seconds
