"""What `apply` asks on a terminal, and what it holds to: a plan that was kept, a second word for many deletions."""

import json
from collections.abc import Callable

import pytest
from qstash import QStash
from terminal_talk import talk

ONE = "schedules: {nightly: {cron: '0 4 * * *', url: https://example.com/nightly}}\n"
USER_2 = "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9"


@pytest.fixture
def sdk(cli):
    cli.write("qstash-jobs.yaml", "project: billing\n")
    cli.write("jobs/a.yaml", ONE)
    client = QStash(cli.server.token, base_url=cli.server.url)
    yield client
    client.http._client.close()


@pytest.mark.parametrize(
    ("typed", "code", "made"),
    [
        (b"y\n", 0, 1),
        (b"YES\n", 0, 1),
        (b"n\n", 0, 0),
        (b"\n", 0, 0),
        (b"x\n", 0, 0),
        (b"\x04", 0, 0),
        (None, 130, 0),
    ],
    ids=["y", "yes", "n", "enter", "x", "eof", "ctrl-c"],
)
def test_somebody_at_a_terminal_is_asked_and_only_a_yes_changes_anything(sdk, typed, code, made):
    ending, seen = talk("apply", "jobs", typed=typed)
    assert ending == code, seen
    assert "would create 1 in the account" in seen
    assert "apply 1 change to 127.0.0.1" in seen
    assert len(sdk.schedule.list()) == made
    assert made or "nothing was changed" in seen or typed is None


def test_what_changes_while_somebody_thinks_is_not_written_over(cli, sdk):
    cli.write("jobs/a.yaml", "queues: {q: {parallelism: 3}}\n")

    def change() -> None:
        sdk.queue.upsert("q", parallelism=7, paused=True)

    ending, seen = talk("apply", "jobs", typed=b"y\n", before=change)
    assert ending == 2, seen
    assert "the account was changed in the meantime; nothing was applied" in seen
    assert sdk.queue.get("q").parallelism == 7


def damage(**fields: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | fields).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[: len(data) // 2], "it is no plan that `plan --out` wrote"),
        (lambda data: b"", "it is no plan that `plan --out` wrote"),
        (lambda data: b"\xff" + data, "it is no plan that `plan --out` wrote"),
        (damage(qstash_jobs_plan=0), "another version of qstash-jobs wrote it; plan again"),
        (damage(changes=None), "it is no plan that `plan --out` wrote"),
        (damage(checksum="0" * 12), "the file that it was kept in"),
        (damage(target="127.0.0.1:1"), "this plan was made for 127.0.0.1:1"),
    ],
)
def test_a_plan_whose_file_is_not_as_it_was_written_is_not_applied(cli, sdk, change, said):
    assert cli("plan", "jobs", "--out", "plan.json").code == 0
    path = cli.folder / "plan.json"
    path.write_bytes(change(path.read_bytes()))
    answer = cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert said in answer.err
    assert sdk.schedule.list() == []


def test_a_plan_of_an_account_that_has_become_another_is_not_applied(cli, sdk):
    assert cli("apply", "jobs", "--yes").code == 0
    cli.write("jobs/a.yaml", ONE.replace("0 4", "0 5"))
    assert cli("plan", "jobs", "--out", "plan.json").code == 0
    sdk.schedule.create(
        destination="https://example.com/nightly",
        cron="0 9 * * *",
        schedule_id="billing-nightly",
        label=sdk.schedule.get("billing-nightly").label,
    )
    answer = cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "schedule billing-nightly is to change in another way than was planned" in answer.err
    assert sdk.schedule.get("billing-nightly").cron == "0 9 * * *"


def test_a_plan_is_of_one_account_and_of_one_secret(cli, sdk):
    cli.write("jobs/a.yaml", ONE.replace("nightly}}", "nightly, headers: {X-Key: '${{ secrets.KEY }}'}}}"))
    cli.set("KEY", "first-secret")
    assert cli("apply", "jobs", "--yes").code == 0
    assert cli("plan", "jobs", "--out", "plan.json").code == 0
    cli.set("KEY", "second-secret")
    answer = cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "schedule billing-nightly is to change now (update), and was not" in answer.err
    assert "secret" not in answer.err.replace("secrets.", "")
    cli.set("KEY", "first-secret")
    cli.set("QSTASH_TOKEN", USER_2)
    answer = cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "account testUser1" in answer.err


def declare(*keys: object) -> str:
    schedules = {f"s{key}": {"cron": "0 4 * * *", "url": "https://example.com"} for key in keys}
    return json.dumps({"schedules": schedules, "queues": {}})


@pytest.mark.parametrize(
    ("whole", "gone", "refused"), [(3, 3, False), (4, 4, True), (13, 3, False), (13, 4, True), (14, 4, False)]
)
def test_more_than_three_that_are_more_than_three_tenths_need_a_second_word(cli, sdk, whole, gone, refused):
    cli.write("jobs/a.yaml", declare(*range(whole)))
    assert cli("apply", "jobs", "--yes").code == 0
    # what is made in the same apply does not make the share smaller
    cli.write("jobs/a.yaml", declare(*range(gone, whole), *(f"new{n}" for n in range(20))))
    answer = cli("apply", "jobs", "--yes", "--prune")
    assert answer.code == (2 if refused else 0), answer.err
    assert len(sdk.schedule.list()) == (whole if refused else whole - gone + 20)
    if refused:
        assert f"{gone} of {whole} that this project has would be deleted" in answer.err
        assert cli("apply", "jobs", "--yes", "--prune", "--force").code == 0
        assert len(sdk.schedule.list()) == whole - gone + 20


@pytest.mark.parametrize(
    "text",
    [
        "schedules: {other: {cron: [\n",
        "schedules:\n\t- x\n",
        "\xff",
        "schedules: {a: {cron: '* * * * *', urll: x}}\n",
    ],
)
def test_nothing_is_pruned_where_a_file_cannot_be_read(cli, sdk, text):
    assert cli("apply", "jobs", "--yes").code == 0
    cli.write("jobs/a.yaml", "queues: {}\nschedules: {}\n")
    cli.write("jobs/b.yaml", text.encode("latin-1"))
    answer = cli("apply", "jobs", "--yes", "--prune", "--force")
    assert answer.code == 2
    assert "jobs/b.yaml" in answer.err
    assert len(sdk.schedule.list()) == 1


def test_a_file_that_leads_nowhere_keeps_a_prune_from_deleting(cli, sdk):
    assert cli("apply", "jobs", "--yes").code == 0
    cli.write("jobs/a.yaml", "queues: {}\nschedules: {}\n")
    (cli.folder / "more").mkdir()
    (cli.folder / "more" / "b.yaml").symlink_to("gone.yaml")
    answer = cli("apply", "jobs", "--yes", "--prune", "--force")
    assert answer.code == 2
    assert "more/b.yaml" in answer.err
    assert len(sdk.schedule.list()) == 1
