"""A Message and its run key -> an Envelope: its ids, its place in the ledger, and the exact request."""

from qstash_jobs.identity import Fingerprinter, JobIdentity, key_id, message_label, run_label
from qstash_jobs.job import Job
from qstash_jobs.message import DedupKind, Message
from qstash_jobs.record import RunKey, Slot
from qstash_jobs.value import dataclass
from qstash_jobs.wire.calls import batch_item, destination, is_read_as_configuration, publish_request
from qstash_jobs.wire.headers import HeaderWriter, Letterhead
from qstash_jobs.wire.http import Headers, Request

QSTASH_WINDOW_S = 600
"""QStash forgets a deduplication id after ten minutes (upstash docs, features/deduplication)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready to be offered. `plan` prints envelopes and `run` sends them, so they cannot differ.

    (Made by position, in half the time that names take.)
    """

    message: Message
    slot: Slot
    id: str
    dedup_id: str | None
    label: str | None
    """Its labels, as they are sent."""
    letterhead: Letterhead
    fingerprint: bytes

    @property
    def alone(self) -> bool:
        """Whether it cannot travel in a batch."""
        return self.message.binary or self.message.dedup.kind is DedupKind.NONE

    @property
    def must_batch(self) -> bool:
        """Whether it cannot travel alone: QStash would read its destination's query as configuration."""
        return self.message.url is not None and is_read_as_configuration(self.message.url)

    @property
    def is_group(self) -> bool:
        return self.message.url_group is not None

    @property
    def may_repeat(self) -> bool:
        """Whether QStash recognises a second try of this message."""
        return self.message.dedup.kind is not DedupKind.NONE

    @property
    def is_held_by_ledger(self) -> bool:
        """Whether the ledger itself refuses the id: for longer than QStash does, or against other jobs."""
        return self.message.dedup.kind is DedupKind.ID or self.message.dedup.window_s > QSTASH_WINDOW_S

    @property
    def headers(self) -> Headers:
        return self.letterhead.pairs(self.dedup_id, self.label)

    @property
    def request(self) -> Request:
        """The request of the message alone."""
        return publish_request(self.message, self.headers)

    @property
    def batch_item(self) -> bytes:
        """The element of a batch, as JSON."""
        return batch_item(self.message, self.letterhead.json(self.dedup_id, self.label))

    @property
    def weight(self) -> int:
        """About how many bytes it takes in a batch."""
        return len(self.message.body) + self.letterhead.size(self.dedup_id, self.label) + 100

    @property
    def target(self) -> str:
        """The destination as the ledger keeps it: without its query, and not at all where it holds a secret."""
        if self.message.secrets and self.message.secrets.keys() & {"url", "url_group"}:
            return "***"
        return destination(self.message).partition("?")[0]


class Addresser:
    """Gives messages their ids under a run key; what a job's messages share is made once for all of them.

    `key_number` is the ledger's own number of the key, `fingerprint_key` the ledger's secret. A generation above 0
    is one more on purpose: it displaces the user's own key too.
    """

    def __init__(self, *, key: RunKey, key_number: int, generation: int = 0, fingerprint_key: bytes) -> None:
        self._key = key
        self._key_number = key_number
        self._generation = generation
        self._fingerprint_key = fingerprint_key
        self._run_label = run_label(key.project, key.environment, key.text)
        self._headers = HeaderWriter()
        self._job: Job | None = None
        self._identity: JobIdentity
        self._letterhead: Letterhead | None = None
        self._fingerprinter: Fingerprinter

    def address(self, message: Message) -> Envelope:
        """Make a message's envelope."""
        row, job = message.row, message.job
        if job is not self._job:
            self._begin(job)
        id_ = self._identity.message_id(message.row_id)
        dedup_id = id_ if self._generation else self._dedup_id(message, id_)
        label = self._label(message, id_)
        letterhead = self._headers.write(message)
        if letterhead is not self._letterhead:
            self._letterhead = letterhead
            self._fingerprinter = Fingerprinter(letterhead.shared, key=self._fingerprint_key)
        # none of these may hold a line break: the rules see to it
        own = f"{dedup_id or ''}\n{label or ''}\n{destination(message)}\n{message.queue or ''}"
        digest = self._fingerprinter.fingerprint(own, message.body)
        number = 0 if row is None else row.number
        slot = Slot(self._key_number, job.name, number, message.row_key, self._generation)
        return Envelope(message, slot, id_, dedup_id, label, letterhead, digest)

    def _begin(self, job: Job) -> None:
        key = self._key
        self._identity = JobIdentity(
            project=key.project,
            environment=key.environment,
            run_key=key.text,
            job=job.name,
            generation=self._generation,
        )
        self._job = job

    def _label(self, message: Message, id_: str) -> str | None:
        labels = ",".join(message.labels)
        if not message.run_labels:
            return labels if message.labels else None
        own = f"{self._run_label},{message_label(id_)}"
        return f"{labels},{own}" if message.labels else own

    def _dedup_id(self, message: Message, id_: str) -> str | None:
        match message.dedup.kind:
            case DedupKind.PER_RUN:
                return id_
            case DedupKind.KEY:
                value = message.dedup.value or ""
                return key_id(self._key.project, self._key.environment, message.job.name, value)
            case DedupKind.ID:
                return message.dedup.value
            case DedupKind.CONTENT | DedupKind.NONE:
                return None
