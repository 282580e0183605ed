"""What makes a message itself -> its ids, labels and fingerprint, the same on every machine and in every version."""

from hashlib import blake2b, sha256

FINGERPRINT_BYTES = 16


class JobIdentity:
    """What the messages of one job share under a run key; with the rest, each has its id.

    Two messages with equal ids are one message, whoever sends it and however often.
    """

    def __init__(self, *, project: str, environment: str, run_key: str, job: str, generation: int) -> None:
        """`job` is the job's full name; `generation` is how often `--again` asked for one more, on purpose."""
        self._digest = sha256(_framed(project, environment, run_key, job))
        self._end = _framed(str(generation))

    def message_id(self, row_id: str) -> str:
        """Derive `qj-` and 40 hex digits: legal as a deduplication id, which may hold no colon.

        `row_id` is the row's key, else its number; empty for a job without rows.
        """
        digest = self._digest.copy()
        digest.update(_frame(row_id.encode()) + self._end)
        return "qj-" + digest.hexdigest()[:40]


def key_id(project: str, environment: str, job: str, key: str) -> str:
    """Derive the deduplication id of a user's own key: the same in every run."""
    return "qj-" + _digest("key", project, environment, job, key)


def message_name(job: str, row_key: str) -> str:
    """Name a row's message; `]` and `\\` of the key are escaped, so that the name can be read back."""
    escaped = row_key.replace("\\", "\\\\").replace("]", "\\]")
    return f"{job}[{escaped}]"


def run_label(project: str, environment: str, run_key: str) -> str:
    """Derive the label by which any machine finds a run key's messages in QStash's log."""
    return "qj-r-" + _digest(project, environment, run_key)[:16]


def message_label(id_: str) -> str:
    """Derive the label by which one message is found in QStash's log."""
    return "qj-m-" + id_.removeprefix("qj-")[:16]


def owner_mark(project: str, environment: str) -> str:
    """Derive what marks a thing of the account as this project's and environment's: 12 hex digits."""
    return _digest("owner", project, environment)[:12]


def settings_digest(*settings: str) -> str:
    """Derive 12 hex digits that are others where one of the settings is another."""
    return _digest("settings", *settings)[:12]


class Fingerprinter:
    """Computes keyed digests of what goes out, 16 bytes: equal exactly where the bytes are equal.

    What messages share is digested once. The key is the ledger's own, so that the ledger tells nobody what a short
    body was.
    """

    def __init__(self, shared: tuple[str, ...], *, key: bytes) -> None:
        self._digest = blake2b(_framed(*shared), key=key, digest_size=FINGERPRINT_BYTES)

    def fingerprint(self, own: str, body: bytes) -> bytes:
        """Compute one message's; `own` is what it does not share, but for the body."""
        digest = self._digest.copy()
        digest.update(_frame(own.encode()) + body)
        return digest.digest()


def _digest(*parts: str) -> str:
    return sha256(_framed(*parts)).hexdigest()[:40]


def _framed(*parts: str) -> bytes:
    return b"".join([_frame(part.encode()) for part in parts])


def _frame(part: bytes) -> bytes:
    """Put a part's length in front of it, so that no two lists of parts look the same."""
    return len(part).to_bytes(8) + part
