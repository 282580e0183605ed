"""What a test of `publish` needs: job files, a ledger, a server that acts as QStash does or fails as told, a clock."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from threading import Lock
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaos_server import ChaosServer, Peer
from pipeline import open_session, write_job

from qstash_jobs.boundary import Ledger, Line, Outrun
from qstash_jobs.clock import SystemClock
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.ledger import open_postgres
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.publish import Ending, Options, Settlement, publish
from qstash_jobs.record import Instant, Record, Result, RunKey, Slot, State
from qstash_jobs.state import DOUBTFUL, TRANSITIONS
from qstash_jobs.transport import open_line, open_watch
from qstash_jobs.wire.server import read_server

URL = "https://example.com/"


# the service


@dataclass(frozen=True)
class Sent:
    """One message as it came over the wire."""

    destination: str
    dedup_id: str | None
    queue: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Call:
    """One request as it came over the wire."""

    raw: bytes
    target: str
    messages: tuple[Sent, ...]

    @property
    def is_batch(self) -> bool:
        return self.target == "/v2/batch"

    @property
    def names(self) -> list[str]:
        """The last parts of the destinations."""
        return [one.destination.rpartition("/")[2] for one in self.messages]


Fault = Callable[["Service", Call, Peer], None]
"""Does something to one call in place of what QStash does."""


class Service:
    """Acts as QStash: an id for each new message, the old one for a deduplication id that it knows.

    Faults are used up one for each call, in their order; afterwards everything goes well. `refuses` names
    destinations that QStash refuses: a batch with one of them is refused as a whole.
    """

    def __init__(self, *faults: Fault, refuses: Iterable[str] = (), latency_s: float = 0) -> None:
        self.faults = deque(faults)
        self.refuses = frozenset(refuses)
        self.latency_s = latency_s
        self.calls: list[Call] = []
        self.accepted: Counter[str] = Counter()
        """How often each destination's message was accepted as new."""
        self.order: list[str] = []
        """The destinations' last parts, in the order in which their messages were accepted."""
        self.ids: dict[str, str] = {}
        self.on_call: Callable[[Call], None] = lambda call: None
        self.log = Log()
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = Lock()

    def __call__(self, peer: Peer) -> None:
        while raw := peer.read_request():
            if raw.startswith(b"GET "):
                peer.write(self.log.answer(raw))
                continue
            call = read_call(raw)
            with self._lock:
                self.calls.append(call)
                fault = self.faults.popleft() if self.faults else None
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                self.on_call(call)
                if self.latency_s:
                    peer.wait(self.latency_s)
                if fault is None:
                    peer.write(self.act(call))
                else:
                    fault(self, call, peer)
            finally:
                with self._lock:
                    self.in_flight -= 1

    def act(self, call: Call) -> bytes:
        """Do what QStash does with a call, and write its answer."""
        names = call.names
        if any(name in self.refuses for name in names):
            return http(400, {"error": f"refused: {next(name for name in names if name in self.refuses)}"})
        with self._lock:
            answers = [self._accept(one) for one in call.messages]
        if call.is_batch:
            return http(200, answers)
        return http(202 if "deduplicated" in answers[0] else 201, answers[0])

    def _accept(self, sent: Sent) -> dict[str, Any]:
        if sent.dedup_id is not None and sent.dedup_id in self.ids:
            return {"messageId": self.ids[sent.dedup_id], "deduplicated": True}
        self.accepted[sent.destination] += 1
        self.order.append(sent.destination.rpartition("/")[2])
        message_id = f"msg_{len(self.order)}"
        self.log.note(message_id, sent)
        if sent.dedup_id is not None:
            self.ids[sent.dedup_id] = message_id
        return {"messageId": message_id}


