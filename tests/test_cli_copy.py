"""`copy` makes one region's account hold what another's does, with the official SDK as the eye on both."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from live_account import LiveAccount, accounts, call, read_account
from qstash import QStash

from qstash_jobs.local import start_server

REGIONS = {"eu": "EU_CENTRAL_1", "us": "US_EAST_1"}
NIGHTLY: dict[str, Any] = {"destination": "https://api.example.com/nightly", "cron": "0 4 * * *"}


@dataclass(kw_only=True)
class Regions:
    """Two servers, and the command line that knows both."""

    cli: Any
    servers: dict[str, Any]
    eu: QStash
    us: QStash

    def __call__(self, *words: str):
        return self.cli("copy", "--from", "eu", "--to", "us", *words)

    def copied(self, *words: str):
        answer = self("--yes", *words)
        assert answer.code == 0, answer.err
        return answer

    @property
    def changing(self) -> list[str]:
        return [f"{one.method} {one.target}" for one in self.servers["us"].requests() if one.method != "GET"]


@contextmanager
def connect(cli) -> Iterator[Regions]:
    with start_server(record_requests=True) as eu, start_server(record_requests=True) as us:
        clients = {}
        for name, server in (("eu", eu), ("us", us)):
            cli.set(f"{REGIONS[name]}_QSTASH_URL", server.url)
            cli.set(f"{REGIONS[name]}_QSTASH_TOKEN", server.token)
            clients[name] = QStash(server.token, base_url=server.url)
        try:
            yield Regions(cli=cli, servers={"eu": eu, "us": us}, **clients)
        finally:
            for client in clients.values():
                client.http._client.close()


@pytest.fixture
def regions(cli) -> Iterator[Regions]:
    with connect(cli) as connected:
        yield connected


def set_secrets(cli, account: LiveAccount, said: str) -> None:
    """Set the secrets that a refused copy asks for, each by the name that it gives."""
    asked = said.partition("to be set, since QStash hides the values: ")[2].partition("\n")[0].split(", ")
    for id_, made in account.schedules.items():
        for place in ("body", *made.get("headers", {})):
            name = "_".join(re.findall("[A-Z0-9]+", f"{id_}_{place}".upper()))
            for one in asked:
                if one in (name, f"S_{name}"):
                    cli.set(one, account.secret_of(id_, place))


def test_an_account_is_copied_whole_and_then_nothing_is_left_to_do(regions):
    make_everything(regions.eu)
    answer = regions.copied()
    assert "would create 5 in the account" in answer.err
    assert "copy 5 changes to 127.0.0.1" in answer.err
    assert read_account(regions.us) == read_account(regions.eu)
    before = regions.changing
    again = regions.copied()
    assert (again.out, regions.changing) == ("", before)
    assert "nothing would change in the account; 5 unchanged" in again.err


def make_everything(sdk: QStash) -> None:
    sdk.url_group.upsert_endpoints("orders", [{"name": "a", "url": "https://a.example.com/"}])
    call(sdk, "PATCH", "/v2/topics/orders", {"headers": {"X-Group": "orders"}})
    sdk.queue.upsert("invoices", parallelism=3, paused=True)
    call(sdk, "POST", "/v2/flowControl/api/pin?parallelism=2&rate=5&period=60")
    sdk.schedule.create(**NIGHTLY, schedule_id="nightly", body='{"a":1}', content_type="application/json")
    sdk.schedule.create(
        destination="orders", cron="CRON_TZ=Asia/Tokyo 1 2 * * *", body=b"\xff", schedule_id="bytes"
    )
    sdk.schedule.pause("bytes")


def test_each_edit_of_the_source_is_copied_in_place(regions):
    make_everything(regions.eu)
    regions.copied()
    created = regions.us.schedule.get("nightly").created_at
    regions.eu.schedule.create(**NIGHTLY | {"cron": "0 5 * * *"}, schedule_id="nightly", retries=1)
    regions.eu.schedule.resume("bytes")
    regions.eu.queue.upsert("invoices", parallelism=4, paused=False)
    regions.eu.url_group.upsert_endpoints("orders", [{"name": "b", "url": "https://b.example.com/"}])
    regions.eu.url_group.remove_endpoints("orders", [{"name": "a"}])
    planned = regions("--dry-run", "--format", "jsonl")
    assert planned.code == 0
    waiting = {line["name"]: line for line in planned.lines if line["action"] == "update"}
    assert set(waiting) == {"nightly", "bytes", "invoices", "orders"}
    assert {one["field"] for one in waiting["nightly"]["changes"]} >= {"cron", "body", "retries"}
    assert waiting["nightly"]["file"] is None
    regions.copied()
    assert read_account(regions.us) == read_account(regions.eu)
    assert regions.us.schedule.get("nightly").created_at == created


def test_what_the_source_has_no_more_goes_only_with_the_word_and_only_where_a_copy_made_it(regions):
    for name in ("one", "two"):
        regions.eu.schedule.create(**NIGHTLY, schedule_id=name)
    regions.us.schedule.create(**NIGHTLY, schedule_id="theirs")
    regions.copied()
    regions.eu.schedule.delete("two")
    answer = regions.copied()
    assert "left alone: schedule two: not in the account that is copied" in answer.err
    regions.copied("--prune")
    assert sorted(one.schedule_id for one in regions.us.schedule.list()) == ["one", "theirs"]


def test_many_deletions_need_a_second_word(regions):
    for number in range(5):
        regions.eu.schedule.create(**NIGHTLY, schedule_id=f"s{number}")
    regions.copied()
    for number in range(5):
        regions.eu.schedule.delete(f"s{number}")
    answer = regions("--yes", "--prune")
    assert answer.code == 2
    assert "5 of 5" in answer.err
    assert len(regions.us.schedule.list()) == 5
    regions.copied("--prune", "--force")
    assert regions.us.schedule.list() == []


def test_a_schedule_of_the_same_id_that_no_copy_made_is_not_written_over_unless_it_is_said(regions):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="same")
    regions.us.schedule.create(destination="https://theirs.example.com", cron="* * * * *", schedule_id="same")
    answer = regions("--yes")
    assert answer.code == 2
    assert "schedules of the same ids, which no copy made: same; --take-over writes over them" in answer.err
    assert regions.changing == ["POST /v2/schedules/https://theirs.example.com"]
    regions.copied("--skip", "same")
    assert regions.us.schedule.get("same").destination == "https://theirs.example.com"
    regions.copied("--take-over")
    assert regions.us.schedule.get("same").destination == NIGHTLY["destination"]


def test_what_is_hidden_comes_from_a_secret_and_is_never_copied_as_its_digest(regions):
    regions.eu.schedule.create(
        **NIGHTLY,
        schedule_id="s",
        body="a secret body",
        headers={"X-Key": "hush hush"},
        redact={"body": True, "header": True},
    )
    answer = regions("--yes")
    assert answer.code == 2
    assert "cannot be copied: schedule s; the secret `S_BODY` is not set" in answer.err
    regions.cli.set("S_BODY", "a secret body")
    regions.cli.set("S_X_KEY", "wrong value")
    answer = regions("--yes")
    assert answer.code == 2
    assert (
        "cannot be copied: schedule s; a copy would differ in headers.X-Key: is the secret the right one?"
        in answer.err
    )
    assert regions.changing == []
    regions.cli.set("S_X_KEY", "hush hush")
    answer = regions.copied()
    assert "hush hush" not in answer.out + answer.err
    (sent,) = [one for one in regions.servers["us"].requests() if one.target.startswith("/v2/schedules/http")]
    assert sent.body == b"a secret body"
    assert dict(sent.headers)["Upstash-Forward-X-Key"] == "hush hush"
    assert read_account(regions.us) == read_account(regions.eu)
    assert regions.copied().out == ""


def test_what_a_project_keeps_as_code_is_its_own_in_the_other_region_too(regions):
    cli = regions.cli
    cli.write("qstash-jobs.yaml", "project: billing\n")
    cli.write("jobs/a.yaml", "schedules: {s: {cron: '0 4 * * *', url: https://example.com, body: text}}\n")
    for name in ("QSTASH_URL", "QSTASH_TOKEN"):
        server = regions.servers["eu"]
        cli.set(name, server.url if name == "QSTASH_URL" else server.token)
    assert cli("apply", "jobs", "--yes").code == 0
    regions.copied()
    cli.use(regions.servers["us"])
    assert cli("plan", "jobs", "--exit-code").code == 0
    # and where it is changed there, it is the project's
    cli.write("jobs/a.yaml", "schedules: {s: {cron: '0 5 * * *', url: https://example.com, body: text}}\n")
    assert cli("apply", "jobs", "--yes").code == 0
    assert regions("--dry-run").code == 0


def test_settings_that_are_not_given_back_are_refused_where_a_mark_tells_of_them_and_said_where_none_does(
    regions,
):
    cli = regions.cli
    cli.use(regions.servers["eu"])
    cli.write("qstash-jobs.yaml", "project: billing\n")
    hidden = "callback: {url: https://example.com/cb, retries: 1}"
    cli.write(
        "jobs/a.yaml", "schedules: {s: {cron: '0 4 * * *', url: https://example.com, " + hidden + "}}\n"
    )
    assert cli("apply", "jobs", "--yes").code == 0
    answer = regions("--yes")
    assert answer.code == 2
    assert (
        "cannot be copied: schedule billing-s; a project keeps it as code, with settings that QStash"
        in answer.err
    )
    regions.eu.schedule.create(**NIGHTLY, schedule_id="t", callback="https://example.com/cb")
    answer = regions.copied("--skip", "billing-*")
    assert "warning: schedule t: of callbacks QStash gives back URL and headers only" in answer.err


def test_what_cannot_be_said_stops_the_copy_by_name(regions):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="odd", body="no JSON", content_type="application/json")
    regions.eu.schedule.create(**NIGHTLY, schedule_id="fine")
    answer = regions("--yes")
    assert answer.code == 2
    assert "cannot be copied: schedule odd; the content type says JSON" in answer.err
    assert regions.changing == []
    regions.copied("--skip", "odd")
    assert [one.schedule_id for one in regions.us.schedule.list()] == ["fine"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--from", "eu", "--to", "eu"], 2, "both are the same account"),
        (["--from", "eu", "--to", "mars"], 2, "there is no region mars; QStash has eu (eu-central-1) and us"),
        (["--from", "eu", "--to", "US_EAST_1"], 2, "nobody can be asked whether to copy 1 change"),
        (["--from", "eu", "--to", "us", "--dry-run", "--yes"], 2, "--dry-run changes nothing"),
        (
            ["--from", "eu", "--to", "us", "--skip", "nothing"],
            2,
            "nothing in the account matches --skip nothing",
        ),
        (
            ["--from", "eu", "--to", "us", "--prune", "--skip", "s"],
            2,
            "--prune needs all that the source holds",
        ),
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(regions, words, code, said):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="s")
    answer = regions.cli("copy", *words)
    assert answer.code == code
    assert said in answer.err
    assert regions.changing == []


def test_without_a_regions_token_no_other_is_sent_in_its_place(regions):
    regions.cli.set("US_EAST_1_QSTASH_TOKEN", None)
    answer = regions("--yes")
    assert answer.code == 4
    assert "set US_EAST_1_QSTASH_TOKEN" in answer.err
    assert regions.servers["us"].requests() == []


def test_an_account_that_cannot_be_read_is_named_with_the_variable_of_its_token(regions):
    for region, variable in (("eu", "EU_CENTRAL_1_QSTASH_TOKEN"), ("us", "US_EAST_1_QSTASH_TOKEN")):
        regions.cli.set(variable, "nobody")
        answer = regions("--yes")
        assert answer.code == 4
        assert f"the account at {regions.servers[region].url.partition('//')[2]} cannot be read" in answer.err
        assert f"check {variable}" in answer.err
        regions.cli.set(variable, regions.servers[region].token)
    regions.servers["us"].add_fault("refuse", on=["queues"], times="always")
    assert regions("--yes").code == 5


def test_a_copy_that_is_cut_short_is_told_and_finished_by_the_next_one(regions):
    make_everything(regions.eu)
    regions.servers["us"].add_fault("error", status=400, text="no", on=["schedules"], times=1, skip=2)
    answer = regions("--yes")
    assert answer.code == 1
    assert "what is left is done by the next one: qstash-jobs copy --from eu --to us" in answer.err
    regions.copied()
    assert read_account(regions.us) == read_account(regions.eu)


def test_endpoints_without_a_name_get_one_and_that_is_said(regions):
    regions.eu.url_group.upsert_endpoints("g", [{"url": "https://a.example.com/"}])
    answer = regions.copied()
    assert "warning: URL group g: its endpoints without a name get one" in answer.err
    assert [one.name for one in regions.us.url_group.get("g").endpoints] == ["a.example.com"]
    assert regions.copied().out == ""


def test_a_copy_beside_another_one_into_the_same_account_ends_at_once(regions):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="s")
    regions.servers["us"].add_fault("delay", seconds=3, on=["schedules"], times=1)
    words = [sys.executable, "-m", "qstash_jobs", "copy", "--from", "eu", "--to", "us", "--yes"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not regions.servers["us"].requests():
            assert first.poll() is None
        answer = regions("--yes")
    finally:
        code = first.wait(30)
    assert (answer.code, code) == (7, 0)
    assert "another copy into this account is under way" in answer.err


def test_schedules_that_would_fire_in_both_regions_are_counted_and_can_rest_until_the_switch(regions):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="s")
    answer = regions.copied("--paused")
    assert "would fire in both" not in answer.err
    assert regions.us.schedule.get("s").paused
    assert regions.copied("--paused").out == ""
    answer = regions.copied()
    assert "warning: 1 schedule of the source would fire in both accounts: pause one side" in answer.err
    assert not regions.us.schedule.get("s").paused
    regions.eu.schedule.pause("s")
    assert "would fire in both" not in regions("--dry-run").err


def test_a_source_is_only_read(regions):
    make_everything(regions.eu)
    before = len(regions.servers["eu"].requests())
    regions.copied()
    assert {one.method for one in regions.servers["eu"].requests()[before:]} == {"GET"}


def test_what_would_change_is_shown_for_a_pull_request(regions):
    regions.eu.schedule.create(**NIGHTLY, schedule_id="s")
    answer = regions("--dry-run", "--format", "markdown")
    assert answer.code == 0
    assert "| schedule | `s` | url" in answer.out
    assert regions.changing == []
    assert "schedule | `s`" in regions.copied("--format", "markdown").out


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accounts(names_endpoints=True))
def test_whatever_an_account_holds_its_copy_holds_too_and_a_second_copy_finds_nothing_to_do(cli, account):
    with connect(cli) as regions:
        account.make(regions.eu)
        refused = regions("--dry-run")
        set_secrets(cli, account, refused.err)
        regions.copied()
        assert read_account(regions.us) == read_account(regions.eu)
        before = regions.changing
        regions.copied()
        assert regions.changing == before
