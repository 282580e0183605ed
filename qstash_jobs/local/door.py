"""HTTP in: a request -> a Call, whose target is exactly what stood in the request line; a Reply -> a response."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from qstash_jobs.local.browser import is_borrowed, is_foreign, is_stray
from qstash_jobs.local.engine import Engine
from qstash_jobs.local.page import answer_page, is_of_page, public_tokens
from qstash_jobs.local.recent import Recent, RecordedRequest
from qstash_jobs.local.routes import PUBLISHING, Call, Reply, answer
from qstash_jobs.local.routes.call import write_refusal
from qstash_jobs.local.world.refusal import Refusal

# wire contract 7: "100 MB per REST call"
BODY_BYTES = 100 * 1024 * 1024
# All that is being read at one time.
BODIES_BYTES = 512 * 1024 * 1024


class Door:
    """Turns requests into calls, and replies into responses."""

    def __init__(
        self,
        engine: Engine,
        recorded: Recent[RecordedRequest] | None,
        *,
        host: str,
        body_s: float,
        saved: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._engine = engine
        self._recorded = recorded
        self._host = host
        self._body_s = body_s
        self._saved = saved
        self._reading_bytes = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        publishing = request.method == "POST" and request.raw_path.startswith(PUBLISHING)
        if publishing:
            # Said at its beginning and its end: a client that never ends its body does not hold time up.
            self._engine.note_publishing()
        try:
            reply = self._answer(request, await self._read_body(request))
        except Refusal as refusal:
            response = write_response(write_refusal(refusal))
            response.force_close()
            return response
        if publishing:
            self._engine.note_publishing()
        self._engine.wake()
        if self._saved is not None:
            reply = await _when_saved(self._saved, reply)
        if reply.after_s:
            await asyncio.sleep(reply.after_s)
        response = write_response(reply)
        if reply.cut_after is not None:
            _cut(request, response, reply)
        return response

    def _answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        headers = tuple([(_decode(name), _decode(value)) for name, value in request.raw_headers])
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
        if is_of_page(call.target.partition("?")[0]):
            return self._answer_page(call)
        if is_foreign(call, host=self._host):
            raise Refusal(403, "a page of another site may not use this server")
        if is_borrowed(call, host=self._host) and public_tokens(self._engine.world):
            raise Refusal(
                403, "a name that is not this machine's needs tokens that are not public, by --users"
            )
        return answer(self._engine.tick(), call)

    def _answer_page(self, call: Call) -> Reply:
        if is_stray(call, host=self._host):
            raise Refusal(403, "the page is shown under an address of this machine, and in no other page")
        return answer_page(self._engine.world, call)

    async def _read_body(self, request: web.BaseRequest) -> bytes:
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
            async with asyncio.timeout(self._body_s):
                return await self._read_parts(request.content)
        except TimeoutError as error:
            raise Refusal(408, "the body did not arrive in time") from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise Refusal(400, "malformed request: the body is broken off or badly divided") from error
        except RuntimeError as error:
            # aiohttp, streams.py: so it says that the client has left before anybody read
            if request.transport is None:
                raise ConnectionResetError("the client has left") from error
            raise

    async def _read_parts(self, content: StreamReader) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while part := await content.readany():
                parts.append(part)
                size += len(part)
                self._reading_bytes += len(part)
                if size > BODY_BYTES:
                    raise _TOO_LARGE
                if self._reading_bytes > BODIES_BYTES:
                    raise _TOO_MUCH
        finally:
            self._reading_bytes -= size
        return b"".join(parts)


def _cut(request: web.BaseRequest, response: web.Response, reply: Reply) -> None:
    """Break the connection off, before the answer or inside its body."""
    transport = request.transport
    response.force_close()
    if transport is None:
        return
    if reply.cut_after == -1:
        transport.abort()
        return
    head = f"HTTP/1.1 {reply.status} cut\r\nContent-Type: application/json\r\nContent-Length: {len(reply.body)}\r\n\r\n"
    transport.write(head.encode() + reply.body[: reply.cut_after])
    transport.close()


_TOO_LARGE = Refusal(413, f"the request is larger than {BODY_BYTES} bytes")
_TOO_MUCH = Refusal(503, f"more than {BODIES_BYTES} bytes are being sent at once")


async def _when_saved(saved: Callable[[], Awaitable[None]], reply: Reply) -> Reply:
    """Give an answer when all that it tells of is kept, or say that it is not."""
    try:
        await saved()
    except Refusal as refusal:
        return write_refusal(refusal)
    return reply


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def write_response(reply: Reply) -> web.Response:
    """Write a reply."""
    response = web.Response(body=reply.body or None, status=reply.status)
    if reply.body:
        response.headers["Content-Type"] = reply.content_type
    response.headers.extend(reply.headers)
    return response
