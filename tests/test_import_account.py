"""`import` of a live account: a plan finds what it wrote unchanged, and what it could not say is told by name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from live_account import LiveAccount, accounts, call
from qstash import QStash

from qstash_jobs.local import start_server


@contextmanager
def connect(server) -> Iterator[QStash]:
    client = QStash(server.token, base_url=server.url)
    try:
        yield client
    finally:
        client.http._client.close()


@pytest.fixture
def sdk(cli) -> Iterator[QStash]:
    cli.write("qstash-jobs.yaml", "project: billing\n")
    with connect(cli.server) as client:
        yield client


def set_secrets(cli, account: LiveAccount, text: str) -> None:
    """Set the secrets that a job file looks up, to what the account was made with."""
    for key, fields in (yaml.safe_load(text).get("schedules") or {}).items():
        id_ = fields.get("schedule_id", key)
        places = {"body": fields.get("body"), **(fields.get("headers") or {})}
        for place, value in places.items():
            found = re.fullmatch(r"\$\{\{ secrets\.(\w+) \}\}", str(value))
            if found is not None and "redact" in account.schedules[id_]:
                cli.set(found[1], account.secret_of(id_, place))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accounts())
def test_whatever_an_account_holds_a_plan_finds_its_import_unchanged(cli, account):
    with start_server() as server, connect(server) as client:
        cli.use(server)
        account.make(client)
        cli.write(
            "qstash-jobs.yaml", "project: billing\ndefaults: {retries: 9, headers: {X-D: d}, delay: 2s}\n"
        )
        cli.write("jobs/.keep", "")
        imported = cli("import", "--out", "jobs/account.yaml", "--force")
        assert imported.code == 0, imported.err
        assert "left out" not in imported.err
        path = cli.folder / "jobs/account.yaml"
        text = path.read_text() if path.exists() else "schedules: {}\n"
        path.write_text(text)
        validated = cli("validate", "jobs")
        assert validated.code == 0, validated.err
        unset = cli("plan", "jobs", "--exit-code")
        assert unset.code == 0, unset.out + unset.err
        set_secrets(cli, account, text)
        planned = cli("plan", "jobs", "--exit-code")
        assert planned.code == 0, planned.out + planned.err
        assert "not compared" not in planned.out
        path.unlink()


def imported(cli, *options):
    """Import into jobs/account.yaml, and plan it; give what was written and what was said."""
    answer = cli("import", "--out", "jobs/account.yaml", *options)
    assert answer.code == 0, answer.err
    planned = cli("plan", "jobs", "--exit-code")
    assert planned.code == 0, planned.out + planned.err
    return yaml.safe_load((cli.folder / "jobs/account.yaml").read_text()), answer.err


NIGHTLY = {"destination": "https://api.example.com/nightly", "cron": "0 4 * * *"}


def test_a_schedule_keeps_its_id_and_is_called_after_what_it_calls_where_the_service_named_it(cli, sdk):
    made = sdk.schedule.create(**NIGHTLY)
    sdk.schedule.create(**NIGHTLY, schedule_id="report.v2")
    written, _ = imported(cli)
    assert {key: fields["schedule_id"] for key, fields in written["schedules"].items()} == {
        "nightly": made,
        "report.v2": "report.v2",
    }


def test_the_same_account_gives_the_same_file_whatever_the_order_of_its_making(cli, sdk):
    names = ["b", "a", "c"]
    for name in names:
        sdk.schedule.create(**NIGHTLY, schedule_id=name)
        sdk.queue.upsert(name, parallelism=1)
    first = cli("import").out
    for name in names:
        sdk.schedule.delete(name)
        sdk.queue.delete(name)
    for name in reversed(names):
        sdk.schedule.create(**NIGHTLY, schedule_id=name)
        sdk.queue.upsert(name, parallelism=1)
    assert cli("import").out == first


def test_what_is_hidden_is_a_secret_to_be_set_and_one_value_is_one_secret(cli, sdk):
    for name in ("one", "two"):
        sdk.schedule.create(
            **NIGHTLY, schedule_id=name, headers={"X-Key": "hush hush"}, redact={"header": ["X-Key"]}
        )
    written, said = imported(cli)
    assert [fields["headers"] for fields in written["schedules"].values()] == [
        {"X-Key": "${{ secrets.ONE_X_KEY }}"}
    ] * 2
    assert "to be set, since QStash hides the values: ONE_X_KEY\n" in said
    assert (cli.folder / "jobs/account.yaml").read_text().count(
        "# hidden: QStash gives only its SHA-256"
    ) == 2
    cli.set("ONE_X_KEY", "hush hush")
    assert cli("plan", "jobs", "--exit-code").code == 0
    cli.set("ONE_X_KEY", "another")
    assert cli("plan", "jobs", "--exit-code").code == 8


def test_what_other_files_declare_is_left_to_them_and_a_schedule_of_the_project_gets_its_key_back(cli, sdk):
    cli.write(
        "jobs/own.yaml", "schedules: {s: {cron: '0 4 * * *', url: https://example.com}}\nqueues: {q: {}}\n"
    )
    assert cli("apply", "jobs", "--yes").code == 0
    sdk.schedule.create(**NIGHTLY, schedule_id="theirs")
    written, said = imported(cli)
    assert list(written) == ["schedules"]
    assert list(written["schedules"]) == ["theirs"]
    assert "left to the files that declare it already: 2\n" in said
    (cli.folder / "jobs/own.yaml").unlink()
    written, _ = imported(cli, "--force")
    assert "schedule_id" not in written["schedules"]["s"]
    assert list(written["queues"]) == ["q"]


def test_a_schedule_of_the_project_whose_settings_are_not_given_back_is_left_out_and_said(cli, sdk):
    hidden = "callback: {url: https://example.com/cb, retries: 1}"
    fields = f"cron: '0 4 * * *', url: https://example.com, {hidden}"
    cli.write("jobs/own.yaml", "schedules: {s: {" + fields + "}}\n")
    assert cli("apply", "jobs", "--yes").code == 0
    (cli.folder / "jobs/own.yaml").unlink()
    answer = cli("import")
    assert answer.code == 0
    assert (
        "left out: schedule s; this project made it, with settings that QStash does not give back"
        in answer.err
    )


@pytest.mark.parametrize(
    ("id_", "header"), [("qstash", "X-Token"), ("actions", "X-A"), ("1", "A"), ("_", "--")]
)
def test_a_secret_has_a_name_that_may_be_looked_up_whatever_it_is_called_after(cli, sdk, id_, header):
    sdk.schedule.create(
        **NIGHTLY, schedule_id=id_, headers={header: "hush hush"}, redact={"header": [header]}
    )
    _, said = imported(cli)
    assert "left out" not in said
    [name] = re.findall(r"secrets\.(\w+)", (cli.folder / "jobs/account.yaml").read_text())
    cli.set(name, "hush hush")
    assert "not compared" not in cli("plan", "jobs", "--exit-code").out


OWN = {
    "nothing more": "",
    "retries": "retries: 3",
    "a hidden header": "headers: {X-A: '${{ secrets.A_KEY }}', X-B: b}",
    "hidden headers, each by its name": "headers: {X-A: '${{ secrets.A_KEY }}', X-B: '${{ secrets.A_KEY }}'}",
    "all headers hidden": "headers: {X-A: a, X-B: b}, redact: {headers: true}",
    "a hidden body": "body: '${{ secrets.A_KEY }}', retries: 0",
    "a body without a type": "body: text, content_type: none",
    "a type without a body": "content_type: text/html",
    "timing": "timeout: 20s, delay: 1m, retry_delay: '1000 * (1 + retried)'",
    "callbacks": "callback: https://example.com/c, failure_callback: {url: https://example.com/f, headers: {X-C: c}}",
    "a queue": "queue: invoices, labels: [b, a]",
    "flow control": "flow_control: {key: k, rate: 2, period: 1m}",
    "a pause": "enabled: false",
}


@pytest.mark.parametrize("said", OWN.values(), ids=OWN.keys())
def test_what_the_project_made_and_lost_the_file_of_comes_back_as_it_was_made(cli, sdk, said):
    cli.set("A_KEY", "hush hush")
    fields = ", ".join(filter(None, ["cron: '0 4 * * *'", "url: https://example.com", said]))
    cli.write("jobs/own.yaml", "schedules: {s: {" + fields + "}}\n")
    assert cli("apply", "jobs", "--yes").code == 0
    (cli.folder / "jobs/own.yaml").unlink()
    written, err = imported(cli)
    assert "left out" not in err
    assert "schedule_id" not in written["schedules"]["s"]
    shown = {"S_X_A": "a", "S_X_B": "b"} if "headers: true" in said else {}
    for name in re.findall(r"secrets\.(\w+)", (cli.folder / "jobs/account.yaml").read_text()):
        cli.set(name, shown.get(name, "hush hush"))
    assert cli("plan", "jobs", "--exit-code").code == 0


def test_a_file_that_is_out_of_order_is_named_since_it_may_declare_the_same(cli, sdk):
    sdk.schedule.create(**NIGHTLY, schedule_id="theirs")
    cli.write("jobs/broken.yaml", "schedules: {x: {cron: [\n")
    answer = cli("import")
    assert "not in order, so what it declares may be here too: jobs/broken.yaml" in answer.err
    assert "theirs" in answer.out


def test_what_another_project_keeps_as_code_is_left_out_unless_it_is_to_be_taken_over(cli, sdk):
    theirs = "schedules: {s: {cron: '0 4 * * *', url: https://example.com}}\n"
    cli.write("qstash-jobs.yaml", "project: shop\n")
    assert cli("apply", cli.write("theirs.yaml", theirs), "--yes").code == 0
    (cli.folder / "theirs.yaml").unlink()
    cli.write("qstash-jobs.yaml", "project: billing\n")
    left = cli("import")
    assert "left out: schedule shop-s; another project keeps it as code" in left.err
    written, said = imported(cli, "--take-over")
    assert written["schedules"]["shop-s"]["schedule_id"] == "shop-s"
    assert "schedule shop-s: another project keeps it as code" in said
    # planned as unchanged, and not claimed: with its file gone it is nobody's of this project
    (cli.folder / "jobs/account.yaml").write_text("queues: {}\nschedules: {}\n")
    assert cli("apply", "jobs", "--yes", "--prune", "--force").code == 0
    assert [one.schedule_id for one in sdk.schedule.list()] == ["shop-s"]


def test_what_cannot_be_said_is_named_with_the_reason_in_the_file_and_on_stderr(cli, sdk):
    sdk.schedule.create(
        **NIGHTLY, schedule_id="fine", callback="https://example.com/cb", headers={"Cookie": "a"}
    )
    sdk.schedule.create(**NIGHTLY, schedule_id="odd", body="no JSON", content_type="application/json")
    sdk.schedule.create(**NIGHTLY | {"cron": "@daily"}, schedule_id="word")
    sdk.queue.upsert("_q", parallelism=1)
    call(sdk, "POST", "/v2/flowControl/key/pin?parallelism=2")
    call(sdk, "POST", "/v2/flowControl/key/pause")
    written, said = imported(cli)
    text = (cli.folder / "jobs/account.yaml").read_text()
    assert list(written["schedules"]) == ["fine"]
    for what in ("left out: schedule odd", "left out: schedule word", "left out: queue _q"):
        assert what in said
        assert f"# {what}" in text
    for what in (
        "schedule fine: of callbacks QStash gives back neither method",
        "schedule fine: its Cookie stands here in the open",
        "flow control key: it is paused, which no file can say",
    ):
        assert what in said
        assert f"# {what.partition(': ')[2]}" in text


def test_headers_of_callbacks_are_taken_over(cli, sdk):
    sdk.schedule.create(
        **NIGHTLY, schedule_id="s", callback="https://example.com/cb", callback_headers={"Forward-X-One": "1"}
    )
    written, _ = imported(cli)
    assert written["schedules"]["s"]["callback"] == {
        "url": "https://example.com/cb",
        "headers": {"X-One": "1"},
    }


def test_a_long_or_binary_body_lies_beside_the_file_and_is_written_over_only_with_force(cli, sdk):
    sdk.schedule.create(**NIGHTLY, schedule_id="long", body="${{ é }}" * 1000)
    sdk.schedule.create(**NIGHTLY, schedule_id="bytes", body=b"\xff\x00" * 1000)
    written, _ = imported(cli)
    assert {key: fields["body_file"] for key, fields in written["schedules"].items()} == {
        "bytes": "account-bodies/bytes.bin",
        "long": "account-bodies/long.txt",
    }
    assert (cli.folder / "jobs/account-bodies/bytes.bin").read_bytes() == b"\xff\x00" * 1000
    (cli.folder / "jobs/account.yaml").unlink()
    answer = cli("import", "--out", "jobs/account.yaml")
    assert answer.code == 2
    assert "jobs/account-bodies/bytes.bin is there already" in answer.err
    assert not (cli.folder / "jobs/account.yaml").exists()
    imported(cli, "--force")
    cli.write("jobs/account.yaml", "{}")
    assert "body_file" not in cli("import").out


def test_a_file_that_is_there_stays_as_it_was_and_is_told_before_the_account_is_asked(cli, sdk):
    sdk.schedule.create(**NIGHTLY)
    path = cli.write("jobs/account.yaml", "jobs: {}\n")
    before = len(cli.server.requests())
    answer = cli("import", "--out", "jobs/account.yaml")
    assert (answer.code, path.read_text()) == (2, "jobs: {}\n")
    assert "jobs/account.yaml is there already" in answer.err
    assert len(cli.server.requests()) == before


def test_an_empty_account_leaves_no_file(cli, sdk):
    answer = cli("import", "--out", "jobs/account.yaml")
    assert answer.code == 0
    assert "drafted nothing" in answer.err
    assert not (cli.folder / "jobs").exists()
    assert yaml.safe_load(cli("import").out) == {"schedules": {}}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["crontab"], 2, "say what crontab is: --from crontab, vercel or github"),
        (["--url", "https://example.com"], 2, "--url goes with --from crontab or github"),
        (["--from", "crontab"], 2, "name the file that --from crontab is to read"),
        (["--from", "crontab", "-", "--take-over"], 2, "--take-over is for what the account holds"),
        (["--out", "../elsewhere.yaml"], 2, "is outside the project"),
        (["--out", "qstash-jobs.yaml", "--force"], 2, "is the name of a project file"),
    ],
)
def test_words_that_say_nothing_together_are_refused(cli, sdk, words, code, said):
    answer = cli("import", *words)
    assert answer.code == code
    assert said in answer.err


def test_an_endpoints_name_may_be_anything(cli, sdk):
    names = ["n\u202e\n: # 😀", "x" * 2000, "? a", "${{ secrets.X }}", "true"]
    ends = [{"name": name, "url": f"https://{number}.example.com/"} for number, name in enumerate(names)]
    sdk.url_group.upsert_endpoints("g", ends)
    written, said = imported(cli)
    assert list(written["url_groups"]["g"]["endpoints"]) == names
    assert "left out" not in said


def test_an_environment_has_to_be_chosen_and_its_defaults_are_taken_away(cli, sdk):
    environments = "environments: {prod: {defaults: {retries: 7, headers: {X-A: b}}}, dev: {}}\n"
    cli.write("qstash-jobs.yaml", f"project: billing\n{environments}")
    sdk.schedule.create(**NIGHTLY, schedule_id="s")
    answer = cli("import")
    assert answer.code == 2
    assert "say which account to write down: --environment prod or --environment dev" in answer.err
    answer = cli("import", "--environment", "prod", "--out", "jobs/a.yaml")
    assert answer.code == 0
    assert "next: qstash-jobs plan jobs/a.yaml --environment prod\n" in answer.err
    assert cli("plan", "jobs", "--environment", "prod", "--exit-code").code == 0


def test_a_refused_token_a_service_that_is_down_and_a_project_without_a_name_write_nothing(cli, sdk):
    cli.set("QSTASH_TOKEN", "nobody")
    assert cli("import", "--out", "a.yaml").code == 4
    cli.set("QSTASH_TOKEN", cli.server.token)
    cli.server.add_fault("error", status=503, on=["topics"], times="always")
    assert cli("import", "--out", "a.yaml").code == 5
    (cli.folder / "qstash-jobs.yaml").unlink()
    answer = cli("import", "--out", "a.yaml")
    assert answer.code == 2
    assert "write `project: NAME` into qstash-jobs.yaml" in answer.err
    assert not (cli.folder / "a.yaml").exists()