@dataclass
class Log:
    """Acts as QStash's log of the messages that were accepted, and as the list of those that wait."""

    lists: Callable[[str], bool] = lambda message_id: True
    """Whether a message is listed yet: the log lags."""
    pending: set[str] = field(default_factory=set)
    """Messages that wait for their delivery."""
    faults: deque[bytes] = field(default_factory=deque)
    """Answers that are given in place of the log's, one for each question."""
    now: Callable[[], float] = time
    """QStash's own clock, in Unix seconds."""
    says_when: bool = True
    page: int = 100
    entries: list[dict[str, Any]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    """The request targets, in the order of their arrival."""

    def note(self, message_id: str, sent: Sent) -> None:
        labels = {name.lower(): value for name, value in sent.headers}.get("upstash-label", "")
        entry = {"messageId": message_id, "url": sent.destination, "labels": labels.split(",")}
        now_ms = int(self.now() * 1000)
        self.entries.append({**entry, "state": "CREATED", "time": now_ms})
        self.entries.append({**entry, "state": "ACTIVE", "time": now_ms + 1})

    def answer(self, raw: bytes) -> bytes:
        target = raw.split(b" ")[1].decode()
        self.questions.append(target)
        if self.faults:
            return self.faults.popleft()
        address = urlsplit(target)
        if address.path.startswith("/v2/messages/"):
            return self._show(address.path.rpartition("/")[2])
        query = parse_qs(address.query)
        found = [one for one in reversed(self.entries) if self.lists(one["messageId"]) and _fits(one, query)]
        start = int(query.get("cursor", ["0"])[0])
        end = start + self.page
        return http(
            200,
            {"events": found[start:end], "cursor": str(end) if end < len(found) else None},
            {"Date": formatdate(self.now(), usegmt=True)} if self.says_when else None,
        )

    def _show(self, message_id: str) -> bytes:
        known = [one for one in self.entries if one["messageId"] == message_id]
        if known and message_id in self.pending:
            return http(200, known[0])
        return http(404, {"error": f"message {message_id} not found"})


def _fits(entry: Mapping[str, Any], query: Mapping[str, list[str]]) -> bool:
    if "label" in query and not set(query["label"]) & set(entry["labels"]):
        return False
    return "messageIds" not in query or entry["messageId"] in query["messageIds"]


def read_call(raw: bytes) -> Call:
    head, _, body = raw.partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    target = request_line.split(" ")[1]
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    if target == "/v2/batch":
        return Call(raw=raw, target=target, messages=tuple(map(read_item, json.loads(body))))
    kind, _, rest = target.removeprefix("/v2/").partition("/")
    queue, destination = (None, rest) if kind == "publish" else (rest.split("/", 1)[0], rest.split("/", 1)[1])
    return Call(raw=raw, target=target, messages=(read_sent(destination, queue, body, headers),))


def read_item(item: dict[str, Any]) -> Sent:
    headers = tuple(item["headers"].items())
    return read_sent(item["destination"], item.get("queue"), item.get("body", "").encode(), headers)


def read_sent(destination: str, queue: str | None, body: bytes, headers: tuple[tuple[str, str], ...]) -> Sent:
    by_name = {name.lower(): value for name, value in headers}
    return Sent(
        destination=destination,
        dedup_id=by_name.get("upstash-deduplication-id"),
        queue=queue,
        body=body,
        headers=headers,
    )


def http(status: int, value: object, headers: Mapping[str, str] | None = None) -> bytes:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def well(service: Service, call: Call, peer: Peer) -> None:
    """Do what QStash does."""
    peer.write(service.act(call))


def answers(status: int, value: object = b"", **headers: str) -> Fault:
    """Answer so, and accept nothing."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda service, call, peer: peer.write(http(status, value, named))


def resets(service: Service, call: Call, peer: Peer) -> None:
    """Break the connection after the request was read, and accept nothing."""
    peer.reset()


def accepts_then(fault: Fault) -> Fault:
    """Accept the messages, and let the answer be something else."""

    def act(service: Service, call: Call, peer: Peer) -> None:
        service.act(call)
        fault(service, call, peer)

    return act


def cut(keep: int) -> Fault:
    """Answer as QStash does, but break off after so many bytes."""

    def act(service: Service, call: Call, peer: Peer) -> None:
        peer.write(service.act(call)[:keep])
        peer.reset()

    return act


# the clock


class MovableClock(SystemClock):
    """The machine's clock, set forward by a test, and with a machine's start that can change."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0
        self.boot_id = "boot-1"

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds

    def restart(self) -> None:
        """Start the machine again: another name, and seconds that count from another moment."""
        self.boot_id += "'"

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)

    def instant(self) -> Instant:
        return Instant(wall=self.now(), boot_id=self.boot_id, boot_s=self.monotonic_s())

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)


# the ledger


