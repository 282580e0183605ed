"""Bad input of every kind: its sentence, its exit code, and nothing that reaches a server."""

import os

import pytest
from chaos_server import ACCEPTED, ChaosServer, Peer

HELLO = "jobs:\n  hello: {url: 'https://api.example.com/hello'}\n"


@pytest.fixture
def shop(cli):
    """A project with everything in order."""
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("jobs/hello.yaml", HELLO)
    return cli


def refused(cli, *words: object, code: int, sentence: str) -> None:
    """Run, and hold it to its ending; nothing at all may have reached the server, not even a question."""
    answer = cli("run", *words)
    assert answer.code == code, answer.err
    assert sentence in answer.err
    assert answer.out == ""
    assert cli.server.requests() == []


def test_without_a_path_nothing_is_published(shop) -> None:
    refused(
        shop, code=2, sentence="say which jobs to publish: a file, a folder such as jobs/, or - for standard"
    )


def test_an_environment_that_is_not_declared(shop) -> None:
    shop.write("qstash-jobs.yaml", "environments: {production: {}}\n")
    refused(
        shop,
        "jobs",
        "--environment",
        "prodution",
        code=2,
        sentence="declares no environment prodution; did you mean production?",
    )
    refused(shop, "jobs", code=2, sentence="say where to publish: --environment production")


def test_a_policy_that_forbids_what_a_job_does(shop) -> None:
    shop.write("qstash-jobs.yaml", "policy: {destinations: ['https://*.example.org/']}\n")
    refused(
        shop,
        "jobs",
        code=2,
        sentence="jobs/hello.yaml:2:16: error: the policy does not let messages go there",
    )


def test_an_account_that_is_not_the_token_s(shop) -> None:
    shop.write("qstash-jobs.yaml", "account: a1b2c3\n")
    refused(
        shop,
        "jobs",
        code=4,
        sentence="QSTASH_TOKEN is of the account defaultUser, and the project file says a1b2c3",
    )


def test_an_account_that_the_token_does_not_tell_is_a_warning(shop) -> None:
    shop.write("qstash-jobs.yaml", "account: a1b2c3\n")
    shop.set("QSTASH_TOKEN", "opaque-t0ken")
    answer = shop("run", "jobs", "--quiet")
    assert answer.err.startswith("warning: QSTASH_TOKEN does not tell its account, so it may not be a1b2c3\n")
    assert "opaque-t0ken" not in answer.err


@pytest.mark.parametrize("key", ["", "   ", "a\nb", "a\x1b[31m"])
def test_a_run_key_that_says_nothing(shop, key: str) -> None:
    refused(shop, "jobs", "--run-key", key, code=2, sentence="qstash-jobs: --run-key ")


@pytest.mark.parametrize("pattern", ["nope*", "hello/*", "HELLO"])
def test_a_job_pattern_that_matches_nothing(shop, pattern: str) -> None:
    refused(shop, "jobs", "--job", pattern, code=2, sentence=f"no job matches {pattern}")


@pytest.mark.parametrize("token", ["s3cr3t\nt0ken", "Bearer s3cr3t", "s3cr3t\x00", "'s3cr3t'", "s3cr3té"])
def test_a_token_that_can_be_none_is_not_shown(shop, token: str) -> None:
    if "\x00" in token:
        shop.set("QSTASH_TOKEN", None)
        shop.write("credentials/QSTASH_TOKEN", token)
        shop.set("CREDENTIALS_DIRECTORY", str(shop.folder / "credentials"))
    else:
        shop.set("QSTASH_TOKEN", token)
    refused(
        shop, "jobs", code=4, sentence="QSTASH_TOKEN holds blanks, quotes or characters that no token has"
    )
    assert "s3cr3t" not in shop("run", "jobs").err


@pytest.mark.parametrize(
    ("place", "code", "sentence"),
    [
        ("sqlite:///dev/null/ledger.db", 6, "/dev/null"),
        ("sqlite:///proc/ledger.db", 6, "/proc"),
        ("sqlite://FOLDER", 6, "is a folder, not a file"),
        ("postgresql://ada:s3cr3t@db/ledger", 2, "may hold no password"),
        ("postgresql://db/ledger?password=s3cr3t", 2, "may hold no password"),
        ("ledger.db", 2, "write sqlite:///PATH"),
    ],
)
def test_a_ledger_that_cannot_be_written(shop, place: str, code: int, sentence: str) -> None:
    place = place.replace("FOLDER", str(shop.folder))
    refused(shop, "jobs", "--ledger", place, code=code, sentence=sentence)
    assert "s3cr3t" not in shop("run", "jobs", "--ledger", place).err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_ledger_s_folder_that_is_somebody_else_s(shop) -> None:
    folder = shop.folder.parent / "locked"
    folder.mkdir(mode=0o500)
    refused(shop, "jobs", "--ledger", f"sqlite://{folder}/ledger.db", code=6, sentence=str(folder))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://qstash.example.com", "http:// would show the token on the way to qstash.example.com"),
        ("qstash.upstash.io", "begins with https://"),
        ("https://user:s3cr3t@qstash.upstash.io", "without user, query or fragment"),
    ],
)
def test_an_address_that_cannot_be_used(shop, address: str, sentence: str) -> None:
    shop.set("QSTASH_URL", address)
    refused(shop, "jobs", code=2, sentence=sentence)
    assert "s3cr3t" not in shop("run", "jobs").err


def test_one_job_out_of_order_keeps_all_of_them(shop) -> None:
    shop.write("jobs/bad.yaml", "url: https://api.example.com/x\nretrys: 3\n")
    refused(shop, "jobs", code=2, sentence="did you mean `retries`?")
    shop.write("jobs/bad.yaml", "for_each: [{n: 1}, {n: null}]\nurl: https://api.example.com/${{ row.n }}\n")
    refused(shop, "jobs", code=2, sentence="jobs/bad.yaml:")


def test_a_question_that_the_account_does_not_answer_is_a_warning(shop) -> None:
    def qstash(peer: Peer) -> None:
        while raw := peer.read_request():
            if raw.startswith(b"GET "):
                peer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
            else:
                peer.write(ACCEPTED)

    shop.write("jobs/hello.yaml", "queue: invoices\nurl: https://api.example.com/\n")
    with ChaosServer(qstash) as server:
        shop.set("QSTASH_URL", server.url)
        answer = shop("run", "jobs")
    assert (answer.code, answer.out) == (0, "published jobs/hello:hello msg_1\n")
    assert "warning: the account could not be asked whether it has this: answered 500" in answer.err


def test_where_nothing_can_be_reached_everything_stays_planned(shop) -> None:
    shop.write("jobs/hello.yaml", "url_group: order-placed\n")
    shop.set("QSTASH_URL", "http://127.0.0.1:9")
    answer = shop("run", "jobs")
    assert answer.code == 5
    assert "warning: the account could not be asked whether it has this: cannot reach" in answer.err
    assert "\nplanned 1 (run " in answer.err
    assert "qstash-jobs run --continue " in answer.err
