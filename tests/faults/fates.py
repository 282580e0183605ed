"""Everything that QStash, or the network before it, may do to a request: the fates that a deck deals."""

from random import Random

from chaos_server import Peer
from faults.chaos_qstash import ENDPOINTS, ChaosQStash, is_group
from faults.fate import Chance, Fate, Leaving
from publishing import Call

ODD_BODIES = (
    b"",
    b"null",
    b"{}",
    b"[]",
    b"[[]]",
    b'"msg_1"',
    b"17",
    b'{"messageId":""}',
    b'{"messageId":" "}',
    b'{"messageId":7}',
    b'{"messageId":null}',
    b'{"messageid":"msg_1"}',
    b'{"messageId":"msg_1"',
    b'{"messageId":"msg_1"}}',
    b"<html><title>all is well</title></html>",
    b"\xff\xfe{\x00}\x00",
    b'{"messageId":NaN}',
    b"[" * 2000,
)
"""What is no proof of anything; none says that a message was refused."""

IN_DOUBT_STATUSES = (*range(500, 600), 408, 409, 425)
REFUSING_STATUSES = tuple(
    status for status in range(400, 500) if status not in (401, 403, 408, 409, 425, 429)
)
STOPPING_STATUSES = (301, 302, 307, 308, 401, 403)


WELL = Fate(name="well", act=lambda service, call, peer: peer.write(service.answer(call)) or True)


def refuses(status: int) -> Fate:
    """Answer so, and take nothing."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        peer.write(service.http(status, {"error": "no"}, {"Location": "/v2/publish/https://elsewhere/"}))
        return True

    return Fate(name=f"{status // 100}xx, nothing taken", act=act)


def throttles(**headers: str) -> Fate:
    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        peer.write(service.http(429, {"error": "too many"}, named))
        return True

    return Fate(name="429", act=act)


def drops(*, takes: bool, reset: bool) -> Fate:
    """End the connection without an answer."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        if takes:
            service.answer(call)
        (peer.reset if reset else peer.close)()
        return False

    return Fate(name=f"no answer, {'taken' if takes else 'nothing taken'}", act=act)


def cuts(share: float, *, reset: bool) -> Fate:
    """Take it, and break the answer off."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        whole = service.answer(call)
        peer.write(whole[: int(len(whole) * share)])
        (peer.reset if reset else peer.close)()
        return False

    return Fate(name="answer cut", act=act)


def answers_oddly(status: int, body: bytes, *, takes: bool) -> Fate:
    """Answer something that proves nothing."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        if takes:
            service.answer(call)
        peer.write(service.http(status, body))
        return True

    return Fate(name="odd answer", act=act)


def informs(status: int, *, pause_s: float = 0.002) -> Fate:
    """Send an informational answer first, and the real one a moment later."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        whole = service.answer(call)
        peer.write(f"HTTP/1.1 {status} X\r\n\r\n".encode())
        peer.wait(pause_s)
        peer.write(whole)
        return True

    return Fate(name="1xx", act=act)


def answers_twice(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    whole = service.answer(call)
    peer.write(whole + whole)
    return True


def dawdles(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    peer.drip(service.answer(call), pause_s=0.05)
    return True


def keeps_silent(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    service.answer(call)
    peer.wait(2)
    return False


def floods(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    service.answer(call)
    peer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    peer.flood(b'{"messageId":"msg_1"},' * 1000)
    return False


def shortens(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    """Take all of a batch, and answer for all but one."""
    elements = service.accept(call.messages)
    peer.write(service.http(200, elements[:-1]))
    return True


def lengthens(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    elements = service.accept(call.messages)
    peer.write(service.http(200, [*elements, {"messageId": "msg_of_nobody"}]))
    return True


def takes_some(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    """Take every other message of a batch, and refuse the others."""
    elements = [
        service.accept([one], beside=call.messages)[0] if index % 2 else {"error": "not this one"}
        for index, one in enumerate(call.messages)
    ]
    peer.write(service.http(200, elements))
    return True


def takes_part(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    """Take all messages, but let one endpoint of each URL group refuse it."""
    elements = service.accept(call.messages, endpoints=len(ENDPOINTS) - 1)
    peer.write(service.http(200, elements if call.is_batch else elements[0]))
    return True


def has_no_endpoints(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    peer.write(service.http(200, []))
    return True


def is_batch(call: Call) -> bool:
    return call.is_batch


def has_group(call: Call) -> bool:
    return any(map(is_group, call.messages))


def is_group_alone(call: Call) -> bool:
    return has_group(call) and not call.is_batch


def _leaves(random: Random) -> Leaving:
    return Leaving(
        name="request cut", after_bytes=random.choice([1, 20, 200, 600]), reset=random.random() < 0.5
    )


FATES: list[tuple[Fate | Chance, float]] = [
    (Chance(make=_leaves), 4),
    (Chance(make=lambda random: drops(takes=random.random() < 0.6, reset=random.random() < 0.5)), 4),
    (Chance(make=lambda random: cuts(random.random(), reset=random.random() < 0.5)), 4),
    (Chance(make=lambda random: refuses(random.choice(REFUSING_STATUSES))), 2),
    (
        Chance(
            make=lambda random: answers_oddly(
                random.choice(IN_DOUBT_STATUSES), random.choice(ODD_BODIES), takes=random.random() < 0.6
            )
        ),
        4,
    ),
    (
        Chance(
            make=lambda random: answers_oddly(
                random.choice([200, 200, 201, 202, 204, 206, 299]),
                random.choice(ODD_BODIES[:3] + ODD_BODIES[5:]),
                takes=random.random() < 0.6,
            )
        ),
        3,
    ),
    (Chance(make=lambda random: informs(random.choice([100, 102, 103, 199]))), 2),
    (Fate(name="answered twice", act=answers_twice), 2),
    (
        Chance(
            make=lambda random: throttles(
                Retry_After=random.choice(["0", "-1", "soon", "0.1", "Thu, 01 Jan 1970 00:00:00 GMT"])
            )
        ),
        2,
    ),
    (Fate(name="short answer to a batch", act=shortens, suits=is_batch), 2),
    (Fate(name="long answer to a batch", act=lengthens, suits=is_batch), 2),
    (Fate(name="batch taken in part", act=takes_some, suits=is_batch), 2),
    (Fate(name="group taken in part", act=takes_part, suits=has_group), 2),
    (Fate(name="group without endpoints", act=has_no_endpoints, suits=is_group_alone), 0.5),
    (Chance(make=lambda random: refuses(random.choice(STOPPING_STATUSES))), 0.5),
    (Fate(name="slow answer", act=dawdles), 0.3),
    (Fate(name="no end", act=floods), 0.5),
    (Fate(name="silence", act=keeps_silent), 0.3),
    (throttles(RateLimit_Limit="1000", RateLimit_Remaining="0", RateLimit_Reset="3600"), 0.2),
]
"""Each with its weight."""
