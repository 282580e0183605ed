"""Token, address and way to QStash -> checks: each by itself, and then one request that changes nothing."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from qstash_jobs.api.world import find_server
from qstash_jobs.boundary import Clock
from qstash_jobs.errors import AuthenticationError, UsageError
from qstash_jobs.outcome import Misconfigured, NotSent, Rejected, Throttled, Unknown
from qstash_jobs.project import Project
from qstash_jobs.report.checkup import Check
from qstash_jobs.report.wording import show_duration
from qstash_jobs.settings import account_of, find_setting, read_token
from qstash_jobs.transport import open_line
from qstash_jobs.transport.proxy import find_proxy
from qstash_jobs.transport.trust import trust
from qstash_jobs.wire.http import Answer, Reply
from qstash_jobs.wire.refusal import read_loss, read_refusal
from qstash_jobs.wire.resources.lists import ask_schedules
from qstash_jobs.wire.server import Server

PATIENCE_S = 10.0
CLOCK_OFF_S = 30.0
"""An HTTP date has whole seconds, and an answer takes its time."""


def check_service(env: Mapping[str, str], project: Project, clock: Clock) -> Iterator[Check]:
    """Look at what a request needs, then send one."""
    token, about_token = _check_token(env, project)
    yield about_token
    try:
        server, warnings = find_server(env, project.url)
    except UsageError as error:
        yield Check(name="address", verdict="wrong", found=str(error), exit_code=2)
        return
    yield _check_address(server, warnings, env)
    about_way = [_check_proxy(server, env), _check_trust(server, env)]
    yield from about_way
    if not any(check.verdict == "wrong" for check in about_way):
        yield from _probe(server, token, env, clock)


def _check_token(env: Mapping[str, str], project: Project) -> tuple[str | None, Check]:
    name = project.token_from
    try:
        token = read_token(env, name)
    except (AuthenticationError, UsageError) as error:
        return None, Check(name="token", verdict="wrong", found=str(error), exit_code=error.exit_code)
    source = f"{name} {'from the environment' if env.get(name) else 'from a file of credentials'}"
    account = account_of(token)
    if token.startswith("sig_"):
        return None, Check(
            name="token",
            verdict="wrong",
            found=f"{source} is a signing key: it verifies deliveries, and publishes nothing",
            advice=f"set {name} to the token that the QStash page of the Upstash console shows",
            exit_code=4,
        )
    if account is None:
        return token, Check(
            name="token",
            verdict="warning",
            found=f"{source} does not tell its account, as QStash's tokens do",
            advice="copy it whole from the QStash page of the Upstash console",
        )
    if project.account not in (None, account):
        return token, Check(
            name="token",
            verdict="wrong",
            found=f"{source} is of the account {account}, and the project file says {project.account}",
            exit_code=4,
        )
    return token, Check(name="token", verdict="good", found=f"{source}, of the account {account}")


def _check_address(server: Server, warnings: tuple[str, ...], env: Mapping[str, str]) -> Check:
    source = "from QSTASH_URL" if find_setting(env, "QSTASH_URL") else "from the project file, or the default"
    if warnings:
        return Check(name="address", verdict="warning", found="; ".join(warnings), advice="take it off")
    where = f"{server.place}, {source}"
    if server.is_local:
        return Check(
            name="address",
            verdict="warning",
            found=f"{where}, is on this machine: nothing reaches QStash",
            advice="unset QSTASH_URL to publish to QStash",
        )
    return Check(name="address", verdict="good", found=where)


def _check_proxy(server: Server, env: Mapping[str, str]) -> Check:
    try:
        proxy = find_proxy(server, env)
    except ValueError as error:
        return Check(
            name="proxy",
            verdict="wrong",
            found=str(error),
            advice="write http://HOST:PORT, or name the server in NO_PROXY",
            exit_code=2,
        )
    if proxy is None:
        return Check(name="proxy", verdict="good", found=f"none for {server.host}")
    signed = ", with a user and a password" if proxy.authorization else ""
    return Check(name="proxy", verdict="good", found=f"through {proxy.place}{signed}")


def _check_trust(server: Server, env: Mapping[str, str]) -> Check:
    if not server.secure:
        return Check(name="certificates", verdict="good", found="none needed for http:// to this machine")
    named = ", ".join(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if env.get(name))
    try:
        known = trust(env).cert_store_stats()["x509_ca"]
    except ValueError as error:
        return Check(name="certificates", verdict="wrong", found=str(error), exit_code=2)
    folders = env.get("SSL_CERT_DIR", "").split(os.pathsep)
    if not known and any(_holds_certificates(folder) for folder in folders):
        return Check(name="certificates", verdict="good", found=f"looked up in {', '.join(folders)}")
    if not known:
        return Check(
            name="certificates",
            verdict="wrong",
            found=f"{named or 'this machine'} has no certificate of an issuer, so no server can be trusted",
            advice="install the package ca-certificates, or set SSL_CERT_FILE",
            exit_code=2,
        )
    source = f"from {named}" if named else "from this machine"
    return Check(name="certificates", verdict="good", found=f"{known:,} issuers {source}")


def _holds_certificates(folder: str) -> bool:
    """Say whether OpenSSL would find any there: it looks for names that are hashes (openssl-rehash(1))."""
    try:
        return any(Path(folder).glob("[0-9a-f]*.[0-9]")) if folder else False
    except OSError:
        return False


def _probe(server: Server, token: str | None, env: Mapping[str, str], clock: Clock) -> Iterator[Check]:
    line = open_line(server, token, environment=env, connect_timeout_s=PATIENCE_S / 2, deadline_s=PATIENCE_S)
    try:
        answer = line.connect() or line.send(ask_schedules(), may_send=lambda: True)
    finally:
        line.close()
    now = clock.now()
    yield _read_answer(answer, has_token=token is not None, now=now)
    yield _check_clock(answer, now)


def _read_answer(answer: Answer, *, has_token: bool, now: datetime) -> Check:
    if isinstance(answer, Reply) and 200 <= answer.status < 300:
        # upstash docs, features/security: a read-only token may look at schedules, and may not publish
        found = (
            "QStash answers, and takes the token; whether it may publish too is told by a publication only"
        )
        return Check(name="connection", verdict="good", found=found)
    failure = read_refusal(answer, now=now) if isinstance(answer, Reply) else read_loss(answer)
    match failure:
        case Misconfigured(exit_code=4) if not has_token:
            return Check(
                name="connection", verdict="good", found="QStash answers; it was asked without a token"
            )
        case Misconfigured():
            return Check(
                name="connection",
                verdict="wrong",
                found=failure.error,
                advice=failure.hint,
                exit_code=failure.exit_code,
            )
        case Throttled():
            return Check(
                name="connection",
                verdict="warning",
                found=f"QStash answers that a limit is used up: {failure.error or failure.status}",
            )
        case NotSent() | Unknown():
            return Check(
                name="connection",
                verdict="unknown",
                found=f"QStash could not be reached: {failure.reason}",
                advice="is this machine connected, and are QSTASH_URL and the proxy right?",
                exit_code=5,
            )
        case Rejected():
            return Check(
                name="connection",
                verdict="wrong",
                found=f"what answers is not QStash: {failure.status} {failure.error}",
                advice="is QSTASH_URL right?",
                exit_code=2,
            )


def _check_clock(answer: Answer, now: datetime) -> Check:
    date = _read_date(answer.header("Date")) if isinstance(answer, Reply) else None
    if date is None:
        return Check(name="clock", verdict="unknown", found="no answer to compare this machine's clock with")
    off_s = (now - date).total_seconds()
    if abs(off_s) <= CLOCK_OFF_S:
        return Check(name="clock", verdict="good", found="as QStash's, within half a minute")
    return Check(
        name="clock",
        verdict="warning",
        found=f"{show_duration(abs(off_s))} {'ahead of' if off_s > 0 else 'behind'} QStash's",
        advice="let it be set from the network: run.date, not_before, windows and certificates hang on it",
    )


def _read_date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
