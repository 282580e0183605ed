"""Deliveries over the network (`deliver=True`): an attempt goes out as it is, its answer comes back bounded."""

import asyncio

import aiohttp
from yarl import URL

from qstash_jobs.local.engine import Engine
from qstash_jobs.local.sink import Delivery, Recent, describe
from qstash_jobs.local.world.deliver import settle
from qstash_jobs.local.world.message import Answer, Attempt

# wire contract 17: an answer's body is cut at the plan's message size; ours is cut earlier
ANSWER_BYTES = 1024 * 1024
AT_ONCE = 100
CONNECT_S = 30

# aiohttp adds these by itself, where a message does not have them
NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Courier:
    """Sends attempts, so many at once; never follows a redirect, keeps no cookie, asks no proxy."""

    def __init__(self, engine: Engine, deliveries: Recent[Delivery]) -> None:
        self._engine = engine
        self._deliveries = deliveries
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
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
        async with self._turns:
            answer = await self._send(attempt)
        self._deliveries.add(describe(attempt, status=answer.status or 0))
        settle(self._engine.tick(), attempt, answer)
        self._engine.wake()

    async def _send(self, attempt: Attempt) -> Answer:
        timeout = aiohttp.ClientTimeout(total=attempt.timeout_s, connect=min(CONNECT_S, attempt.timeout_s))
        try:
            async with self._session.request(
                attempt.method,
                URL(attempt.url, encoded=True),
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
            return Answer(None, error=f"{type(error).__name__}: {error}"[:500])


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
