"""What the pages promise of settings, paths and patterns: the option, its variable, the project file, the default."""

import json
import re

import click
import pytest
from doc_blocks import DOCS

from qstash_jobs.cli.main import COMMANDS, group

HELLO = "url: https://api.example.com/hello\n"

CONTEXT = click.Context(group)
OPTIONS = [
    (name, option)
    for name in COMMANDS
    for option in group.get_command(CONTEXT, name).params
    if isinstance(option, click.Option)
]


def test_every_option_has_its_variable_or_is_named_as_one_that_has_none() -> None:
    [sentence] = re.findall(
        r"No variable says ([^|]*?), what chooses ", (DOCS / "command-line.md").read_text()
    )
    without = set(re.findall(r"--[a-z-]+", sentence))
    found = set()
    for command, option in OPTIONS:
        word = max(option.opts, key=len)
        if option.envvar is None and command not in ("runs", "show", "dev"):
            found.add(word)
        elif option.envvar is None:
            assert word not in ("--ledger", "--environment", "--env-file", "--format")
        else:
            assert option.envvar == "QSTASH_JOBS_" + word[2:].replace("-", "_").upper(), command
    assert found == without


def test_every_command_that_asks_the_ledger_takes_an_env_file() -> None:
    words = {
        command: {word for name, option in OPTIONS if name == command for word in option.opts}
        for command in COMMANDS
    }
    assert {
        name for name, known in words.items() if "--ledger" in known and "--env-file" not in known
    } == set()


def test_an_option_wins_over_its_variable_that_over_the_project_file(cli) -> None:
    cli.write("hello.yaml", HELLO)
    folder = cli.folder.parent
    cli.write("qstash-jobs.yaml", f"ledger: sqlite://{folder}/project.db\n")
    cli.set("XDG_STATE_HOME", str(folder / "state-home"))
    for variable, option, used in (
        ("variable.db", "option.db", "option.db"),
        ("variable.db", None, "variable.db"),
        (None, None, "project.db"),
    ):
        cli.set("QSTASH_JOBS_LEDGER", f"sqlite://{folder}/{variable}" if variable else None)
        words = ("--ledger", f"sqlite://{folder}/{option}") if option else ()
        assert cli("run", "hello.yaml", *words).code == 0
        assert (folder / used).is_file()
        (folder / used).unlink()
    cli.write("qstash-jobs.yaml", "")
    assert cli("run", "hello.yaml").code == 0
    assert (folder / "state-home" / "qstash-jobs" / "ledger.db").is_file()


