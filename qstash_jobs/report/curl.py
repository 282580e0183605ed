"""Planned messages -> commands for a shell that send exactly these requests; a secret stands there as `$NAME`.

For bash, zsh and ksh. QSTASH_URL, QSTASH_TOKEN and the secrets are taken from the environment of whoever runs them.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping

from qstash_jobs.mask import MASKED, MIN_LENGTH, Mask
from qstash_jobs.plan.messages import PlannedMessage
from qstash_jobs.report.escape import escape, quote_shell
from qstash_jobs.wire.http import Request

ARGUMENT_BYTES = 100_000
"""Linux takes 128 KiB in one argument (execve(2), MAX_ARG_STRLEN); a longer body goes through a pipe."""

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def write_plan_curl(messages: Iterable[PlannedMessage], *, secrets: Mapping[str, str]) -> Iterator[str]:
    """Write a command for each message that would be published, with a comment above; the others are comments.

    `secrets` are names and values. The messages come unmasked; no value goes out, in whatever encoding it is.
    """
    quoter = SecretQuoter(secrets)
    for planned in messages:
        title = f"{planned.name}  {planned.file}:{planned.line}"
        if planned.action != "publish":
            reason = f": {planned.reason}" if planned.reason else ""
            yield quoter.hide(f"# {planned.action} {escape(title + reason)}")
            continue
        yield quoter.hide(f"# {escape(title)}")
        for note in planned.notes:
            yield f"# {escape(note)}"
        command = write_curl(planned.batch or planned.request, quoter)
        if MASKED in command:
            yield f"# where {MASKED} stands for a secret, put it in yourself"
        yield command
        yield ""


class SecretQuoter:
    """Quotes words for a shell, with `"$NAME"` where a secret stands in them."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._mask = Mask(secrets)
        self._names = {
            value: name
            for name, value in sorted(secrets.items(), reverse=True)
            if len(value) >= MIN_LENGTH and _VARIABLE.fullmatch(name)
        }
        values = sorted(self._names, key=lambda value: (-len(value), value))
        self._regex = re.compile(f"({'|'.join(map(re.escape, values))})") if values else None

    def hide(self, text: str) -> str:
        """Mask a text that is no word of a command."""
        return self._mask.hide(text)

    def quote(self, text: str) -> str:
        """Quote one word."""
        hidden = self._mask.hide(text)
        pieces = self._regex.split(text) if self._regex is not None and hidden != text else [text]
        # split puts what it split at into every second place
        plain = [piece if at % 2 else self._mask.hide(piece) for at, piece in enumerate(pieces)]
        if "".join(MASKED if at % 2 else piece for at, piece in enumerate(plain)) != hidden:
            # secrets that overlap: naming one would show a part of another
            return quote_shell(hidden)
        words = (
            f'"${self._names[piece]}"' if at % 2 else quote_shell(piece)
            for at, piece in enumerate(plain)
            if piece
        )
        return "".join(words) or "''"


def write_curl(request: Request, quoter: SecretQuoter) -> str:
    """Write one command. curl is kept from changing the path, from globbing, and from adding a content type."""
    words = [
        f'curl -sS --globoff --path-as-is -X {quote_shell(request.method)} "$QSTASH_URL"{quoter.quote(request.target)}',
        '-H "Authorization: Bearer $QSTASH_TOKEN"',
    ]
    if not any(name.lower() == "content-type" for name, _ in request.headers):
        words.append("-H Content-Type:")
    words += [f"-H {quoter.quote(_write_header(name, value))}" for name, value in request.headers]
    source, body = _write_body(request.body, quoter)
    return source + " \\\n  ".join([*words, body])


def _write_header(name: str, value: str) -> str:
    # curl(1), --header: `X-Empty:` takes a header away, `X-Empty;` sends it with nothing in it
    return f"{name}: {value}" if value.strip() else f"{name};"


def _write_body(body: bytes, quoter: SecretQuoter) -> tuple[str, str]:
    """Write where a body comes from: what stands before `curl`, and the option."""
    text = _decode(body)
    if text is None:
        encoded = quoter.hide(b64encode(body).decode())
        return f"printf %s {quote_shell(encoded)} | base64 -d | ", "--data-binary @-"
    if len(body) > ARGUMENT_BYTES:
        return f"printf %s {quoter.quote(text)} | ", "--data-binary @-"
    return "", f"--data-raw {quoter.quote(text)}"


def _decode(body: bytes) -> str | None:
    """Read a body as text that a shell can hold; None where it cannot."""
    try:
        return None if b"\0" in body else body.decode()
    except UnicodeDecodeError:
        return None
