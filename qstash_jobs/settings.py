"""The environment -> what the program is told from outside: server, token, secrets, folders, the CI's facts.

The only module that reads environment variables. A token is never an option, so that no process list shows it.
"""

import base64
import binascii
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from qstash_jobs.errors import AuthenticationError, UsageError
from qstash_jobs.grammar import GrammarError, read_env_file
from qstash_jobs.wire.server import Server, read_server

DEFAULT_URL = "https://qstash.upstash.io"
"""The EU region; the SDKs' default (qstash-py http.py)."""

CREDENTIAL_BYTES = 64 * 1024
"""A credential file larger than this is something else."""

ENV_FILE_BYTES = 1024 * 1024
"""An env file larger than this is something else."""


def environment() -> Mapping[str, str]:
    """Return the process's environment."""
    return os.environ


@contextmanager
def added_env_file(path: Path) -> Iterator[None]:
    """Add what a file says to the environment inside the block; the environment itself, and credentials, win.

    UsageError, with the line, where it cannot be read.
    """
    added = {
        name: value
        for name, value in _read_env_file(path).items()
        if not os.environ.get(name) and _read_credential(os.environ, name) is None
    }
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        # a pipe may be meant, as a shell's <(...) makes one; one that nobody writes to would block for good
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        os.set_blocking(handle, True)
        with os.fdopen(handle, "rb") as file:
            content = file.read(ENV_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"--env-file {path} cannot be read: {reason}") from error
    if len(content) > ENV_FILE_BYTES:
        raise UsageError(f"--env-file {path} is over {ENV_FILE_BYTES:,} bytes; it is something else")
    try:
        return read_env_file(content.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"--env-file {path} is not text in UTF-8") from error
    except GrammarError as error:
        raise UsageError(f"--env-file {path}: {error}") from error


def working_folder() -> Path:
    """Return the working directory; UsageError where it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError("the working directory is not there any more; change to another one") from error


def read_address(text: str, *, source: str = "QSTASH_URL") -> tuple[Server, tuple[str, ...]]:
    """Read QStash's address, and say what was wrong with it and could be mended; UsageError for what could not.

    `source` is where it comes from, for people.
    """
    url, warnings = _without_stray_path(text.strip(), source)
    try:
        return read_server(url), warnings
    except ValueError as error:
        raise UsageError(f"{source} cannot be used: {error}; the default is {DEFAULT_URL}") from error


def _without_stray_path(url: str, source: str) -> tuple[str, tuple[str, ...]]:
    # old console pages showed it so; the service then answers "endpoint has invalid scheme" (qstash-js #226)
    match = re.search(r"/v[12](?:/publish)?/*$(?!\n)", url)
    if match is None:
        return url, ()
    kept = url[: match.start()]
    return kept, (f"{source} ends in {match.group()}, which is not part of it; using {kept}",)


def find_setting(env: Mapping[str, str], name: str) -> str | None:
    """Find a setting in the environment, else in `$CREDENTIALS_DIRECTORY` or `/run/secrets`; an empty one is none."""
    return env.get(name) or _read_credential(env, name) or None


def read_token(env: Mapping[str, str], name: str = "QSTASH_TOKEN") -> str:
    """Find the token: in the environment, in `$CREDENTIALS_DIRECTORY`, or in `/run/secrets`.

    Raises AuthenticationError where there is none, or where it could not stand in a header.
    """
    token = (find_setting(env, name) or "").strip()
    if not token:
        raise AuthenticationError(f"no token: set {name} (the QStash page of the Upstash console shows it)")
    if not re.fullmatch(r"[\x21\x23-\x26\x28-\x7e]+", token):
        raise AuthenticationError(
            f"{name} holds blanks, quotes or characters that no token has; copy the token alone, without `Bearer`"
        )
    return token


def account_of(token: str) -> str | None:
    """Name the account that a token belongs to, where the token tells: base64 of JSON with a `UserID`."""
    try:
        user = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), validate=True))["UserID"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    return user if isinstance(user, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,100}", user) else None


class Secrets(Mapping[str, str]):
    """Secrets by name, each looked up once: environment, `$CREDENTIALS_DIRECTORY`, `/run/secrets`, `--secrets-dir`."""

    def __init__(self, env: Mapping[str, str], folder: Path | None = None) -> None:
        self._env = env
        self._folder = folder
        self._known: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            value = self._env.get(name) or _read_credential(self._env, name, self._folder)
            # an empty one is none: it would be sent as if it were one
            self._known[name] = value or None
        value = self._known[name]
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, value in self._known.items() if value is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _read_credential(env: Mapping[str, str], name: str, folder: Path | None = None) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        return None
    folders = [Path(env["CREDENTIALS_DIRECTORY"])] if env.get("CREDENTIALS_DIRECTORY") else []
    folders += [Path("/run/secrets"), *([folder] if folder is not None else [])]
    for place in folders:
        content = _read_secret(place / name)
        if content is not None:
            return content
    return None


def _read_secret(path: Path) -> str | None:
    """Read a secret's file less one line end; None where there is no such file. Its content is in no message."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
    except OSError:  # also where the folder is for others' eyes, as /run/secrets often is
        return None
    try:
        with path.open("rb") as file:
            content = file.read(CREDENTIAL_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"the secret {path} cannot be read: {reason}") from error
    if len(content) > CREDENTIAL_BYTES:
        raise UsageError(f"{path} is too large for a secret: over {CREDENTIAL_BYTES:,} bytes")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError(f"the secret {path} is not text in UTF-8") from error