def test_token_and_address_come_from_the_environment_else_from_the_service_manager(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli.write("qstash-jobs.yaml", "url: https://qstash.invalid\n")
    cli.set("QSTASH_TOKEN", None)
    cli.set("QSTASH_URL", None)
    credentials = cli.folder.parent / "credentials"
    cli.set("CREDENTIALS_DIRECTORY", str(credentials))
    cli.write("../credentials/QSTASH_TOKEN", f"{cli.server.token}\n")
    cli.write("../credentials/QSTASH_URL", f"{cli.server.url}\n")
    cli.write("e.env", "QSTASH_URL=https://elsewhere.invalid\nQSTASH_TOKEN=none\n")
    assert cli("run", "hello.yaml", "--env-file", "e.env").code == 0
    assert len(cli.sent) == 1
    (credentials / "QSTASH_URL").unlink()
    assert "no such host elsewhere.invalid" in cli("run", "hello.yaml", "--env-file", "e.env").err
    assert "no such host qstash.invalid" in cli("run", "hello.yaml").err
    cli.set("QSTASH_URL", cli.server.url)
    assert cli("run", "hello.yaml").code == 0


@pytest.mark.parametrize(
    ("variable", "value", "words", "code"),
    [
        ("QSTASH_JOBS_WAIT", "1s", ("run", "a.yaml"), 0),
        ("QSTASH_JOBS_WAIT", "soon", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_LOCK_WAIT", "later", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_FORMAT", "jsonl", ("run", "a.yaml"), 0),
        ("QSTASH_JOBS_FORMAT", "nonsense", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_JOB", "one two", ("run", "a.yaml"), 0),
        ("QSTASH_JOBS_JOB", "one nope", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_LIMIT", "0", ("runs",), 2),
        ("QSTASH_JOBS_MAX_MESSAGES", "1", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_REAL_TIME", "1", ("run", "a.yaml"), 2),
        ("QSTASH_JOBS_YES", "1", ("run", "a.yaml"), 0),
        ("QSTASH_JOBS_AGAIN", "1", ("run", "a.yaml"), 0),
    ],
)
def test_a_variable_is_held_to_what_its_option_is_held_to(cli, variable, value, words, code: int) -> None:
    cli.write(
        "a.yaml", "jobs:\n  one: {url: 'https://a.example.com'}\n  two: {url: 'https://b.example.com'}\n"
    )
    cli("run", "a.yaml")
    before = len(cli.sent)
    cli.set(variable, value)
    assert cli(*words).code == code
    assert (len(cli.sent) > before) == (code == 0)


def test_a_local_run_can_be_asked_for_by_its_variable(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli.set("QSTASH_JOBS_LOCAL", "1")
    assert cli("run", "hello.yaml").code == 0
    assert cli.sent == []


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_every_pattern_has_to_choose_something(cli, command: str) -> None:
    cli.write(
        "a.yaml", "jobs:\n  one: {url: 'https://a.example.com'}\n  two: {url: 'https://b.example.com'}\n"
    )
    answer = cli(command, "a.yaml", "--job", "one", "--job", "tow", "--job", "a:*")
    assert (answer.code, answer.err) == (2, "qstash-jobs: no job matches tow\n")
    assert cli(command, "a.yaml", "--job", "one", "--job", "a:t*").code == 0


def test_a_queue_that_the_files_declare_is_not_made_by_a_message(cli) -> None:
    cli.write(
        "a.yaml",
        f"queues: {{invoices: {{parallelism: 3}}}}\njobs: {{one: {{queue: invoices, {HELLO.strip()}}}}}\n",
    )
    answer = cli("run", "a.yaml")
    assert answer.code == 2
    assert "error: the account has no queue invoices, and QStash would make another" in answer.err
    assert cli.sent == []
    cli.server.make_queue("invoices", parallelism=3)
    assert cli("run", "a.yaml").code == 0


def test_an_account_with_many_groups_is_not_listed_whole(cli) -> None:
    for number in range(30):
        cli.server.make_group(f"group-{number:02}", {"one": "https://example.com/hook"})
    cli.write("a.yaml", "url_group: something-else-entirely\n")
    answer = cli("run", "a.yaml")
    assert answer.code == 2
    assert "hint: the account has group-00, " in answer.err
    assert "group-09 and 20 more" in answer.err


ENVIRONMENTS = """
vars: {api: https://api.example.com}
environments:
  staging: {vars: {api: https://staging.example.com}}
  production: {}
"""


def test_a_plan_without_an_environment_shows_each_in_turn(cli) -> None:
    cli.write("qstash-jobs.yaml", ENVIRONMENTS)
    cli.write("jobs/hello.yaml", "url: ${{ vars.api }}/hello\n")
    lines = [json.loads(line) for line in cli("plan", "--format", "jsonl").out.splitlines()]
    messages = [line for line in lines if "target" in line]
    assert [(one["environment"], one["target"].split("/v2/publish/")[1]) for one in messages] == [
        ("staging", "https://staging.example.com/hello"),
        ("production", "https://api.example.com/hello"),
    ]
    assert messages[0]["id"] != messages[1]["id"]
    assert [line["environment"] for line in lines if "kind" in line] == ["staging", "production"]
    text = cli("plan")
    assert [line for line in text.out.splitlines() if line.startswith("environment ")] == [
        "environment staging",
        "environment production",
    ]
    assert text.err.count("would publish 1 message of 1 job") == 2
    assert "# the environment production" in cli("plan", "--format", "curl").out
    assert "## qstash-jobs plan, `production`" in cli("plan", "--format", "markdown").out
    chosen = cli("plan", "--environment", "staging")
    assert "environment" not in chosen.out
    assert "in the environment" not in chosen.err


def test_a_plan_of_one_environment_that_is_out_of_order_keeps_no_other_from_being_shown(cli) -> None:
    cli.write("qstash-jobs.yaml", ENVIRONMENTS.replace("https://staging", "htps://staging"))
    cli.write("jobs/hello.yaml", "url: ${{ vars.api }}/hello\n")
    answer = cli("plan", "--format", "jsonl")
    assert answer.code == 2
    assert [json.loads(line)["environment"] for line in answer.out.splitlines()] == ["production"] * 2
    assert "in the environment staging:" in answer.err


def test_a_run_that_follows_at_once_says_so(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli("run", "hello.yaml")
    assert re.search(r"the last run of these jobs was (just now|\d+ s ago) \(", cli("run", "hello.yaml").err)
