"""Rules on secrets: where one would be seen, and where one stands that should not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from qstash_jobs.message import DedupKind, Message
from qstash_jobs.problem import Path, Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
OWN = re.compile(r"\b(?:secrets|row)\b")
SECRET = re.compile(r"\bsecrets\b")
CREDENTIALS = frozenset(("authorization", "cookie", "x-api-key"))
# wire contract 18: a token is base64 of {"UserID":…,"Password":…}; a signing key begins with sig_
# Each begins with a literal, which a search can jump to: with both in one pattern, or \b in front, it takes five times
# as long.
TOKEN = re.compile(rb"eyJVc2VySUQiOi[A-Za-z0-9+/=_-]{8,}")
SIGNING_KEY = re.compile(rb"sig_(?<!\wsig_)[A-Za-z0-9]{20,}")
VISIBLE = ("url", "url_group", "queue", "labels", "flow_control", "dedup", "callback", "failure_callback")


@rule(
    "secret-visible",
    fields=VISIBLE,
    title="a secret where QStash cannot hide it",
    why="QStash redacts body and headers only (upstash docs, features/redaction): a secret in a url, a "
    "name, a label, an id or a callback's url stands in its log and console.",
    fix='headers: {Authorization: "Bearer ${{ secrets.API_TOKEN }}"}',
)
def visible(message: Message, _: Context) -> Iterator[Flaw]:
    for field in VISIBLE if message.secrets else ():
        if message.secrets.get(field) and _is_shown(message, field):
            yield Flaw(
                path=_shown_path(field),
                message=f"a secret in `{field}` can be read in QStash's log",
                hint="send it in a header or in the body: these are redacted",
                severity=Severity.WARNING,
            )


@rule(
    "secret-literal",
    fields=("headers", "callback", "failure_callback"),
    title="credentials that are no secret",
    why="What the file says is read by all who read the file, and what `env.` says is not masked in output. "
    "`secrets.` is masked everywhere, and QStash redacts it.",
    fix='headers: {Authorization: "Bearer ${{ secrets.API_TOKEN }}"}',
)
def literal(message: Message, _: Context) -> Iterator[Flaw]:
    for path, headers in _written_headers(message.job.fields):
        for name, text in headers.items():
            if name.lower() in CREDENTIALS and isinstance(text, str) and _is_open(text):
                yield Flaw(
                    path=(*path, name),
                    message=f"the value of {name} stands in the open",
                    hint="use `${{ secrets.NAME }}`",
                    severity=Severity.WARNING,
                )


@rule(
    "secret-token",
    fields=("body", "body_file", "body_base64", "headers"),
    title="a token of QStash's inside a message",
    why="With it, whoever reads the message can publish in your name, or sign in QStash's.",
    fix="take it out; the destination needs no token of QStash's to check a signature, only its signing keys",
)
def token(message: Message, _: Context) -> Iterator[Flaw]:
    if _holds_token(message.body):
        yield _token(("body",), "body")
    for name, value in message.headers:
        if _holds_token(value.encode(errors="replace")):
            yield _token(("headers", name), name)


def _holds_token(text: bytes) -> bool:
    return bool(TOKEN.search(text) or SIGNING_KEY.search(text))


def _token(path: Path, where: str) -> Flaw:
    return Flaw(
        path=path,
        message=f"`{where}` holds what looks like a token or a signing key of QStash's",
        hint="take it out, and change the token if it was ever published",
        severity=Severity.WARNING,
    )


def _is_shown(message: Message, field: str) -> bool:
    """Say whether the secret is in the part of the field that is shown: of a callback its url, of dedup its id."""
    if field == "dedup":
        return message.dedup.kind is DedupKind.ID
    written = message.job.fields.get(field)
    if field in ("callback", "failure_callback") and isinstance(written, dict):
        return _looks_up(SECRET, str(written.get("url")))
    return True


def _shown_path(field: str) -> Path:
    return (field, "url") if "callback" in field else (field,)


def _written_headers(fields: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if isinstance(fields.get("headers"), dict):
        yield ("headers",), fields["headers"]
    for field in ("callback", "failure_callback"):
        callback = fields.get(field)
        if isinstance(callback, dict) and isinstance(callback.get("headers"), dict):
            yield (field, "headers"), callback["headers"]


def _is_open(text: str) -> bool:
    return bool(text) and not _looks_up(OWN, text)


def _looks_up(root: re.Pattern[str], text: str) -> bool:
    return any(root.search(expression) for expression in EXPRESSION.findall(text))
