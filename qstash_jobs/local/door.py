"""HTTP in: bytes of a connection -> a Call, whose target is exactly what stood in the request line."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from qstash_jobs.local.engine import Engine
from qstash_jobs.local.routes import PUBLISHING, Call, Reply, answer
from qstash_jobs.local.routes.call import write_refusal
from qstash_jobs.local.sink import Recent
from qstash_jobs.local.world.refusal import Refusal

log = logging.getLogger(__name__)

# Destinations stand in the request line, and the service takes long ones.
LINE_BYTES = 1024 * 1024
HEADERS = 1000
# wire contract 7: "100 MB per REST call"
BODY_BYTES = 100 * 1024 * 1024
# A client that stops in the middle of its body is not waited for longer.
BODY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Door:
    """Turns requests into calls, and replies into responses."""

    def __init__(self, engine: Engine, recorded: Recent[RecordedRequest] | None) -> None:
        self._engine = engine
        self._recorded = recorded

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        publishing = request.method == "POST" and request.raw_path.startswith(PUBLISHING)
        if publishing:
            # Said at its beginning and its end: a client that never ends its body does not hold time up.
            self._engine.note_publishing()
        try:
            body = await _read_body(request)
        except Refusal as refusal:
            response = _write(write_refusal(refusal))
            response.force_close()
            return response
        reply = self._answer(request, body)
        if publishing:
            self._engine.note_publishing()
        self._engine.wake()
        return _write(reply)

    def _answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        headers = tuple((_decode(name), _decode(value)) for name, value in request.raw_headers)
        call = Call(
            method=request.method,
            target=request.raw_path,
            headers=headers,
            body=body,
            caller_ip=request.remote or "127.0.0.1",
        )
        if self._recorded is not None:
            self._recorded.add(
                RecordedRequest(method=call.method, target=call.target, headers=headers, body=body)
            )
        return answer(self._engine.tick(), call)


async def _read_body(request: web.BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > BODY_BYTES:
        raise _TOO_LARGE
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp, web_urldispatcher.py: the answer itself has not begun
        request.writer.output_size = 0
    if request.content.is_eof():
        return request.content.read_nowait()
    try:
        async with asyncio.timeout(BODY_S):
            return await _read_bounded(request.content)
    except TimeoutError as error:
        raise Refusal(408, "the body did not arrive in time") from error
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Refusal(400, "malformed request: the body is broken off or badly divided") from error


async def _read_bounded(content: StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await content.readany():
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES:
            raise _TOO_LARGE
    return b"".join(parts)


_TOO_LARGE = Refusal(413, f"the request is larger than {BODY_BYTES} bytes")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _write(reply: Reply) -> web.Response:
    response = web.Response(body=reply.body or None, status=reply.status)
    if reply.body:
        response.content_type = "application/json"
    response.headers.extend(reply.headers)
    return response


class _Connection(RequestHandler):
    """aiohttp's side of a connection; what it refuses by itself is answered as JSON too, and not logged."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Take bytes; when they break a body off, tell the one who reads it, which aiohttp does not."""
        super().data_received(data)
        if self._messages:
            current = self._current_request
            bodies = [payload for _, payload in self._messages]
            # What follows an unfinished body can only be the report of an error.
            for body in [*([current.content] if current else []), *bodies][:-1]:
                if not body.is_eof():
                    body.set_exception(web.RequestPayloadError("the body is badly divided"))

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
        response = _write(write_refusal(Refusal(status, first_line)))
        response.force_close()
        return response

    def log_exception(self, *_: Any, **__: Any) -> None:
        """Say nothing: a connection that breaks is the client's affair."""


class Listener(web.Server):
    """Makes the connections of one door."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.handle)

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # documented, but not typed so
            # Bodies are opaque: what is compressed stays so.
            auto_decompress=False,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            lingering_time=1,
        )


async def close_listener(server: asyncio.Server, listener: Listener) -> None:
    """Stop listening, and end the connections."""
    server.close()
    await listener.shutdown(0.1)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await server.wait_closed()
    # Transports close in the loop's next rounds.
    await asyncio.sleep(0)
