"""Whatever the files declare, whatever the account holds, however both are edited: an apply makes it so, and no more.

`APPLY_SEQUENCES` says how many random sequences are tried; 1,000 where nothing is said.
"""

import hashlib
import json
import os
from base64 import b64decode
from collections.abc import Collection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from account_rig import Rig, open_rig
from account_views import VIEWS, show_as
from account_wishes import SECRETS, TAKEN_OVER, draw_files, edit_files, expect_schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.plan.ownership import Owner

SEQUENCES = int(os.environ.get("APPLY_SEQUENCES", "1000"))
SHARDS = 20
ENVIRONMENTS = ("production", "x")
OTHER_IDS = ("theirs", "billing", "xbilling-production-a", "billing-productiona")
THEIR_IDS = (*OTHER_IDS, "billing-production-theirs", "billing-x-theirs")
COPIED_MARK = Owner(project="billing", environment="production").write_label("0" * 12)
SWITCHES = {
    "pause_verb": ("both", "POST", "PATCH"),
    "overwrite": ("keeps_pause", "resumes"),
    "group_headers": ("shown", "hidden"),
    "success_status": ("200", "201", "202"),
    "default_retries": ("3", "5"),
}


def describe(told: Any) -> list[str]:
    """Say what one apply said."""
    return [
        *(f"{one.path}: {one.message}" for one in told.problems),
        *(f"{one.state} {one.change.kind} {one.change.name}: {one.reason}" for one in told.verdicts),
    ]


class Sequence:
    """An account of several makers, each of whom edits, and what each of them should find."""

    def __init__(self, rig: Rig, random: Random) -> None:
        self.rig = rig
        self.random = random
        rig.secrets = dict(SECRETS)
        rig.turn(**{name: random.choice(choices) for name, choices in SWITCHES.items()})
        rig.service.meddle = show_as(random.choice(tuple(VIEWS)))
        self.files: dict[str, Any] = {name: {} for name in ENVIRONMENTS}
        self.removed: dict[str, Any] = {name: {} for name in ENVIRONMENTS}
        self.schedules_made: dict[str, str] = {}
        """The environment of each schedule that an apply made, by its id."""
        make_theirs(rig, random)
        self.theirs = Look(rig).theirs

    def step(self) -> None:
        """Let somebody edit files or the account by hand, and apply."""
        random = self.random
        environment = random.choice((*ENVIRONMENTS, "production"))
        files = self.files[environment]
        files = (
            edit_files(random, files, self.removed[environment])
            if any(files.values())
            else draw_files(random)
        )
        if environment != "production":
            for fields in files["schedules"].values():
                fields.pop("schedule_id", None)
        if random.random() < 0.4:
            meddle(self.rig, random, [one for one, of in self.schedules_made.items() if of == environment])
        before = Look(self.rig)
        others = before.show([one for one, of in self.schedules_made.items() if of != environment])
        prunes = random.random() < 0.4
        told = self.rig.apply(files, environment=environment, prunes=prunes)
        if any(problem.rule == "schedule-stranger" for problem in told.problems):
            # billing-x-a is x-a of one environment, or a of the other
            assert told.result.exit_code == 2
            assert told.result.verdicts == ()
            assert any(f"billing-{environment}-{key}" in others for key in files["schedules"])
            return
        assert told.result.exit_code == 0, describe(told)
        assert told.slept_s == 0
        self.files[environment] = files
        check_order(told.result.verdicts)
        plan = self.rig.plan(files, environment=environment, prunes=prunes)
        assert plan is not None
        assert plan.waiting == (), (plan.waiting, files)
        after = Look(self.rig)
        assert after.theirs == self.theirs
        assert after.show(list(others)) == others
        assert "s3cret" not in json.dumps(after.schedules)
        self._check_seen(environment, files, before, after, prunes=prunes)

    def _check_seen(
        self, environment: str, files: dict[str, Any], before: "Look", after: "Look", *, prunes: bool
    ) -> None:
        prefix = f"billing-{environment}-"
        wanted = {
            fields.get("schedule_id", prefix + key): fields for key, fields in files["schedules"].items()
        }
        seen = {one.schedule_id: one for one in self.rig.sdk.schedule.list()}
        for id_, fields in wanted.items():
            was_paused = before.schedules.get(id_, {}).get("isPaused", False)
            expected = expect_schedule(fields, default_retries=self.rig.world.switches.default_retries)
            check_schedule(seen[id_], after.schedules[id_], expected)
            assert seen[id_].paused == (not fields["enabled"] if "enabled" in fields else was_paused)
            self.schedules_made[id_] = environment
        for id_, of in list(self.schedules_made.items()):
            if id_ not in seen:
                del self.schedules_made[id_]
            elif of == environment and id_ not in wanted:
                # what was taken over is not the project's to delete
                assert not prunes or id_ in TAKEN_OVER
        for name, fields in files["url_groups"].items():
            check_group(after.groups[name], fields, before.groups.get(name, {}))
        for name, fields in files["queues"].items():
            queue, had = after.queues[name], before.queues.get(name, {"parallelism": 1, "paused": False})
            assert queue["parallelism"] == fields.get("parallelism", had["parallelism"])
            assert queue["paused"] == fields.get("paused", had["paused"])
        for name, fields in files["flow_controls"].items():
            check_flow_control(after.flows[name], fields)


