"""Whatever is typed or set: a sentence, an exit code, and nothing sent; never a trace, a hang or a secret."""

import os
from pathlib import Path

import pytest

HELLO = "url: https://api.example.com/hello\nbody: {hello: world}\n"


@pytest.fixture(autouse=True)
def hello(cli) -> None:
    cli.write("jobs/hello.yaml", HELLO)


def assert_refused(cli, answer, code: int, sentence: str) -> None:
    assert sentence in answer.err
    assert answer.code == code
    assert "Traceback" not in answer.err
    assert answer.err.endswith("\n")
    assert answer.out == ""
    assert cli.sent == []


WORDS = {
    "jobs --batch-size 0": "'--batch-size': 0 is not in the range 1<=x<=1000; see qstash-jobs run --help",
    "jobs --batch-size many": "'many' is not a valid integer",
    "jobs --concurrency 257": "257 is not in the range",
    "jobs --rate 0": "is not in the range x>0",
    "jobs --rate nan": "--rate nan is no number of messages a second",
    "jobs --rate inf": "--rate inf is no number of messages a second",
    "jobs --max-messages -1": "is not in the range",
    "jobs --max-messages 0": "--max-messages 0 is less than the 1 message of this run; nothing was sent",
    "jobs --wait soon": '--wait soon: "soon" is not a duration; write it like 3s, 10m or 1d10h30m',
    "jobs --wait 90": "add a unit, as in 90s",
    "jobs --wait -5s": "a duration cannot be negative",
    "jobs --lock-wait 5x": '--lock-wait 5x: "5x" is not a duration',
    "jobs --format xml": "'xml' is not one of 'text', 'jsonl'",
    "jobs --results nowhere/results.jsonl": "--results nowhere/results.jsonl cannot be written: no such file",
    "jobs --results .": "is a directory",
    "jobs --run-key ": "--run-key is empty",
    "jobs --run-key \x1b[31m": "--run-key holds a line break, another control character",
    "jobs --run-key \udcff": "or bytes that are not UTF-8",
    "jobs --var a": "--var a needs a name and a value: --var NAME=VALUE",
    "jobs --var =a": "--var =a needs a name and a value",
    "jobs --var a=\udcff": "--var holds bytes that are not UTF-8",
    "jobs --environment production": "there is no environment production: no qstash-jobs.yaml declares any",
    "jobs --job bye": "no job matches bye",
    "jobs --job ": "--job is empty",
    "jobs --again": "--again publishes once more what was published; say which jobs with --job GLOB",
    "jobs --deliver": "--deliver goes with --local",
    "jobs --real-time": "--real-time goes with --local",
    "jobs --continue": "--continue takes paths, jobs, variables and run key from the run that it finishes",
    "--continue --run-key k": "--continue takes paths",
    "--continue --vars-file v.yaml": "--continue takes paths",
    "--continue": "so there is no run to finish",
    "--local --continue": "a local run leaves nothing to continue",
    "jobs --skip nobody": "--skip nobody: no message has this name",
    "jobs --vars-file nope.yaml": "nope.yaml cannot be read: no such file or directory",
    "jobs --vars-file jobs": "jobs is a folder, not a file",
    "jobs --secrets-dir nope": "--secrets-dir nope is not a folder",
    "jobs --secrets-dir jobs/hello.yaml": "--secrets-dir jobs/hello.yaml is not a folder",
    "jobs --no-such-option": "no such option",
    "": "say which jobs to publish: a file, a folder such as jobs/, or - for standard input",
    " ": "a PATH is empty; write . for the working directory",
    "nope.yaml": "there is no file or folder nope.yaml",
    "jobs/hello.yaml/x": "there is no file or folder jobs/hello.yaml/x",
    "a" * 5000: "cannot be read: file name too long",
    "jobs nope": "there is no file or folder nope",
    "a\x1b[31mb": r"there is no file or folder a\x1b[31mb",
}


@pytest.mark.parametrize("words", WORDS, ids=[words[:40] or "nothing" for words in WORDS])
def test_a_word_that_cannot_be_used_is_answered_before_anything_is_sent(cli, words: str) -> None:
    assert_refused(cli, cli("run", *words.split(" ")) if words else cli("run"), 2, WORDS[words])


