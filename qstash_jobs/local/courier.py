"""Deliveries over the network (`deliver=True`): an attempt goes out as it is, its answer comes back bounded.

So many at once go to one destination, and more to all of them together: one that keeps its callers waiting does
not make the others wait.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from qstash_jobs.local.engine import Engine
from qstash_jobs.local.reach import ClosedAddressError, Resolver, check_address, read_address
from qstash_jobs.local.recent import Recent
from qstash_jobs.local.sink import Delivery, describe
from qstash_jobs.local.world.deliver import settle
from qstash_jobs.local.world.message import Answer, Attempt

# wire contract 17: an answer's body is cut at the plan's message size; ours is cut earlier
ANSWER_BYTES = 1024 * 1024
AT_ONCE = 400
AT_ONCE_EACH = 50
CONNECT_S = 30

ORIGIN = re.compile(r"https?://[^/?#]*")

# aiohttp adds these by itself, where a message does not have them
NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Courier:
    """Sends attempts; never follows a redirect, keeps no cookie, asks no proxy."""

    def __init__(self, engine: Engine, deliveries: Recent[Delivery], *, allow_link_local: bool) -> None:
        self._engine = engine
        self._deliveries = deliveries
        self._allow_link_local = allow_link_local
        self._places: dict[str, _Place] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(
                limit=AT_ONCE,
                resolver=None if allow_link_local else Resolver(),
                use_dns_cache=False,
                # a destination that closes after its answer, and has not said so, would fail the next delivery
                force_close=True,
            ),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=NOT_OURS,
        )

    def carry(self, attempt: Attempt) -> None:
        """Deliver in the background, and settle."""
        task = asyncio.get_running_loop().create_task(self._deliver(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    async def _deliver(self, attempt: Attempt) -> None:
        async with self._turn(attempt), self._turns:
            answer = await self._send(attempt)
        self._deliveries.add(describe(attempt, status=answer.status or 0))
        settle(self._engine.tick(), attempt, answer)
        self._engine.wake()

    @asynccontextmanager
    async def _turn(self, attempt: Attempt) -> AsyncIterator[None]:
        """Wait for a turn at the attempt's destination."""
        found = ORIGIN.match(attempt.url)
        name = found[0].lower() if found else ""
        place = self._places.setdefault(name, _Place())
        place.wanted += 1
        try:
            async with place.turns:
                yield
        finally:
            place.wanted -= 1
            if not place.wanted:
                del self._places[name]

    async def _send(self, attempt: Attempt) -> Answer:
        timeout = aiohttp.ClientTimeout(total=attempt.timeout_s, connect=min(CONNECT_S, attempt.timeout_s))
        try:
            url = URL(attempt.url, encoded=True)
            address = read_address(url.host or "")
            # A name's addresses are the resolver's affair.
            if address is not None and not self._allow_link_local:
                check_address(url.host or "", address)
            async with self._session.request(
                attempt.method,
                url,
                headers=attempt.headers,
                data=attempt.body or None,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                headers = tuple(response.headers.items())
                return Answer(response.status, headers, await _read_bounded(response))
        except TimeoutError:
            return Answer(None, error=f"no answer within {attempt.timeout_s}s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, error=_explain(error))


class _Place:
    """Turns at one destination."""

    __slots__ = ("turns", "wanted")

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE_EACH)
        self.wanted = 0


def _explain(error: Exception) -> str:
    """Say in a line why there is no answer."""
    closed = _find_closed(error)
    if closed:
        return f"{closed}; not delivered"
    if isinstance(error, aiohttp.ClientResponseError):
        # The status in it is aiohttp's own: nobody answered with one.
        text = f"the answer is not HTTP: {error.message}"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500]


def _find_closed(error: BaseException | None) -> ClosedAddressError | None:
    """Find the reason behind what aiohttp makes of it."""
    while error is not None:
        if isinstance(error, ClosedAddressError):
            return error
        error = error.__cause__ or error.__context__
    return None


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            # The rest is not read: this connection cannot be used again.
            response.close()
            break
    return b"".join(parts)[:ANSWER_BYTES]