class Look:
    """All that the account holds, as it shows it where it hides nothing."""

    def __init__(self, rig: Rig) -> None:
        hides = rig.world.switches.group_headers
        rig.turn(group_headers="shown")
        self.schedules = {one["scheduleId"]: one for one in rig.raw("/v2/schedules")}
        self.groups = {one["name"]: one for one in rig.raw("/v2/topics")}
        self.queues = {one["name"]: one for one in rig.raw("/v2/queues")}
        self.flows = {one["flowControlKey"]: one for one in rig.raw("/v2/flowControl")}
        rig.turn(group_headers=hides)

    @property
    def theirs(self) -> Any:
        """What is other people's."""
        return (
            self.show(THEIR_IDS),
            self.groups["theirs-group"],
            self.queues["theirs-queue"],
            self.flows["theirs-flow"],
        )

    def show(self, ids: Collection[str]) -> dict[str, Any]:
        return {id_: self.schedules[id_] for id_ in ids if id_ in self.schedules}


def make_theirs(rig: Rig, random: Random) -> None:
    """Make what other people have in the account, also under names that look like ours."""
    sdk = rig.sdk
    sdk.url_group.upsert_endpoints("theirs-group", [{"url": "https://example.com/theirs"}])
    sdk.queue.upsert("theirs-queue", parallelism=random.randint(1, 4), paused=random.random() < 0.5)
    rig.sdk.http.request(path="/v2/flowControl/theirs-flow/pin?rate=3", method="POST", parse_response=False)
    for id_ in random.sample(THEIR_IDS + TAKEN_OVER, random.randint(1, len(THEIR_IDS))):
        sdk.schedule.create(
            destination=random.choice(("https://example.com/theirs", "theirs-group", "http://example.org")),
            cron=random.choice(("* * * * *", "CRON_TZ=Asia/Tokyo 0 4 * * *", "@hourly")),
            schedule_id=id_,
            body=random.choice((None, "text", b"\xff")),
            headers=random.choice((None, {"X-Theirs": "1", "authorization": "Bearer t"})),
            # a mark of ours may have been copied, under an id that is not ours
            label=random.choice((None, "theirs", COPIED_MARK if id_ in OTHER_IDS else "qj-s-near")),
            redact=random.choice((None, {"body": True, "header": True})),
            queue=random.choice((None, "theirs-queue")),
            retries=random.choice((None, 1)),
        )
        if random.random() < 0.3:
            rig.pause(id_, paused=True)


def meddle(rig: Rig, random: Random, ids: list[str]) -> None:
    """Change something by hand of what an apply has made."""
    if ids:
        one = rig.sdk.schedule.get(random.choice(ids))
        what = random.choice(("pause", "resume", "delete", "overwrite"))
        if what == "pause":
            rig.pause(one.schedule_id, paused=True)
        elif what == "resume":
            rig.pause(one.schedule_id, paused=False)
        elif what == "delete":
            rig.sdk.schedule.delete(one.schedule_id)
        else:
            labels = rig.raw(f"/v2/schedules/{one.schedule_id}")["labels"]
            rig.sdk.schedule.create(
                destination="https://example.com/by-hand",
                cron="1 1 1 1 *",
                schedule_id=one.schedule_id,
                label=",".join(labels),
                headers={"X-Hand": "1"},
                redact=random.choice((None, {"body": True})),
                body=random.choice((None, "by hand")),
            )
    what = random.choice(("endpoint", "group", "queue", "unpin", "nothing"))
    if what == "endpoint":
        endpoint = {"url": f"https://{random.choice(('x', 'y', 'hand'))}.example.com/"}
        name = random.choice((None, "mail", "hand"))
        rig.sdk.url_group.upsert_endpoints("g", [endpoint if name is None else endpoint | {"name": name}])
    elif what == "group" and any(one.name == "h" for one in rig.sdk.url_group.list()):
        rig.sdk.url_group.delete("h")
    elif what == "queue":
        rig.sdk.queue.upsert("q", parallelism=3, paused=True)
    elif what == "unpin":
        rig.sdk.http.request(
            path="/v2/flowControl/f/pin?parallelism=9&rate=9&period=9", method="POST", parse_response=False
        )