TOKENS = {
    "": "no token: set QSTASH_TOKEN",
    "  \n": "no token: set QSTASH_TOKEN",
    "s3cret\ns3cret": "QSTASH_TOKEN holds blanks, quotes or characters that no token has",
    "s3cret\r\nX-Evil: 1": "QSTASH_TOKEN holds blanks",
    "Bearer s3cret": "without `Bearer`",
    '"s3cret"': "QSTASH_TOKEN holds blanks, quotes",
    "s3crét": "characters that no token has",
    "s3cret\udcff": "characters that no token has",
}


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_a_token_that_cannot_be_one_is_told_without_being_shown(cli, token: str) -> None:
    cli.set("QSTASH_TOKEN", token)
    answer = cli("run", "jobs")
    assert_refused(cli, answer, 4, TOKENS[token])
    assert "s3cr" not in answer.err


def test_a_token_s_line_end_is_no_part_of_it(cli) -> None:
    cli.set("QSTASH_TOKEN", f"{cli.server.token}\n")
    assert cli("run", "jobs").code == 0


ADDRESSES = {
    "garbage": "QSTASH_URL cannot be used: the address of QStash begins with https://; the default is https://qstash",
    " ": "begins with https://",
    "ftp://example.com": "begins with https://",
    "http://qstash.upstash.io": "http:// would show the token on the way to qstash.upstash.io: use https://",
    "https://": "has no host",
    "https://user:s3cret@example.com": "without user, query or fragment",
    "https://example.com?token=s3cret": "without user, query or fragment",
    "https://[::1": "has a host or a port that cannot be",
    "https://example.com:99999": "has a host or a port that cannot be",
    "https://example.com:port": "has a host or a port that cannot be",
    "http://127.0.0.1:0": "has a host or a port that cannot be",
    "https://a..b": "has a host or a port that cannot be",
    f"https://{'a' * 70}.com": "has a host or a port that cannot be",
    "https://exa mple.com": "characters that no address may have",
    "https://bücher.example": "characters that no address may have",
}


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address[:30])
def test_an_address_that_cannot_be_used_is_told_without_what_it_may_hide(cli, address: str) -> None:
    cli.set("QSTASH_URL", address)
    answer = cli("run", "jobs")
    assert_refused(cli, answer, 2, ADDRESSES[address])
    assert "s3cret" not in answer.err


def test_a_stray_path_behind_the_address_is_taken_off_with_a_warning(cli) -> None:
    cli.set("QSTASH_URL", f"{cli.server.url}/v2/publish/")
    answer = cli("run", "jobs")
    assert answer.code == 0
    assert "warning: QSTASH_URL ends in /v2/publish/, which is not part of it" in answer.err


def test_a_server_that_is_not_there_ends_the_run_with_everything_still_planned(cli) -> None:
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    answer = cli("run", "jobs")
    assert answer.code == 5
    assert "cannot reach 127.0.0.1:9: connection refused" in answer.err
    assert "planned 1 (run " in answer.err
    assert "to go on: qstash-jobs run --continue " in answer.err


LEDGERS = {
    "mysql://host/db": (2, "write sqlite:///PATH with an absolute path, or postgresql://"),
    "sqlite://relative.db": (2, "with an absolute path"),
    "relative.db": (2, "with an absolute path"),
    "sqlite:///": (2, "with an absolute path"),
    "sqlite:///:memory:": (2, "with an absolute path"),
    "sqlite:///~/ledger.db": (2, "with an absolute path"),
    "postgresql://127.0.0.1:9/db": (6, "the ledger postgresql://127.0.0.1:9/db cannot be reached"),
    "postgresql://user:s3cret@host/db": (
        2,
        "may hold no password: every process list would show it; set PGPASSWORD",
    ),
    "postgresql://host/db?password=s3cret": (2, "may hold no password"),
    "sqlite:///dev/null": (6, "the ledger /dev/null is a device, pipe or socket, not a file"),
    "sqlite:///proc/nowhere/ledger.db": (6, "the folder /proc/nowhere for the ledger cannot be made"),
    "sqlite:///WORK": (6, "is a folder, not a file"),
    "sqlite:///WORK/jobs/hello.yaml": (6, "hello.yaml is not a ledger; name another file with --ledger"),
    "sqlite:///WORK/jobs/hello.yaml/ledger.db": (6, "cannot be reached"),
    "sqlite:///WORK/empty.db": (6, "is an empty file, so what it knew is lost"),
    "sqlite:///WORK/link.db": (6, "is a symbolic link, not a file"),
}