def check_run_key(run_key: str | None) -> None:
    """Refuse an empty or garbled run key: UsageError. A variable that is not set would make all runs one."""
    fault = run_key_fault(run_key) if run_key is not None else None
    if fault is not None:
        raise UsageError(f"--run-key {fault}")


def run_key_fault(run_key: str) -> str | None:
    """Say why a text cannot be a run key, or None where it can."""
    if not run_key.strip():
        return "is empty; it is what makes two runs the same one, so it has to say something"
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", run_key):
        return "holds a line break, another control character, or bytes that are not UTF-8"
    return None


def state_folder(env: Mapping[str, str]) -> Path:
    """Name the folder of the default ledger: systemd's `$STATE_DIRECTORY`, else the user's state folder."""
    systemd = env.get("STATE_DIRECTORY", "").partition(":")[0]
    if systemd:
        return Path(systemd)
    from platformdirs import user_state_path

    return user_state_path("qstash-jobs")


def is_ci(env: Mapping[str, str]) -> bool:
    """Say whether a pipeline runs the program: they all set `CI`."""
    # docs.github.com, "Variables"; docs.gitlab.com, "Predefined CI/CD variables"; circleci.com/docs/variables
    return env.get("CI", "").lower() not in ("", "0", "false", "no")


def who(env: Mapping[str, str]) -> str:
    """Name the person or robot that runs the program, for the record."""
    import getpass

    try:
        return env.get("GITHUB_ACTOR") or env.get("GITLAB_USER_LOGIN") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def ci_run_url(env: Mapping[str, str]) -> str | None:
    """Name the page of the CI run that the program is part of."""
    # docs.github.com, "Variables": GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID
    if env.get("GITHUB_RUN_ID") and env.get("GITHUB_REPOSITORY"):
        server = env.get("GITHUB_SERVER_URL", "https://github.com")
        return f"{server}/{env['GITHUB_REPOSITORY']}/actions/runs/{env['GITHUB_RUN_ID']}"
    # docs.gitlab.com, "Predefined CI/CD variables"; circleci.com/docs/variables; buildkite.com/docs
    return env.get("CI_JOB_URL") or env.get("CIRCLE_BUILD_URL") or env.get("BUILDKITE_BUILD_URL")


def ci_git(env: Mapping[str, str]) -> dict[str, str]:
    """Read the commit and branch that the CI says it runs on."""
    facts = {
        "sha": env.get("GITHUB_SHA") or env.get("CI_COMMIT_SHA") or env.get("CIRCLE_SHA1"),
        "branch": env.get("GITHUB_HEAD_REF") or env.get("GITHUB_REF_NAME") or env.get("CI_COMMIT_REF_NAME"),
    }
    return {name: value for name, value in facts.items() if value}