def check_order(verdicts: Any) -> None:
    """Nothing is deleted that is made in the same apply."""
    by_action = {
        action: {(one.change.kind, one.change.name) for one in verdicts if one.change.action == action}
        for action in ("create", "update", "delete")
    }
    assert not (by_action["create"] | by_action["update"]) & by_action["delete"]


def check_schedule(seen: Any, raw: dict[str, Any], wanted: dict[str, Any]) -> None:
    headers = {name.lower(): ", ".join(value) for name, value in (seen.headers or {}).items()}
    content_type = headers.pop("content-type", None)
    flow = seen.flow_control
    labels = [one for one in raw["labels"] if not one.startswith("qj-s-") or one in wanted["labels"]]
    assert (seen.destination, " ".join(seen.cron.split()), seen.method) == (
        wanted["destination"],
        wanted["cron"],
        wanted["method"],
    )
    body = (seen.body or "").encode() if seen.body_base64 is None else b64decode(seen.body_base64)
    assert same(body, wanted["body"])
    assert same_text(content_type, wanted["content_type"])
    assert headers.keys() == wanted["headers"].keys()
    assert all(same_text(value, wanted["headers"][name]) for name, value in headers.items())
    assert (seen.retries, seen.retry_delay_expression) == (wanted["retries"], wanted["retry_delay"])
    assert (seen.delay, seen.timeout) == (wanted["delay"], wanted["timeout"])
    assert (seen.callback, seen.failure_callback) == (wanted["callback"], wanted["failure_callback"])
    assert seen.queue == wanted["queue"]
    found = None if flow is None else (raw["flowControlKey"], raw["parallelism"], raw["rate"], raw["period"])
    assert found == wanted["flow"]
    assert sorted(labels) == wanted["labels"]


def check_group(group: dict[str, Any], fields: dict[str, Any], before: dict[str, Any]) -> None:
    endpoints = [(one.get("name"), one["url"]) for one in group["endpoints"]]
    # one without a name stands for any that is declared with its URL, since it could not be removed without that
    assert all(fields["endpoints"].get(name) == url for name, url in endpoints if name is not None)
    assert {url for _, url in endpoints} == set(fields["endpoints"].values())
    found = {key.lower(): ", ".join(value) for key, value in group.get("headers", {}).items()}
    if "headers" in fields:
        assert found == {key.lower(): str(value) for key, value in fields["headers"].items()}
    else:
        assert group.get("headers") == before.get("headers")


def same(seen: bytes | None, wanted: bytes | None) -> bool:
    """Say whether a value is what was declared, shown or hidden."""
    if seen is not None and wanted is not None and seen.startswith(b"REDACTED:"):
        return seen == b"REDACTED:" + hashlib.sha256(wanted).hexdigest().encode()
    return seen == wanted


def same_text(seen: str | None, wanted: str | None) -> bool:
    return same(None if seen is None else seen.encode(), None if wanted is None else wanted.encode())


def check_flow_control(seen: Any, fields: dict[str, Any]) -> None:
    assert seen["isPinnedParallelism"] == ("parallelism" in fields)
    assert seen["isPinnedRate"] == ("rate" in fields)
    assert fields.get("parallelism", seen["parallelismMax"]) == seen["parallelismMax"]
    assert fields.get("rate", seen["rateMax"]) == seen["rateMax"]


def go(rig: Rig, random: Random, *, steps: int) -> None:
    rig.begin()
    sequence = Sequence(rig, random)
    for _ in range(steps):
        sequence.step()


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_a_plan_is_empty_after_each_apply_and_what_is_seen_is_what_is_declared(
    random: Random, steps: int
) -> None:
    with TemporaryDirectory() as folder, open_rig(Path(folder)) as rig:
        go(rig, random, steps=steps)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_others_made_is_never_touched_in_any_of_a_thousand_sequences(tmp_path: Path, shard: int) -> None:
    with open_rig(tmp_path) as rig:
        for number in range(shard, SEQUENCES, SHARDS):
            try:
                go(rig, Random(number), steps=3)
            except BaseException as error:
                error.add_note(f"sequence {number}")
                raise