@pytest.mark.parametrize("command", ["run jobs", "plan jobs", "runs", "status", "run --continue"])
@pytest.mark.parametrize("address", LEDGERS)
def test_a_ledger_that_cannot_be_used_is_never_replaced_by_another(cli, address: str, command: str) -> None:
    cli.write("empty.db", "")
    (cli.folder / "link.db").symlink_to("nowhere.db")
    code, sentence = LEDGERS[address]
    answer = cli(*command.split(), "--ledger", address.replace("/WORK", str(cli.folder)))
    if answer.code == 0:  # a plan, or a look, where there is no ledger yet
        assert command == "plan jobs"
        assert "/proc" in address or "hello.yaml/" in address
        return
    if "there is no ledger at" in answer.err:
        code, sentence = 2, "there is no ledger at"
    assert_refused(cli, answer, code, sentence)
    assert "s3cret" not in answer.err


def test_looking_at_runs_that_never_were_makes_no_ledger(cli) -> None:
    for command in (["runs"], ["show", "x"], ["status"], ["run", "--continue"], ["plan", "jobs"]):
        cli(*command)
    assert not cli.ledger.parent.exists()


def test_a_pipe_a_device_and_a_loop_are_no_job_files(cli) -> None:
    os.mkfifo(cli.folder / "pipe.yaml")
    (cli.folder / "loop.yaml").symlink_to("loop.yaml")
    (cli.folder / "lost.yaml").symlink_to("nowhere.yaml")
    for path, sentence in {
        "pipe.yaml": "pipe.yaml is a pipe, a device or a socket, not a file",
        "/dev/zero": "/dev/zero is a pipe, a device or a socket, not a file",
        "loop.yaml": "loop.yaml cannot be read: too many levels of symbolic links",
        "lost.yaml": "lost.yaml is a link that leads nowhere",
        ".": "pipe.yaml is a pipe",
    }.items():
        (cli.folder / "loop.yaml").unlink(missing_ok=True) if path == "." else None
        (cli.folder / "lost.yaml").unlink(missing_ok=True) if path == "." else None
        assert_refused(cli, cli("run", path), 2, sentence)


def test_a_folder_that_leads_into_itself_is_read_once(cli) -> None:
    (cli.folder / "jobs" / "again").symlink_to("../jobs")
    assert "no problems in 1 file: 1 job" in cli("validate", "jobs").err


def test_the_project_file_is_no_job_file(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: a\n")
    assert_refused(cli, cli("run", "qstash-jobs.yaml"), 2, "qstash-jobs.yaml is the project file")


def test_two_files_that_would_name_their_jobs_alike_are_refused(cli) -> None:
    cli.write("jobs/hello.yml", HELLO)
    assert_refused(cli, cli("run", "jobs"), 2, "would give their jobs the same names; rename one of them")


def test_two_projects_are_refused(cli) -> None:
    for name in ("one", "two"):
        cli.write(f"{name}/qstash-jobs.yaml", f"project: {name}\n")
        cli.write(f"{name}/job.yaml", HELLO)
    assert_refused(cli, cli("run", "one", "two"), 2, "belong to two projects, one and two")


PROJECTS = {
    "quota: huge\n": "`quota` cannot be `huge`",
    "x\n": "this file must be a mapping",
    "defaults: {retrys: 3}\n": "did you mean `retries`?",
    "vars: {a: '${{ vars.b }}'}\n": "`vars.b` cannot be used in `vars`",
    "vars: {a: '${{ secrets.B }}'}\n": "`secrets.B` cannot be used in `vars`",
    "bad: [": "qstash-jobs.yaml:",
}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_broken_project_file_is_the_one_thing_that_is_told(cli, project: str) -> None:
    cli.write("qstash-jobs.yaml", project)
    cli.write("jobs/hello.yaml", "url: ${{ vars.api }}/x\n")
    answer = cli("run", "jobs")
    assert_refused(cli, answer, 2, PROJECTS[project])
    if "vars" not in project:
        assert "vars.api" not in answer.err


def test_a_project_file_that_cannot_be_read_does_not_make_another_project(cli) -> None:
    for break_it in (lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("nowhere")):
        path = cli.folder / "qstash-jobs.yaml"
        break_it(path)
        assert_refused(cli, cli("run", "jobs"), 2, "qstash-jobs.yaml ")
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_broken_project_file_keeps_other_commands_from_looking_into_the_wrong_ledger(cli) -> None:
    cli.write("qstash-jobs.yaml", "ledger: [")
    for command in (["runs"], ["status"], ["show", "x"], ["run", "--continue"]):
        assert_refused(cli, cli(*command), 2, "mend the project file first")


def test_an_address_of_the_project_file_is_not_blamed_on_the_environment(cli) -> None:
    cli.write("qstash-jobs.yaml", "url: http://example.com\n")
    cli.set("QSTASH_URL", None)
    assert_refused(cli, cli("run", "jobs"), 2, "the project file's url cannot be used: http:// would show")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["show", ""], "RUN|MESSAGE is empty"),
        (["show", "\udcff"], "bytes that are not UTF-8"),
        (["show", "zz"], "the ledger knows no run and no message zz; see qstash-jobs runs"),
        (["show", "zz", "--run", "nope"], "no run begins with nope"),
        (["show", "msg_nope"], "no run and no message msg_nope"),
        (["show", "qj-zz"], "no run and no message qj-zz"),
        (["status", "zz"], "the ledger knows no run and no message zz"),
        (["status", "a\nb"], "a control character"),
        (["status", "--wait", "1x"], '--wait 1x: "1x" is not a duration'),
        (["run", "--continue", "zz"], "no run begins with zz; see qstash-jobs runs"),
        (["runs", "--limit", "0"], "0 is not in the range"),
        (["explain", "retrys"], "there is no field or rule retrys; did you mean retries?"),
        (["explain", "\x1b[31m"], r"there is no field or rule \x1b[31m"),
        (["schema", "extra"], "got unexpected extra argument"),
        (["bogus"], "no such command 'bogus'; see qstash-jobs --help"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else "",
)
def test_a_question_that_has_no_answer_says_so(cli, command: list[str], sentence: str) -> None:
    cli("run", "jobs")
    answer = cli(*command)
    assert answer.code == 2
    assert sentence in answer.err
    assert answer.out == ""