class Watched:
    """A ledger that holds every write against the table of allowed changes, and then hands it on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._doubtful: set[object] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def write(self, *, results: Sequence[Result] = (), intents: Sequence[Record] = (), **more: Any) -> Outrun:
        known = self._look_up([one.slot for one in (*results, *intents)])
        for result in results:
            state, attempt = known.get(result.slot.identity, (None, None))
            if attempt == result.attempt:
                self._check(result.slot, state, result.state)
                known[result.slot.identity] = result.state, result.attempt
        for intent in intents:
            state, _ = known.get(intent.slot.identity, (None, None))
            self._check(intent.slot, state, intent.state)
            known[intent.slot.identity] = intent.state, intent.attempt
        return self._ledger.write(results=results, intents=intents, **more)

    def _check(self, slot: Slot, before: State | None, after: State) -> None:
        (transition,) = [one for one in TRANSITIONS if (one.before, one.after) == (before, after)]
        was_doubtful = slot.identity in self._doubtful
        assert before is not State.SENDING or transition.clears_doubt or not was_doubtful
        if after is State.SENDING and before in DOUBTFUL:
            self._doubtful.add(slot.identity)
        elif after is not State.IN_DOUBT:
            self._doubtful.discard(slot.identity)

    def _look_up(self, slots: Sequence[Slot]) -> dict[object, tuple[State | None, int | None]]:
        known: dict[object, tuple[State | None, int | None]] = {}
        for key in {slot.key for slot in slots}:
            same_key = [slot for slot in slots if slot.key == key]
            for slot, found in zip(same_key, self._ledger.find(same_key), strict=True):
                if found is not None and found.slot.generation == slot.generation:
                    known[slot.identity] = found.state, found.attempt
        return known


# a run


@dataclass
class Went:
    """How one run of `publish` went."""

    ending: Ending | None
    told: list[Settlement]

    @property
    def states(self) -> dict[str, str]:
        """The state of each message that was told of, by the last part of its destination."""
        return {name_of(one.envelope): str(one.state) for one in self.told}

    @property
    def reasons(self) -> dict[str, str | None]:
        return {name_of(one.envelope): one.reason for one in self.told}

    @property
    def exit_code(self) -> int | None:
        return None if self.ending is None else self.ending.exit_code


def name_of(envelope: Envelope) -> str:
    return envelope.target.rpartition("/")[2]


@dataclass
class Stage:
    """A folder with a ledger in it, and what runs on it share."""

    folder: Path
    url: str
    clock: MovableClock = field(default_factory=MovableClock)
    chance: float = 0.0
    """0: no wait before another try."""
    deadline_s: float = 10.0
    address: str = ""
    """Of a ledger in PostgreSQL, in place of the one in the folder."""
    lease_s: float = 60.0
    """Of claims in PostgreSQL."""

    @property
    def ledger_path(self) -> Path:
        return self.folder / "ledger.db"

    def open_ledger(self) -> Ledger:
        if self.address:
            return open_postgres(Address(url=self.address), lease_s=self.lease_s)
        return Watched(open_sqlite(self.ledger_path))

    def open_line(self) -> Line:
        return open_line(
            read_server(self.url), "token", environment={}, connect_timeout_s=2, deadline_s=self.deadline_s
        )

    def envelopes(
        self, jobs: Mapping[str, Any], ledger: Ledger, *, run_key: str = "key", generation: int = 0
    ) -> Iterator[Envelope]:
        """Make the envelopes of jobs by their names, in the order given."""
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        write_job(folder, {"jobs": jobs})
        session = open_session(folder)
        problems = session.check()
        assert not session.has_errors, problems
        key = RunKey(project="p", environment="", target="t", text=run_key)
        opened = ledger.open_key(key, run="run", at=self.clock.now())
        addresser = Addresser(
            key=key,
            key_number=opened.number,
            generation=generation,
            fingerprint_key=ledger.fingerprint_key,
        )
        for keyed in session.tasks():
            yield from map(addresser.address, keyed.task.messages())

    def run(
        self,
        jobs: Mapping[str, Any],
        *,
        run: str = "run",
        run_key: str = "key",
        generation: int = 0,
        ledger: Ledger | None = None,
        stopping: Callable[[], bool] = lambda: False,
        tell: Callable[[Settlement], None] | None = None,
        **options: Any,
    ) -> Went:
        """Publish jobs, one connection and one message a request unless the options say otherwise."""
        told: list[Settlement] = []
        with closing(ledger or self.open_ledger()) as opened, open_watch() as watch:
            ending = publish(
                self.envelopes(jobs, opened, run_key=run_key, generation=generation),
                run=run,
                options=Options(**{"concurrency": 1, "batch_size": 1, **options}),
                open_line=self.open_line,
                watch=watch,
                ledger=opened,
                clock=self.clock,
                chance=lambda: self.chance,
                tell=lambda one: (told.append(one), tell(one) if tell else None)[0],
                stopping=stopping,
            )
        return Went(ending=ending, told=told)

    def records(self) -> dict[str, Record]:
        """Everything that the ledger knows, by the last part of the destination."""
        with closing(self.open_ledger()) as ledger:
            return {one.target.rpartition("/")[2]: one for one in ledger.messages()}

    @property
    def states(self) -> dict[str, str]:
        return {name: str(one.state) for name, one in self.records().items()}


def jobs_to(*names: str, **fields: Any) -> dict[str, Any]:
    """Write a job for each name; its destination ends in it."""
    return {name: {"url": URL + name, "body": {"for": name}, **fields} for name in names}


def names(number: int) -> list[str]:
    return [f"m{index:03}" for index in range(number)]


def serve(service: Service) -> ChaosServer:
    return ChaosServer(service)


def dedup_ids(calls: Sequence[Call]) -> list[str | None]:
    return [one.dedup_id for call in calls for one in call.messages]
