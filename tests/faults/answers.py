"""Every answer there is, one for a message: cut at any byte, with any status, heavy, slow -> what was made of it."""

from collections.abc import Sequence
from pathlib import Path

from chaos_server import ChaosServer, Peer, Script
from faults.fate import Fate, Leaving
from faults.fates import IN_DOUBT_STATUSES, REFUSING_STATUSES, WELL, answers_oddly, refuses
from faults.judge import Findings
from faults.lives import Launcher
from faults.trial import Trial, trial

MIB = 1024 * 1024


def cut_at(length: int, *, takes: bool, reset: bool) -> Fate:
    """Break the answer off after so many bytes; the whole of an answer is never written."""

    def act(service, call, peer):
        whole = service.answer(call) if takes else service.http(201, {"messageId": "msg_of_nobody"})
        peer.write(whole[: min(length, len(whole) - 1)])
        (peer.reset if reset else peer.close)()
        return False

    return Fate(name="answer cut", act=act)


def cut_answers(
    folder: Path, launcher: Launcher, *, size: int, takes: bool, reset: bool, every: int = 1
) -> tuple[int, Findings]:
    """Cut the answer to each of many requests at another byte, and answer the next try well; count the cuts."""
    lengths = range(0, 150 + 60 * size, every)
    names = [f"m{number:05}" for number in range(len(lengths) * size)]
    with trial(folder, launcher, names) as one:
        for length in lengths:
            one.service.plan += [cut_at(length, takes=takes, reset=reset), WELL]
        life = one.finish("--batch-size", str(size), "--concurrency", "1")
        _expect(one, life.code == 0, f"exit {life.code}: {life.said[-300:]}")
        return len(lengths), one.findings


def cut_requests(folder: Path, launcher: Launcher, *, reset: bool, every: int = 1) -> tuple[int, Findings]:
    """Go away after each byte of a request, and answer the next try well; count the cuts."""
    lengths = range(1, 480, every)
    with trial(folder, launcher, [f"m{number:05}" for number in range(len(lengths))]) as one:
        for length in lengths:
            one.service.plan += [Leaving(name="request cut", after_bytes=length, reset=reset), WELL]
        life = one.finish("--batch-size", "1", "--concurrency", "1")
        _expect(one, life.code == 0, f"exit {life.code}: {life.said[-300:]}")
        return len(lengths), one.findings


def answer_statuses(folder: Path, launcher: Launcher, *, every: int = 1) -> tuple[int, Findings]:
    """Answer each message with another status, which takes nothing; then let the next run finish."""
    found = Findings()
    doubtful = [*IN_DOUBT_STATUSES, *range(100, 200), *range(200, 300)]
    for name, statuses, codes in (("doubtful", doubtful, (0, 3)), ("refusing", REFUSING_STATUSES, (1,))):
        with trial(folder / name, launcher, [f"m{status}" for status in statuses]) as one:
            for status in statuses:
                one.service.plan += [answers_oddly(status, b'{"error":"no"}', takes=False)]
                one.service.plan += [WELL] if name == "doubtful" else []
            life = one.live("--batch-size", "1", "--concurrency", "1")
            _expect(one, life.code in codes, f"exit {life.code} for {name} statuses: {life.said[-300:]}")
            last = one.finish()
            _expect(one, last.code == 0, f"exit {last.code} after {name} statuses: {last.said[-300:]}")
            found.add(one.findings)
    stopping = [401, 403, *range(300, 400)][::every]
    with trial(folder / "stopping", launcher, ["a", "b"]) as one:
        for status in stopping:
            one.service.plan = [refuses(status)]
            life = one.live("--batch-size", "1", "--concurrency", "1")
            code = 4 if status < 300 or status > 400 else 2
            _expect(one, life.code == code, f"exit {life.code} for status {status}: {life.said[-300:]}")
        last = one.live()
        _expect(one, last.code == 0, f"exit {last.code} after all: {last.said[-300:]}")
        found.add(one.findings)
    return len(doubtful) + len(REFUSING_STATUSES) + len(stopping), found


def _expect(one: Trial, kept: bool, otherwise: str) -> None:
    if not kept:
        one.findings.faults.append(otherwise)


# heavy


def _fill(unit: bytes, size: int, head: bytes = b"[", tail: bytes = b"]") -> bytes:
    number = (size - len(head) - len(tail)) // len(unit)
    return head + unit * (number - 1) + unit.removesuffix(b",") + tail


