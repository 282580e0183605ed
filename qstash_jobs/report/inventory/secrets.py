"""Values that QStash hides -> the names of the secrets that have to hold them."""

import re

from qstash_jobs.render.names import is_refused
from qstash_jobs.report.job_file import Noted
from qstash_jobs.wire.resources.fields import Redacted

REMARK = "hidden: QStash gives only its SHA-256"


class SecretNames:
    """Names hidden values after where they stand first; one that stands in several places is one secret."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._names.values()))

    def look_up(self, hidden: Redacted, *place: str) -> Noted:
        """Write the expression that looks up a hidden value."""
        name = self._names.get(hidden.digest) or self._make(place)
        self._names[hidden.digest] = name
        return Noted(value="${{ secrets." + name + " }}", remark=REMARK)

    def _make(self, place: tuple[str, ...]) -> str:
        stem = re.sub(r"[^A-Z0-9]+", "_", "_".join(place).upper()).strip("_")
        stem = stem if stem[:1].isalpha() else f"S_{stem}"
        if is_refused(("secrets", stem)):
            stem = f"S_{stem}_VALUE"
        name, number = stem, 1
        while name in self._names.values():
            number += 1
            name = f"{stem}_{number}"
        return name
