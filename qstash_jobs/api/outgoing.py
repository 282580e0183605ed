"""A checked Session and its run keys -> the envelopes of a run, made as they are asked for."""

from collections.abc import Iterator

from qstash_jobs.api.keys import Keys
from qstash_jobs.api.session import Keyed, Session
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.files import FileError
from qstash_jobs.publish import Ending


class Outgoing:
    """The envelopes of a run, as far as the files are still those that were checked."""

    def __init__(self, session: Session, keys: Keys, fingerprint_key: bytes, generation: int) -> None:
        self._session = session
        self._keys = keys
        self._fingerprint_key = fingerprint_key
        self._generation = generation
        self.ending: Ending | None = None

    def __iter__(self) -> Iterator[Envelope]:
        try:
            for keyed in self._session.tasks():
                yield from self._address(keyed)
        except FileError as error:
            # what is on the wire is finished first: that is for the publisher to do
            self.ending = Ending(exit_code=error.exit_code, reason=str(error))

    def _address(self, keyed: Keyed) -> Iterator[Envelope]:
        opened = self._keys.open(keyed.run_key)
        addresser = Addresser(
            key=opened.key,
            key_number=opened.number,
            generation=self._generation,
            fingerprint_key=self._fingerprint_key,
        )
        for message in keyed.task.messages():
            yield addresser.address(message)