def heavy_answers(size: int = MIB) -> dict[str, bytes]:
    """Bodies as long as an answer may be, that become as much as possible in memory."""
    return {
        "many objects": _fill(b"{},", size),
        "many lists": _fill(b"[],", size),
        "many small objects": _fill(b'{"":0},', size),
        "deep": b"[" * (size - 1),
        "deep and ended": b"[" * (size // 2 - 1) + b"]" * (size // 2 - 1),
        "a long text": b'"' + b"\\u00e9" * (size // 6 - 1) + b'"',
        "a long error": b'{"error":' + _fill(b"[],", size - 20) + b"}",
    }


def heavy_groups(names: Sequence[str]) -> dict[str, bytes]:
    """Answers to a batch of URL groups, which may be longer, and are taken for what they say."""
    size = 16 * MIB - 1000
    endpoint = b'{"messageId":"m","url":""},'
    each = size // len(names)

    def of_all(element: bytes) -> bytes:
        return b"[" + b",".join([element] * len(names)) + b"]"

    # read_json takes 400,000 values, of which an endpoint is three
    most = len(endpoint) * (120_000 // len(names))
    long_url = b'{"messageId":"m","url":"https://%b/"},' % (b"a" * 60_000)
    return {
        **heavy_answers(size),
        "many endpoints": of_all(_fill(endpoint, most)),
        "more endpoints than there are": of_all(_fill(endpoint, each)),
        "long addresses": of_all(_fill(long_url, each)),
        "long ids": of_all(b'[{"messageId":"%b"}]' % (b"m" * (each - 50))),
        "long errors": of_all(_fill(b'{"error":"%b"},' % (b"e" * 1000), each)),
        "a wide letter, and a secret": of_all(
            b'[{"messageId":"m","url":"token%b"}]' % (b"a" * (each - 70) + "😀".encode())
        ),
        "a wide letter": of_all(b'[{"messageId":"m","url":"%b"}]' % (b"a" * (each - 60) + "😀".encode())),
    }


def heavy_pages() -> dict[str, bytes]:
    """The same for QStash's log."""
    size = 12 * MIB - 100
    head, tail = b'{"events":[', b"]}"
    return {
        "many objects": _fill(b"{},", size, head, tail),
        "many events": _fill(b'{"messageId":"a"},', size, head, tail),
        "many labels": _fill(b'"",', size, b'{"events":[{"messageId":"m","labels":[', b"]}]}"),
        "long bodies": _fill(
            b'{"messageId":"m","responseBody":"%b"},' % (b"QUFB" * 40_000), size, head, tail
        ),
        "wide letters": b'{"events":[{"messageId":"' + b"a" * (size - 100) + "😀".encode() + b'"}]}',
    }


def measure_memory(folder: Path, launcher: Launcher, *, times: int = 5) -> tuple[dict[str, float], Findings]:
    """Return the memory that a run takes at its most, in MiB, by what it was answered with so many times."""
    peaks: dict[str, float] = {}
    found = Findings()

    def see(what: str, one: Trial, *words: str) -> None:
        peaks[what] = one.live(*words).peak_mib
        found.add(one.findings)

    for name, body in heavy_answers().items():
        for status in (200, 400):
            with trial(folder / f"{name} {status}", launcher, ["a", "b"]) as one:
                one.service.plan = [answers_oddly(status, body, takes=False)] * times
                see(f"{name}, {status}", one, "--batch-size", "2")
    groups = [f"g{number:02}" for number in range(20)]
    for name, body in heavy_groups(groups).items():
        with trial(folder / f"groups {name}", launcher, groups, groups=groups) as one:
            # it may be ids that nobody has given, and then there is nothing to hold them against
            one.service.plan = [answers_oddly(200, body, takes=False)] * times
            peaks[f"groups: {name}"] = one.live("--batch-size", "20").peak_mib
    for name, body in heavy_pages().items():
        with trial(folder / f"log {name}", launcher, ["a", "b"]) as one:
            one.service.hindsight.log = body
            see(f"log: {name}", one, "--batch-size", "2")
    heads = [_floods(b"HTTP/1.1 200 OK\r\n\r\n"), _floods(b"HTTP/1.1 200 OK\r\nX: ")]
    with trial(folder / "endless", launcher, ["a"]) as one:
        one.service.plan = list(heads)
        see("no end", one, "--batch-size", "1")
    with trial(folder / "endless groups", launcher, groups, groups=groups) as one:
        one.service.plan = list(heads)
        see("groups: no end", one, "--batch-size", "20")
    return peaks, found


def _floods(head: bytes) -> Fate:
    def act(service, call, peer):
        peer.write(head)
        peer.flood(b"x" * 65536)
        return False

    return Fate(name="no end", act=act)


# slow


def _reads_then(act) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        act(peer)

    return script


SLOW: dict[str, Script] = {
    "silent": _reads_then(lambda peer: peer.wait(60)),
    "reads nothing": lambda peer: peer.wait(60),
    "a byte at a time": _reads_then(
        lambda peer: peer.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9, pause_s=1)
    ),
    "headers without end": _reads_then(lambda peer: peer.drip(b"HTTP/1.1 200 OK\r\n" * 900, pause_s=0.05)),
    "chunks without end": _reads_then(
        lambda peer: (
            peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            peer.drip(b"1\r\nx\r\n" * 900, pause_s=0.05),
        )
    ),
}


def measure_deadlines(deadline_s: float) -> dict[str, float]:
    """Return how long an exchange with each slow server took, in seconds; all go on at once."""
    from threading import Thread
    from time import monotonic

    from qstash_jobs.transport import open_line
    from qstash_jobs.wire.http import Lost, Request
    from qstash_jobs.wire.server import read_server

    took: dict[str, float] = {}

    def send(name: str, script: Script) -> None:
        with ChaosServer(script) as server:
            line = open_line(read_server(server.url), "token", environment={}, deadline_s=deadline_s)
            assert line.connect() is None
            began_s = monotonic()
            body = b"x" * (20 * MIB if name == "reads nothing" else 2)
            answer = line.send(
                Request(method="POST", target="/v2/publish/x", body=body), may_send=lambda: True
            )
            took[name] = monotonic() - began_s if isinstance(answer, Lost) else float("inf")
            line.close()

    threads = [Thread(target=send, args=one) for one in SLOW.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took
