"""What the environment tells: the token, the address, secrets, run keys, the CI's facts."""

import base64
import json
import os
from pathlib import Path

import pytest

from qstash_jobs.errors import AuthenticationError, UsageError
from qstash_jobs.settings import (
    Secrets,
    account_of,
    check_run_key,
    ci_git,
    ci_run_url,
    read_address,
    read_token,
    run_key_fault,
    state_folder,
    who,
)


def test_a_token_comes_from_the_environment_else_from_a_file_of_the_service_manager(tmp_path: Path) -> None:
    (tmp_path / "QSTASH_TOKEN").write_text("from-file\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_token(env) == "from-file"
    assert read_token({**env, "QSTASH_TOKEN": " from-env\r\n"}) == "from-env"
    with pytest.raises(AuthenticationError, match="no token: set STAGING_TOKEN "):
        read_token(env, "STAGING_TOKEN")


@pytest.mark.parametrize("token", ["a b", "a\nb", "'a'", '"a"', "a\x7f", "ä", "\udcff"])
def test_what_cannot_stand_in_a_header_is_no_token(token: str) -> None:
    with pytest.raises(AuthenticationError, match="copy the token alone"):
        read_token({"QSTASH_TOKEN": token})


def write_token(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def test_a_token_tells_its_account_where_it_can() -> None:
    assert account_of(write_token({"UserID": "a1b2", "Password": "p"})) == "a1b2"
    assert account_of(write_token({"UserID": "a1b2", "Password": "p"}).rstrip("=")) == "a1b2"
    for other in ({"UserID": 7}, {"UserID": "\x1b[31m"}, {"UserID": ""}, {}, [], "x", None):
        assert account_of(write_token(other)) is None
    for other in (
        "",
        "plain",
        "!!!",
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"[" * 100_000).decode(),
    ):
        assert account_of(other) is None


def test_a_stray_path_is_taken_off_an_address() -> None:
    for path in ("/v2/publish", "/v2/publish/", "/v2", "/v1/publish"):
        server, warnings = read_address(f"https://qstash.upstash.io{path}")
        assert (server.place, server.path) == ("qstash.upstash.io:443", "")
        assert warnings == (
            f"QSTASH_URL ends in {path}, which is not part of it; using https://qstash.upstash.io",
        )
    assert read_address(" https://qstash.upstash.io\n")[1] == ()


def test_an_address_says_where_it_came_from() -> None:
    with pytest.raises(UsageError, match=r"^the project file's url cannot be used: "):
        read_address("nonsense", source="the project file's url")


def test_a_secret_is_looked_for_in_the_environment_first_and_in_its_folder_last(tmp_path: Path) -> None:
    folder, credentials = tmp_path / "folder", tmp_path / "credentials"
    for place, names in {folder: "ABC", credentials: "AB"}.items():
        place.mkdir()
        for name in names:
            (place / name).write_text(f"{place.name}\r\n")
    secrets = Secrets({"A": "environment", "CREDENTIALS_DIRECTORY": str(credentials)}, folder)
    assert [secrets[name] for name in "ABC"] == ["environment", "credentials", "folder"]
    assert set(secrets) == set("ABC")
    assert len(secrets) == 3


def test_a_secret_loses_one_line_end_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "A").write_text(" a \n\n")
    assert Secrets({}, tmp_path)["A"] == " a \n"


@pytest.mark.parametrize(
    "name", ["../outside", "a/b", ".hidden", "", "a\0b", "folder", "empty", "pipe", "nope"]
)
def test_what_is_no_secret_s_file_is_a_missing_secret(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    (folder / "folder").mkdir(parents=True)
    (folder / "empty").write_text("\n")
    (tmp_path / "outside").write_text("outside")
    os.mkfifo(folder / "pipe")
    with pytest.raises(KeyError):
        Secrets({}, folder)[name]


def test_what_a_secret_s_file_holds_is_in_no_message(tmp_path: Path) -> None:
    for content in (b"hush\xff", b"hush" * 20_000):
        (tmp_path / "A").write_bytes(content)
        with pytest.raises(UsageError) as told:
            Secrets({}, tmp_path)["A"]
        assert "hush" not in str(told.value)
        assert "255" not in str(told.value)
        assert str(tmp_path / "A") in str(told.value)


@pytest.mark.parametrize("run_key", ["", " ", "\n", "a\nb", "a\0", "\x9b", "\udcff", "\x1b[31m"])
def test_a_run_key_that_says_nothing_or_cannot_be_shown_is_refused(run_key: str) -> None:
    assert run_key_fault(run_key) is not None
    with pytest.raises(UsageError, match=r"^--run-key "):
        check_run_key(run_key)


@pytest.mark.parametrize("run_key", [None, "2026-11-23", "Grüße an alle", "a:b/c", "x" * 10_000])
def test_any_other_words_are_a_run_key(run_key: str | None) -> None:
    check_run_key(run_key)


def test_the_ledger_s_folder_is_the_service_manager_s_else_the_user_s(tmp_path: Path) -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")
    assert state_folder({}).name == "qstash-jobs"


def test_the_facts_of_a_ci_are_known() -> None:
    github = {
        "GITHUB_RUN_ID": "7",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SHA": "abc",
        "GITHUB_REF_NAME": "main",
    }
    assert ci_run_url(github) == "https://github.com/o/r/actions/runs/7"
    assert ci_git(github) == {"sha": "abc", "branch": "main"}
    assert ci_run_url({"CI_JOB_URL": "https://gitlab.example.com/1"}) == "https://gitlab.example.com/1"
    assert ci_run_url({}) is None
    assert ci_git({}) == {}
    assert who({"GITHUB_ACTOR": "ada"}) == "ada"