def test_nothing_is_asked_without_a_path_but_a_local_run_says_where_it_looked(cli) -> None:
    cli.folder.joinpath("jobs", "hello.yaml").unlink()
    cli.folder.joinpath("jobs").rmdir()
    for command in (["validate"], ["plan"], ["run", "--local"]):
        assert_refused(cli, cli(*command), 2, "there is no folder jobs/ here; name a file or a folder")


def test_a_working_directory_that_is_gone_is_told(cli) -> None:
    gone = cli.folder / "gone"
    gone.mkdir()
    cli.monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["run", "x"], ["validate"], ["runs"], ["status"]):
        assert_refused(cli, cli(*command), 2, "the working directory is not there any more")
    cli.monkeypatch.chdir(cli.folder)


def test_what_may_not_be_read_is_told_and_not_left_out(cli) -> None:
    path = cli.write("jobs/below/secret.yaml", HELLO)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    assert_refused(cli, cli("run", "jobs"), 2, "jobs/below/secret.yaml cannot be read: permission denied")
    path.parent.chmod(0)
    assert_refused(cli, cli("run", "jobs"), 2, "cannot be read: permission denied")
    assert_refused(cli, cli("run", "jobs/below/secret.yaml"), 2, "cannot be read: permission denied")
    path.parent.chmod(0o700)


def test_a_secret_that_cannot_be_read_is_told_and_not_shown(cli) -> None:
    cli.write("jobs/hello.yaml", HELLO + 'headers: {Authorization: "Bearer ${{ secrets.API_KEY }}"}\n')
    folder = Path("secrets.d")
    for content, sentence in {
        b"s3cret" * 20_000: "secrets.d/API_KEY is too large for a secret: over 65,536 bytes",
        b"s3cret\xff\xfe": "the secret secrets.d/API_KEY is not text in UTF-8",
        b"": "the secret `API_KEY` is not set",
        b"\n": "the secret `API_KEY` is not set",
        b"s3cret\ns3cret": "the value holds a line break",
    }.items():
        cli.write("secrets.d/API_KEY", content)
        answer = cli("run", "jobs", "--secrets-dir", folder)
        assert_refused(cli, answer, 2, sentence)
        assert "s3cret" not in answer.err
        assert "0xff" not in answer.err
    cli.write("secrets.d/API_KEY", "s3cret\n")
    assert cli("run", "jobs", "--secrets-dir", folder).code == 0
    assert dict(cli.sent[0].headers)["Upstash-Forward-Authorization"] == "Bearer s3cret"
