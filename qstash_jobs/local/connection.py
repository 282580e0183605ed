"""A connection and the listener that makes it: bytes in, requests for the door out, with a limit to everything.

What aiohttp refuses by itself is answered as JSON too, and not logged.
"""

import asyncio
import contextlib
import logging
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from qstash_jobs.local.door import Door, write_response
from qstash_jobs.local.routes.call import write_refusal
from qstash_jobs.local.setup import Limits
from qstash_jobs.local.world.refusal import Refusal

log = logging.getLogger(__name__)

# Destinations stand in the request line, and the service takes long ones.
LINE_BYTES = 1024 * 1024
HEADERS = 1000
HEAD_BYTES = 2 * 1024 * 1024
# A quarter of what asyncio buffers before it asks to wait: its head fits as well.
BUFFERED_BYTES = 16 * 1024


class Listener(web.Server):
    """Makes the connections of one door, so many at once."""

    def __init__(self, door: Door, limits: Limits) -> None:
        super().__init__(door.handle)
        self.limits = limits
        self.open = 0

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            # Bodies are opaque: what is compressed stays so.
            auto_decompress=False,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            keepalive_timeout=self.limits.idle_s,
            lingering_time=1,
        )

    def make_room(self, newcomer: "_Connection") -> bool:
        """Leave the connection that keeps this server waiting with the least right to; False if none does."""
        waiting = [
            (reluctance, number, one)
            for number, one in enumerate(self.connections)
            if isinstance(one, _Connection) and one is not newcomer and (reluctance := one.reluctance())
        ]
        if not waiting:
            return False
        min(waiting)[2].leave()
        return True


class _Connection(RequestHandler):
    """aiohttp's side of a connection."""

    __slots__ = ("_answers", "_head_bytes", "_listener", "_served", "_waits_since")

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(listener, **options)
        self._listener = listener
        self._head_bytes = 0
        self._served = False
        self._answers = False
        self._waits_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; where there are too many, in the place of one that keeps this server waiting."""
        super().connection_made(transport)
        self._waits_since = asyncio.get_running_loop().time()
        self._listener.open += 1
        if self._listener.open <= self._listener.limits.connections or self._listener.make_room(self):
            return
        if self.transport is not None:
            _refuse_all(self.transport, Refusal(503, "too many connections"))
            self.force_close()

    def reluctance(self) -> tuple[int, float] | None:
        """Tell how much is against leaving it for another's sake; None: it waits for this server, not the reverse."""
        if self.transport is None or self.transport.is_closing():
            return None
        request = self._current_request
        bodies = [request.content] if request is not None else [body for _, body in self._messages]
        if self._answers or any(not body.is_eof() for body in bodies):
            return 2, self._waits_since
        return None if bodies else (int(self._served), self._waits_since)

    def leave(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._listener.open -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; when they break a body off, tell the one who reads it, which aiohttp does not."""
        count = self._request_count
        super().data_received(data)
        if self._messages:
            current = self._current_request
            bodies = [payload for _, payload in self._messages]
            # What follows an unfinished body can only be the report of an error.
            for body in [*([current.content] if current else []), *bodies][:-1]:
                if not body.is_eof():
                    body.set_exception(web.RequestPayloadError("the body is badly divided"))
        self._limit_head(len(data), begins=count != self._request_count)

    def _limit_head(self, size: int, *, begins: bool) -> None:
        """Count the bytes of a head that is not complete."""
        if begins or self._request_in_progress:
            self._head_bytes = 0
            return
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES and self.transport is not None:
            _refuse_all(self.transport, Refusal(431, f"the head is larger than {HEAD_BYTES} bytes"))
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; a client that does not take it is left."""
        self._served = True
        self._waits_since = asyncio.get_running_loop().time()
        if self._takes_at_once(resp):
            return await super().finish_response(request, resp, start_time)
        self._answers = True
        try:
            async with asyncio.timeout(self._listener.limits.answer_s):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            self.leave()
            return resp, True
        finally:
            self._answers = False

    def _takes_at_once(self, resp: web.StreamResponse) -> bool:
        """Tell whether an answer fits the buffer as it is: nobody waits for the client then, and no time is kept."""
        waiting = self.transport.get_write_buffer_size() if self.transport is not None else 0
        return not waiting and (resp.content_length or 0) <= BUFFERED_BYTES

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a malformed request, or one that failed here."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if status >= 500 and not isinstance(exc, OSError | web.RequestPayloadError):
            log.error("a request failed: %s %s", request.method, request.raw_path[:200], exc_info=exc)
        first_line = (message or "the request failed").splitlines()[0][:200]
        if exc is not None and status < 500:
            status, first_line = 400, f"malformed request: {first_line}"
        response = write_response(write_refusal(Refusal(status, first_line)))
        response.force_close()
        return response

    def log_exception(self, *_: Any, **__: Any) -> None:
        """Say nothing: a connection that breaks is the client's affair."""


def _refuse_all(transport: asyncio.Transport, refusal: Refusal) -> None:
    """Answer whatever the client wants, before its request is read."""
    reply = write_refusal(refusal)
    head = (
        f"HTTP/1.1 {refusal.status} refused\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(reply.body)}\r\nConnection: close\r\n\r\n"
    )
    transport.write(head.encode() + reply.body)


async def close_listener(server: asyncio.Server, listener: Listener) -> None:
    """Stop listening, and end the connections."""
    loop = asyncio.get_running_loop()
    for one in server.sockets:
        # asyncio leaves those open that it has accepted and not yet handed over when its server closes.
        loop.remove_reader(one.fileno())
    await asyncio.sleep(0)
    server.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            # Those that were just accepted begin in the loop's next rounds, and all of them end in later ones.
            await asyncio.sleep(0)
            while listener.open:
                await listener.shutdown(0.1)
                await asyncio.sleep(0)
            await server.wait_closed()
    await asyncio.sleep(0)
