"""An env file: read as sh and Docker read it or not at all, weaker than the environment, and never shown."""

import os
import subprocess
from pathlib import Path

import pytest
from doc_blocks import read_blocks
from hypothesis import given
from hypothesis import strategies as st

from qstash_jobs.grammar import GrammarError, read_env_file

HELLO = "url: https://api.example.com/hello\n"

AGREED = """\
# a comment

PLAIN=eyJVc2Vy==
EMPTY=
export EXPORTED=sqlite:////var/lib/ledger.db
SINGLE='a $b `c` "d" \\ # e'
DOUBLE="it's here # too"
HASH=a#b
"""


def test_a_file_means_what_a_shell_takes_it_for(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text(AGREED)
    names = ("PLAIN", "EMPTY", "EXPORTED", "SINGLE", "DOUBLE", "HASH")
    shown = " ".join(f'"${name}"' for name in names)
    sh = subprocess.run(
        ["/bin/sh", "-c", f". {path}; printf '%s\\n' {shown}"], capture_output=True, text=True, check=True
    )
    assert list(read_env_file(AGREED).values()) == sh.stdout.split("\n")[:-1]
    assert read_env_file("\ufeff" + AGREED.replace("\n", "\r\n")) == read_env_file(AGREED)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="'")))
def test_any_value_of_one_line_can_be_written_in_single_quotes(value: str) -> None:
    assert read_env_file(f"A='{value}'\n") == {"A": value}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A=1\nB", "line 2: it has no =; write NAME=VALUE"),
        ("1A=1", "line 1: what stands before the = is no name"),
        ("A B=1", "line 1: what stands before the = is no name"),
        ("A =1", "line 1: what stands before the = is no name"),
        ("=1", "line 1: what stands before the = is no name"),
        ("A= 1", "line 1: a blank stands behind the = of A"),
        ("A=1 # one", "line 1: the value of A holds a blank without quotes"),
        ("A=$B", "line 1: the value of A holds $ without quotes; put it in single quotes"),
        ('A="$B"', "line 1: the value of A holds $ in double quotes; put it in single quotes"),
        ('A="a\\n"', "line 1: the value of A holds \\ in double quotes"),
        ("A=a'b", "line 1: the value of A holds ' without quotes"),
        ("A='b", "line 1: the quotes of A do not end on their line"),
        ("A='b' # c", "line 1: something stands behind the quotes of A"),
        ("A=1\x00", "line 1: the value of A holds a control character"),
        ("A=1\n\nA=2", "line 3: A was set before, in line 1"),
    ],
)
def test_what_readers_disagree_on_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(GrammarError) as caught:
        read_env_file(text)
    assert str(caught.value).startswith(sentence)


def test_token_address_options_and_secrets_come_from_the_file(cli) -> None:
    cli.write("hello.yaml", HELLO + "headers: {Authorization: 'Bearer ${{ secrets.API }}'}\n")
    server = cli.server
    cli.write(
        "prod.env",
        f"QSTASH_TOKEN={server.token}\nQSTASH_URL={server.url}\nAPI=abcdefgh\nQSTASH_JOBS_RUN_KEY=k\n",
    )
    cli.set("QSTASH_TOKEN", None)
    cli.set("QSTASH_URL", "")
    assert cli("run", "hello.yaml").code == 4
    for _ in range(2):
        answer = cli("run", "--env-file", "prod.env", "hello.yaml")
        assert answer.code == 0, answer.err
    assert [dict(request.headers)["Upstash-Forward-Authorization"] for request in cli.sent] == [
        "Bearer abcdefgh"
    ]
    assert cli("status", "--env-file", "prod.env").code in (0, 9)
    # nothing of it is left behind
    assert cli("run", "hello.yaml").code == 4


def test_the_environment_and_credentials_are_stronger_than_the_file(cli) -> None:
    cli.write("hello.yaml", "url: https://${{ env.A }}.example.com/${{ env.B }}\nbody: ${{ secrets.C }}\n")
    cli.write("credentials/C", "from-credentials\n")
    cli.write("e.env", "A=file\nB=file\nC=file\nQSTASH_TOKEN=file\nQSTASH_URL=https://127.0.0.1:9\n")
    cli.set("A", "environment")
    cli.set("CREDENTIALS_DIRECTORY", str(cli.folder / "credentials"))
    assert cli("run", "--env-file", "e.env", "hello.yaml").code == 0
    assert [request.target.split("/v2/publish/")[1] for request in cli.sent] == [
        "https://environment.example.com/file"
    ]
    assert cli.sent[0].body == b"from-credentials"


def test_the_file_on_the_page_is_one() -> None:
    [text] = [block.text for block in read_blocks("command-line.md", "sh") if block.text.startswith("#")]
    found = read_env_file(text)
    assert list(found) == ["QSTASH_TOKEN", "QSTASH_JOBS_LEDGER", "REPORT_TOKEN"]
    assert "$, `" in found["REPORT_TOKEN"]


def test_of_several_files_the_last_is_the_strongest(cli) -> None:
    cli.write("hello.yaml", "url: https://${{ env.A }}.example.com/${{ env.B }}\n")
    cli.write("one.env", "A=one\nB=one\n")
    cli.write("two.env", "A=two\n")
    assert cli("run", "--env-file", "one.env", "--env-file", "two.env", "hello.yaml").code == 0
    cli.set("QSTASH_JOBS_ENV_FILE", f"two.env{os.pathsep}one.env")
    assert cli("run", "hello.yaml").code == 0
    assert [request.target.split("/v2/publish/")[1] for request in cli.sent] == [
        "https://two.example.com/one",
        "https://one.example.com/one",
    ]


def test_no_env_file_is_read_that_was_not_named(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli.write(".env", f"QSTASH_TOKEN={cli.server.token}\n")
    cli.set("QSTASH_TOKEN", None)
    assert cli("run", "hello.yaml").code == 4
    assert cli.sent == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "qstash-jobs: --env-file e.env cannot be read: no such file or directory"),
        (b"\xff", "qstash-jobs: --env-file e.env is not text in UTF-8"),
        (b"A=1\n" * 300_000, "qstash-jobs: --env-file e.env is over 1,048,576 bytes"),
        (
            b"QSTASH_TOKEN='s3cr3t-t0ken\n",
            "qstash-jobs: --env-file e.env: line 1: the quotes of QSTASH_TOKEN do not end",
        ),
        (b"s3cr3t-t0ken\n", "qstash-jobs: --env-file e.env: line 1: it has no =; write NAME=VALUE"),
        (b"s3cr3t-t0ken==\n", "qstash-jobs: --env-file e.env: line 1: what stands before the = is no name"),
    ],
)
def test_a_file_that_cannot_be_read_sends_nothing_and_is_not_shown(cli, content, sentence: str) -> None:
    cli.write("hello.yaml", HELLO)
    if content is not None:
        cli.write("e.env", content)
    answer = cli("run", "--env-file", "e.env", "hello.yaml")
    assert answer.code == 2
    assert answer.err.startswith(sentence)
    assert "s3cr3t" not in answer.err
    assert cli.sent == []


def test_a_pipe_that_nobody_writes_to_is_an_empty_file(cli) -> None:
    cli.write("hello.yaml", HELLO)
    os.mkfifo(cli.folder / "pipe")
    assert cli("validate", "--env-file", "pipe", "hello.yaml").code == 0
