"""What makes a message itself -> its ids, labels and fingerprint, the same on every machine and in every version."""

from dataclasses import dataclass
from hashlib import blake2b, sha256

FINGERPRINT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Two messages with equal identities are one message, whoever sends it and however often."""

    project: str
    environment: str
    run_key: str
    job: str
    """The job's full name."""
    row_key: str = ""
    """The row's key, else its number; empty for a job without rows."""
    generation: int = 0
    """How often `--again` asked for one more, on purpose."""


def message_id(identity: Identity) -> str:
    """Derive `qj-` and 40 hex digits: legal as a deduplication id, which may hold no colon."""
    return "qj-" + _digest(
        identity.project,
        identity.environment,
        identity.run_key,
        identity.job,
        identity.row_key,
        str(identity.generation),
    )


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


def fingerprint(parts: tuple[bytes, ...], key: bytes) -> bytes:
    """Compute a keyed digest of what goes out, 16 bytes: equal exactly where the bytes are equal.

    The key is the ledger's own, so that the ledger tells nobody what a short body was.
    """
    digest = blake2b(key=key, digest_size=FINGERPRINT_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()


def _digest(*parts: str) -> str:
    digest = sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8))
        digest.update(encoded)
    return digest.hexdigest()[:40]
