"""`apply` makes an account as the files declare it, with the official SDK as the eye."""

import json
import subprocess
import sys

import pytest
from markdown_page import Page
from qstash import QStash

PROJECT = "project: billing\n"
NIGHTLY = """\
schedules:
  nightly:
    cron: "0 4 * * *"
    timezone: Europe/Berlin
    url: https://example.com/nightly
    body: {report: daily}
"""


@pytest.fixture
def client(cli):
    client = QStash(cli.server.token, base_url=cli.server.url)
    yield client
    client.http._client.close()


@pytest.fixture
def account(cli, client):
    cli.write("qstash-jobs.yaml", PROJECT)
    return Account(cli, client)


class Account:
    """Writes job files, applies them, and looks at what became of it with the SDK."""

    def __init__(self, cli, client):
        self.cli = cli
        self.sdk = client

    def apply(self, text: str, *options: str, name: str = "jobs/a.yaml"):
        self.cli.write(name, text)
        return self.cli("apply", "jobs", "--yes", *options)

    def plan(self, *options: str):
        return self.cli("plan", "jobs", "--exit-code", *options)

    def schedule(self, id_: str = "billing-nightly"):
        return self.sdk.schedule.get(id_)

    @property
    def schedules(self) -> list[str]:
        return sorted(schedule.schedule_id for schedule in self.sdk.schedule.list())

    @property
    def changing(self) -> list[str]:
        return [f"{one.method} {one.target}" for one in self.cli.server.requests() if one.method != "GET"]


def applied(answer):
    assert answer.code == 0, answer.err
    return answer


def test_a_schedule_is_made_under_its_own_id_and_then_nothing_is_left_to_do(account):
    answer = applied(account.apply(NIGHTLY))
    assert answer.out == "created schedule nightly (billing-nightly)  jobs/a.yaml:2\n"
    made = account.schedule()
    assert (made.cron, made.destination) == ("CRON_TZ=Europe/Berlin 0 4 * * *", "https://example.com/nightly")
    assert (made.body, made.headers) == ('{"report":"daily"}', {"Content-Type": ["application/json"]})
    assert account.plan().code == 0
    assert applied(account.apply(NIGHTLY)).out == ""


EDITS = {
    "cron": ('"0 4 * * *"', '"0 5 * * *"', "cron"),
    "zone": ("timezone: Europe/Berlin", "timezone: UTC", "timezone"),
    "url": ("com/nightly", "com/daily", "url"),
    "body": ("daily", "weekly", "body"),
    "header": ("    body:", "    headers: {X-One: '1'}\n    body:", "headers.X-One"),
    "type": ("    body:", "    content_type: application/vnd.x+json\n    body:", "content_type"),
    "method": ("    body:", "    method: PUT\n    body:", "method"),
    "delay": ("    body:", "    delay: 90s\n    body:", "delay"),
    "retries": ("    body:", "    retries: 0\n    body:", "retries"),
    "retry_delay": ("    body:", "    retry_delay: 1000 * (1 + retried)\n    body:", "retry_delay"),
    "timeout": ("    body:", "    timeout: 20s\n    body:", "not_given_back"),
    "callback": ("    body:", "    callback: https://example.com/cb\n    body:", "callback"),
    "callback_retries": (
        "    body:",
        "    callback: {url: https://example.com/cb, retries: 1, headers: {X-C: c}}\n    body:",
        "not_given_back",
    ),
    "failure": ("    body:", "    failure_callback: https://example.com/f\n    body:", "failure_callback"),
    "flow": (
        "    body:",
        "    flow_control: {key: k, rate: 2, period: 1m}\n    body:",
        "flow_control.period",
    ),
    "labels": ("    body:", "    labels: [b, a]\n    body:", "labels"),
    "redact": ("    body:", "    redact: {body: true}\n    body:", "redact.body"),
    "queue": ("    body:", "    queue: invoices\n    body:", "not_given_back"),
    "pause": ("    body:", "    enabled: false\n    body:", "enabled"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_field_that_is_edited_is_shown_changed_in_place_and_changed_back(account, edit):
    applied(account.apply(NIGHTLY))
    created = account.schedule().created_at
    old, new, field = EDITS[edit]
    edited = NIGHTLY.replace(old, new)
    assert edited != NIGHTLY
    account.cli.write("jobs/a.yaml", edited)
    planned = account.plan("--format", "jsonl")
    assert planned.code == 8
    (change,) = [line for line in planned.lines if line["kind"] == "schedule"]
    assert (change["action"], change["key"], change["file"], change["line"]) == (
        "update",
        "nightly",
        "jobs/a.yaml",
        2,
    )
    assert field in [one["field"] for one in change["changes"]]
    applied(account.apply(edited))
    assert account.plan().code == 0
    assert account.schedule().created_at == created
    back = account.cli.write("jobs/a.yaml", NIGHTLY if edit != "pause" else edited.replace("false", "true"))
    assert account.plan().code == 8
    applied(account.apply(back.read_text()))
    assert account.plan().code == 0
    assert not any(change.startswith("DELETE") for change in account.changing)


def test_a_pause_that_the_file_does_not_speak_of_outlasts_an_edit_even_where_writing_anew_resumes(account):
    account.cli.server.turn(overwrite="resumes")
    applied(account.apply(NIGHTLY))
    account.sdk.schedule.pause("billing-nightly")
    planned = account.plan()
    assert planned.code == 0
    assert "paused in the account, and stays so; `enabled: true` in the file resumes it" in planned.out
    applied(account.apply(NIGHTLY.replace("0 4", "0 5")))
    assert account.schedule().paused
    assert account.schedule().cron.endswith("0 5 * * *")


@pytest.mark.parametrize("verb", ["POST", "PATCH", "both"])
def test_a_schedule_is_paused_and_resumed_as_the_file_says_with_whichever_verb_is_taken(account, verb):
    account.cli.server.turn(pause_verb=verb)
    paused = NIGHTLY + "    enabled: false\n"
    applied(account.apply(paused))
    assert account.schedule().paused
    account.sdk.http.request(
        path="/v2/schedules/billing-nightly/resume",
        method="POST" if verb != "PATCH" else "PATCH",
        parse_response=False,
    )
    assert account.plan().code == 8
    applied(account.apply(paused))
    assert account.schedule().paused
    applied(account.apply(paused.replace("false", "true")))
    assert not account.schedule().paused


def test_a_schedule_has_no_deduplication_id(account):
    applied(account.apply(NIGHTLY))
    (made,) = [one for one in account.cli.server.requests() if one.target.startswith("/v2/schedules/http")]
    assert not [name for name, _ in made.headers if "dedup" in name.lower()]


def test_what_is_declared_no_more_is_listed_and_goes_only_with_the_word(account):
    applied(account.apply(NIGHTLY))
    without = "schedules: {}\njobs: {a: {url: https://example.com}}\n"
    answer = applied(account.apply(without))
    assert account.schedules == ["billing-nightly"]
    planned = account.plan("--prune")
    assert planned.code == 8
    assert "delete schedule billing-nightly" in planned.out
    answer = applied(account.apply(without, "--prune"))
    assert answer.out == "deleted schedule billing-nightly\n"
    assert account.schedules == []
    applied(account.apply(NIGHTLY, "--prune"))
    assert account.schedules == ["billing-nightly"]


def test_a_renamed_schedule_is_made_anew_and_the_old_one_pruned(account):
    applied(account.apply(NIGHTLY))
    applied(account.apply(NIGHTLY.replace("nightly:", "late:"), "--prune"))
    assert account.schedules == ["billing-late"]
    assert account.plan("--prune").code == 0


def test_what_others_made_is_listed_and_never_touched(account):
    account.sdk.schedule.create(destination="https://example.com", cron="* * * * *", schedule_id="theirs")
    # the id begins as ours do, and nothing else says that it is
    account.sdk.schedule.create(destination="https://example.com", cron="* * * * *", schedule_id="billing-x")
    account.sdk.url_group.upsert_endpoints("billing-group", [{"url": "https://example.com"}])
    answer = applied(account.apply(NIGHTLY, "--prune", "--force"))
    assert "left alone: schedule theirs: not this project's" in answer.err
    assert "left alone: schedule billing-x: not this project's" in answer.err
    assert account.schedules == ["billing-nightly", "billing-x", "theirs"]


def test_a_schedule_of_another_project_is_not_pruned_however_alike_its_id_is(account):
    applied(account.apply(NIGHTLY))
    account.cli.write("qstash-jobs.yaml", "project: billing\nenvironments: {nightly: {}}\n")
    applied(account.apply(NIGHTLY.replace("nightly:", "x:"), "--prune", "--environment", "nightly"))
    assert account.schedules == ["billing-nightly", "billing-nightly-x"]
    account.cli.write("qstash-jobs.yaml", PROJECT)
    applied(account.apply(NIGHTLY, "--prune", "--force"))
    assert account.schedules == ["billing-nightly", "billing-nightly-x"]


def test_an_id_that_somebody_else_has_is_not_taken_unless_the_file_names_it(account):
    account.sdk.schedule.create(
        destination="https://example.com", cron="* * * * *", schedule_id="billing-nightly"
    )
    answer = account.apply(NIGHTLY)
    assert answer.code == 2
    assert (
        "jobs/a.yaml:2:3: error: the account has a schedule billing-nightly that this project" in answer.err
    )
    assert "schedule_id: billing-nightly" in answer.err
    assert account.schedule().destination == "https://example.com"
    applied(account.apply(NIGHTLY + "    schedule_id: billing-nightly\n"))
    assert account.schedule().destination == "https://example.com/nightly"
    assert account.plan().code == 0


def test_a_schedule_that_is_taken_over_as_it_is_does_not_change(account):
    account.sdk.schedule.create(
        destination="https://example.com/nightly",
        cron="CRON_TZ=Europe/Berlin 0 4 * * *",
        schedule_id="scd_1",
        body='{"report":"daily"}',
        content_type="application/json",
    )
    account.cli.write("jobs/a.yaml", NIGHTLY + "    schedule_id: scd_1\n")
    assert account.plan().code == 0


def test_nothing_is_pruned_while_part_of_the_project_was_not_read(account):
    applied(account.apply(NIGHTLY))
    account.cli.write("more/b.yaml", NIGHTLY.replace("nightly:", "other:"))
    gone = "schedules: {}\nqueues: {}\n"
    answer = account.apply(gone, "--prune")
    assert answer.code == 2
    assert "more/b.yaml was not read" in answer.err
    account.cli.write("more/b.yaml", "schedules: {other: {cron: [\n")
    assert "more/b.yaml was not read" in account.apply(gone, "--prune").err
    account.cli.write("more/b.yaml", "schedules: [{cron: '0 * * * *'}]\n")  # another tool's
    answer = account.cli("apply", "jobs", "--yes", "--prune", "--job", "x*")
    assert answer.code == 2
    assert account.schedules == ["billing-nightly"]
    applied(account.apply(gone, "--prune"))
    assert account.schedules == []


def test_nothing_is_applied_where_any_file_is_out_of_order(account):
    account.cli.write("jobs/b.yaml", "schedules: {x: {cron: 'never', url: https://example.com}}\n")
    assert account.apply(NIGHTLY, "--prune").code == 2
    assert account.changing == []


def test_many_deletions_need_a_second_word(account):
    many = "schedules:\n" + "".join(
        f"  s{number}: {{cron: '0 4 * * *', url: https://example.com}}\n" for number in range(5)
    )
    applied(account.apply(many))
    answer = account.apply("schedules: {}\nqueues: {}\n", "--prune")
    assert answer.code == 2
    assert "5 of 5 that this project has would be deleted" in answer.err
    assert len(account.schedules) == 5
    applied(account.apply("schedules: {}\nqueues: {}\n", "--prune", "--force"))
    assert account.schedules == []


GROUP = """\
url_groups:
  orders:
    endpoints: {email: "https://mail.example.com/a", audit: "https://audit.example.com/"}
    headers: {X-Group: orders}
"""


def endpoints(account, name="orders"):
    return {one.name: one.url for one in account.sdk.url_group.get(name).endpoints}


def test_a_group_is_made_changed_and_never_empty_on_the_way(account):
    applied(account.apply(GROUP))
    assert endpoints(account) == {
        "email": "https://mail.example.com/a",
        "audit": "https://audit.example.com/",
    }
    assert account.plan().code == 0
    other = 'url_groups: {orders: {endpoints: {new: "https://new.example.com/"}, headers: {X-Group: o2}}}\n'
    answer = applied(account.apply(other))
    assert answer.out == "updated URL group orders  jobs/a.yaml:1\n"
    assert endpoints(account) == {"new": "https://new.example.com/"}
    assert account.plan().code == 0
    added, removed = (
        next(i for i, one in enumerate(account.changing) if i > 1 and one.startswith(verb))
        for verb in ("POST /v2/topics/orders/endpoints", "DELETE /v2/topics/orders/endpoints")
    )
    assert added < removed


def test_an_endpoint_is_moved_and_a_renamed_one_is_not_lost(account):
    applied(account.apply(GROUP))
    applied(account.apply(GROUP.replace("email:", "mail:").replace('com/"', 'com/b"')))
    assert endpoints(account) == {
        "mail": "https://mail.example.com/a",
        "audit": "https://audit.example.com/b",
    }
    assert account.plan().code == 0


def test_a_group_that_lost_its_headers_by_hand_gets_them_again(account):
    applied(account.apply(GROUP))
    account.sdk.url_group.delete("orders")
    account.sdk.url_group.upsert_endpoints("orders", [{"url": "https://x.example.com", "name": "email"}])
    applied(account.apply(GROUP))
    assert group_headers(account) == {"X-Group": ["orders"]}
    # where the account shows those of any group, none are shown of one that has none
    account.sdk.url_group.upsert_endpoints("other", [{"url": "https://x.example.com"}])
    both = GROUP + "  other: {endpoints: {one: https://x.example.com}, headers: {X-Group: '1'}}\n"
    account.cli.write("jobs/a.yaml", both)
    planned = account.plan()
    assert planned.code == 8
    assert "headers.X-Group" in planned.out
    applied(account.apply(both))
    assert account.plan().code == 0


def group_headers(account, name="orders"):
    return account.sdk.http.request(path=f"/v2/topics/{name}", method="GET").get("headers", {})


def test_headers_of_a_group_that_the_account_never_shows_are_no_drift_and_an_edit_of_them_is_not_lost(
    account,
):
    account.cli.server.turn(group_headers="hidden")
    assert applied(account.apply(GROUP)).out == "created URL group orders  jobs/a.yaml:2\n"
    planned = account.plan()
    assert planned.code == 0
    assert "note: URL group orders: the account does not show its headers, so each apply" in planned.out
    edited = GROUP.replace("X-Group: orders", "X-Group: bills")
    assert applied(account.apply(edited)).out == "set again URL group orders  jobs/a.yaml:2\n"
    account.cli.server.turn(group_headers="shown")
    assert group_headers(account) == {"X-Group": ["bills"]}


def test_a_kept_plan_holds_to_headers_that_the_account_never_shows(account):
    account.cli.server.turn(group_headers="hidden")
    applied(account.apply(GROUP))
    assert account.cli("plan", "jobs", "--out", "plan.json").code == 0
    account.cli.write("jobs/a.yaml", GROUP.replace("X-Group: orders", "X-Group: bills"))
    answer = account.cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "url_group orders is to change in another way than was planned" in answer.err


def test_a_queue_keeps_what_the_file_does_not_say(account):
    account.sdk.queue.upsert("invoices", parallelism=4, paused=True)
    account.cli.write("jobs/a.yaml", "queues: {invoices: {}}\n")
    assert account.plan().code == 0
    applied(account.apply("queues: {invoices: {parallelism: 5}}\n"))
    queue = account.sdk.queue.get("invoices")
    assert (queue.parallelism, queue.paused) == (5, True)
    applied(account.apply("queues: {invoices: {paused: false}}\n"))
    queue = account.sdk.queue.get("invoices")
    assert (queue.parallelism, queue.paused) == (5, False)
    assert account.plan().code == 0


def test_flow_controls_are_pinned_as_declared_and_unpinned_where_they_are_not(account):
    applied(account.apply("flow_controls: {api: {parallelism: 3, rate: 10, period: 1m}}\n"))
    assert account.plan().code == 0
    applied(account.apply("flow_controls: {api: {rate: 20}}\n"))
    assert account.plan().code == 0
    assert account.changing[-2:] == [
        "POST /v2/flowControl/api/pin?rate=20&period=1",
        "POST /v2/flowControl/api/unpin?parallelism=true",
    ]


def test_of_groups_queues_and_flow_controls_only_the_name_tells_so_they_need_a_second_word(account):
    applied(account.apply("queues: {billing-a: {}, other: {}}\n"))
    gone = "schedules: {}\nqueues: {}\n"
    answer = applied(account.apply(gone, "--prune"))
    assert (
        "left alone: queue billing-a: no file that was read declares it; `apply --prune --force` deletes it: "
        "only its name says that it is this project's\n" in answer.err
    )
    assert "left alone: queue other: no file that was read declares it\n" in answer.err
    assert account.plan("--prune").code == 0
    assert account.plan("--prune", "--force").code == 8
    applied(account.apply(gone, "--prune", "--force"))
    assert [queue.name for queue in account.sdk.queue.list()] == ["other"]


def test_what_needs_the_second_word_holds_nothing_else_up_and_a_kept_plan_has_it_or_not(account):
    applied(account.apply(NIGHTLY + "queues: {billing-a: {}}\n"))
    account.cli.write("jobs/a.yaml", NIGHTLY.replace("nightly:", "daily:"))
    account.plan("--prune", "--out", "marked.json")
    account.plan("--prune", "--force", "--out", "named.json")
    applied(account.cli("apply", "--plan", "marked.json"))
    assert account.schedules == ["billing-daily"]
    assert [queue.name for queue in account.sdk.queue.list()] == ["billing-a"]
    assert account.cli("apply", "--plan", "named.json").code == 2
    account.plan("--prune", "--force", "--out", "named.json")
    applied(account.cli("apply", "--plan", "named.json"))
    assert account.sdk.queue.list() == []


def test_a_group_that_somebodys_schedule_delivers_to_is_not_pruned(account):
    account.sdk.url_group.upsert_endpoints("billing-g", [{"url": "https://example.com"}])
    account.sdk.schedule.create(destination="billing-g", cron="* * * * *", schedule_id="theirs")
    applied(account.apply("schedules: {}\nqueues: {}\n", "--prune", "--force"))
    assert list(endpoints(account, "billing-g").values()) == ["https://example.com"]


SECRET = NIGHTLY + '    headers: {Authorization: "Bearer ${{ secrets.REPORT_TOKEN }}"}\n'


def test_a_secret_is_compared_by_its_digest_and_never_shown(account):
    account.cli.set("REPORT_TOKEN", "s3cr3t-value-1")
    first = applied(account.apply(SECRET))
    assert account.plan().code == 0
    account.cli.set("REPORT_TOKEN", "s3cr3t-value-2")
    planned = account.plan("--format", "jsonl", "--out", "plan.json")
    assert planned.code == 8
    text = first.out + first.err + planned.out + planned.err
    text += (account.cli.folder / "plan.json").read_text()
    assert "s3cr3t" not in text
    assert "Authorization" in text
    applied(account.apply(SECRET))
    assert account.plan().code == 0
    account.cli.set("REPORT_TOKEN", None)
    assert account.plan().code == 0  # what is not known is not compared


def test_an_old_secret_that_stood_in_the_open_is_not_shown_either(account):
    applied(account.apply(NIGHTLY + "    headers: {X-Api-Key: in-the-open-1}\n"))
    account.cli.set("REPORT_TOKEN", "s3cr3t-value-2")
    account.cli.write("jobs/a.yaml", NIGHTLY + '    headers: {X-Api-Key: "${{ secrets.REPORT_TOKEN }}"}\n')
    planned = account.plan("--format", "jsonl")
    assert planned.code == 8
    assert "in-the-open" not in planned.out


def test_a_kept_plan_is_applied_and_nothing_else_is(account):
    account.cli.write("jobs/a.yaml", NIGHTLY)
    assert account.cli("plan", "jobs", "--out", "plan.json").code == 0
    kept = json.loads((account.cli.folder / "plan.json").read_text())
    assert [(one["kind"], one["action"], one["line"]) for one in kept["changes"]] == [
        ("schedule", "create", 2)
    ]
    account.cli.write("jobs/a.yaml", NIGHTLY.replace("0 4", "0 5"))
    answer = account.cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "schedule billing-nightly is to change in another way than was planned" in answer.err
    account.cli.write("jobs/a.yaml", NIGHTLY)
    applied(account.cli("apply", "--plan", "plan.json"))
    assert account.schedules == ["billing-nightly"]
    answer = account.cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert "was to change, and is as declared now" in answer.err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"qstash_jobs_plan": 99}', '{"qstash_jobs_plan": 1}'])
def test_a_file_that_is_no_plan_is_refused(account, content):
    account.cli.write("plan.json", content)
    answer = account.cli("apply", "jobs", "--plan", "plan.json")
    assert answer.code == 2
    assert "--plan plan.json" in answer.err


def test_without_a_terminal_somebody_has_to_say_yes(account):
    account.cli.write("jobs/a.yaml", NIGHTLY)
    answer = account.cli("apply", "jobs")
    assert answer.code == 2
    assert "say --yes" in answer.err
    assert account.schedules == []


def test_without_a_path_nothing_is_applied(account):
    assert account.cli("apply", "--yes").code == 2


def test_without_a_token_a_plan_says_that_it_does_not_know(account):
    account.cli.write("jobs/a.yaml", NIGHTLY)
    account.cli.set("QSTASH_TOKEN", None)
    planned = account.cli("plan", "jobs", "--format", "jsonl")
    assert planned.code == 0
    assert [(line["action"], line["key"]) for line in planned.lines if line["kind"] == "schedule"] == [
        ("unknown", "nightly")
    ]
    assert account.plan().code == 4


def test_a_project_without_a_name_has_no_schedules(account):
    (account.cli.folder / "qstash-jobs.yaml").unlink()
    answer = account.apply(NIGHTLY)
    assert answer.code == 2
    assert "project: billing" in answer.err


def test_a_project_whose_name_cannot_be_part_of_an_id_is_told_the_way_out(account):
    (account.cli.folder / "qstash-jobs.yaml").unlink()
    account.cli.write(".git/config", '[remote "origin"]\n\turl = https://git.example.com/~me/jobs\n')
    answer = account.apply(NIGHTLY)
    assert answer.code == 2
    assert "the account cannot have a schedule git.example.com-~me-jobs-nightly" in answer.err
    assert "project: billing" in answer.err


def test_two_schedules_with_one_key_are_refused_in_whatever_files_they_stand(account):
    account.cli.write("jobs/b.yaml", NIGHTLY)
    assert account.apply(NIGHTLY).code == 2
    assert account.cli("validate", "jobs").code == 2


def test_a_run_that_names_an_undeclared_group_is_told_to_apply_first(account):
    account.cli.write("jobs/a.yaml", GROUP + "jobs: {one: {url_group: orders}}\n")
    answer = account.cli("run", "jobs", "--yes")
    assert answer.code == 2
    assert "qstash-jobs apply jobs/a.yaml" in answer.err
    applied(account.cli("apply", "jobs", "--yes"))
    assert account.cli("run", "jobs", "--yes").code == 0


def test_an_apply_beside_another_one_of_the_same_project_ends_at_once(account):
    account.cli.write("jobs/a.yaml", NIGHTLY)
    account.cli.server.add_fault("delay", seconds=3, on=["schedules"], times=1)
    words = [sys.executable, "-m", "qstash_jobs", "apply", "jobs", "--yes"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not account.cli.server.requests():
            pass
        answer = account.cli("apply", "jobs", "--yes")
    finally:
        code = first.wait(30)
    assert (answer.code, code) == (7, 0)
    assert "another apply of this project is under way" in answer.err


def test_applies_on_two_machines_that_share_no_ledger_do_each_other_no_harm(account):
    account.cli.write("jobs/a.yaml", NIGHTLY + GROUP + "queues: {q: {parallelism: 2, paused: true}}\n")
    words = [sys.executable, "-m", "qstash_jobs", "apply", "jobs", "--yes"]
    both = [
        subprocess.Popen(
            [*words, "--ledger", f"sqlite://{account.cli.folder}/{name}.db"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for name in ("one", "other")
    ]
    ended = [(one.communicate(timeout=30)[1], one.returncode) for one in both]
    # the slower one may find that the account has become another since it made its plan
    assert all(code == 0 or (code == 2 and b"changed in the meantime" in said) for said, code in ended)
    assert 0 in [code for _, code in ended]
    assert account.plan().code == 0


def test_the_jobs_of_a_pattern_are_the_only_schedules_that_change(account):
    two = NIGHTLY + "  other: {cron: '0 * * * *', url: https://example.com}\n"
    applied(account.apply(two, "--job", "other"))
    assert account.schedules == ["billing-other"]
    assert account.apply(two, "--job", "nothing").code == 2


def test_two_schedules_of_one_id_or_an_id_that_cannot_be_one_are_refused_and_nothing_is_made(account):
    account.cli.write("jobs/b.yaml", NIGHTLY)
    answer = account.apply(NIGHTLY)
    assert (answer.code, account.schedules) == (2, [])
    assert "there are two schedules nightly: the first in jobs/a.yaml" in answer.err
    account.cli.write("jobs/b.yaml", "schedules: {}\n")
    answer = account.apply(NIGHTLY + "    schedule_id: a b\n")
    assert (answer.code, account.schedules) == (2, [])
    assert "[schedule-id]" in answer.err


def test_what_was_not_chosen_or_not_read_is_never_said_to_be_undeclared(account):
    applied(account.apply(NIGHTLY))
    other = "schedules: {other: {cron: '0 5 * * *', url: https://example.com/other}}\n"
    applied(account.apply(other, name="jobs/b.yaml"))
    chosen = account.cli("plan", "jobs", "--job", "other")
    assert "nightly" not in chosen.out
    part = account.cli("plan", "jobs/b.yaml")
    assert (
        "left alone: schedule billing-nightly: no file that was read declares it; `apply --prune` deletes it"
        in part.out
    )


def test_a_check_for_drift_looks_at_the_account_also_where_nothing_is_declared_any_more(account):
    applied(account.apply(NIGHTLY))
    account.cli.write("jobs/a.yaml", "url: https://example.com/once\n")
    checked = account.plan()
    assert checked.code == 0
    assert "left alone: schedule billing-nightly" in checked.out
    assert account.plan("--prune").code == 8


def test_the_command_that_does_the_rest_is_whole(account):
    account.cli.write("jobs/it's.yaml", "queues: {billing-q: {parallelism: 10000}}\n")
    answer = account.cli("apply", "jobs/it's.yaml", "--yes")
    assert answer.code == 1
    assert (
        "mend what was refused; what is left is done by the next one: qstash-jobs apply 'jobs/it'\\''s.yaml'\n"
        in answer.err
    )
    pruned = account.cli("apply", "jobs", "--yes", "--prune")
    assert pruned.err.endswith("qstash-jobs apply jobs --prune\n")


def test_a_plan_says_beforehand_that_apply_will_refuse_to_delete_so_much(account):
    many = "schedules:\n" + "".join(
        f"  s{number}: {{cron: '0 5 * * *', url: https://example.com/{number}}}\n" for number in range(5)
    )
    applied(account.apply(many))
    account.cli.write("jobs/a.yaml", NIGHTLY)
    for options in ((), ("--format", "markdown")):
        planned = account.plan("--prune", *options)
        assert planned.code == 8
        assert "apply will refuse it without --force: 5 of 5" in planned.err + planned.out.replace("`", "")
    assert account.cli("apply", "jobs", "--yes", "--prune").code == 2


def test_a_plan_for_another_account_says_which_is_which(account, monkeypatch):
    account.cli.write("jobs/a.yaml", NIGHTLY)
    account.plan("--out", "plan.json")
    monkeypatch.setenv("QSTASH_TOKEN", "eyJVc2VySUQiOiJvdGhlciIsIlBhc3N3b3JkIjoieCJ9")
    answer = account.cli("apply", "--plan", "plan.json")
    assert answer.code == 2
    assert ", account defaultUser, and this is 127.0.0.1" in answer.err
    assert ", account other; choose the account and the environment of the plan, or plan again" in answer.err


def test_a_schedule_of_a_group_that_there_is_none_of_is_refused_before_anything_is_changed(account):
    text = GROUP + "schedules: {s: {cron: '0 4 * * *', url_group: ordres}}\n"
    answer = account.apply(text)
    assert answer.code == 2
    assert (
        "jobs/a.yaml:5:13: error: neither the account nor these files have a URL group ordres" in answer.err
    )
    assert "did you mean orders?" in answer.err
    assert account.changing == []
    account.sdk.url_group.upsert_endpoints("ordres", [{"url": "https://x.example.com"}])
    applied(account.apply(text))
    assert account.schedule("billing-s").destination == "ordres"


def test_the_summary_of_a_pipeline_has_what_failed_first_and_what_to_do_next(account):
    account.cli.write("jobs/b.yaml", "queues: {mails: {parallelism: 10000}}\n")
    answer = account.apply(NIGHTLY, "--format", "markdown")
    assert answer.code == 1
    page = Page(answer.out)
    assert page.text.startswith("qstash-jobs apply\n")
    assert "created 1, failed 1" in page.text
    assert "mend what was refused; what is left is done by the next one: qstash-jobs apply jobs" in page.text
    _, failed, made = page.cells
    assert failed[:3] == ["failed create", "queue", "mails"]
    assert "412 quota maxQueueParallelism exceeded" in failed[3]
    assert failed[4] == "jobs/b.yaml:1"
    assert made == ["created", "schedule", "nightlyin the account billing-nightly", "", "jobs/a.yaml:2"]
    assert "created schedule nightly" in answer.err


def test_the_summary_of_a_pipeline_says_why_nothing_was_applied(account):
    wrong = account.apply(
        "schedules: {a: {cron: '61 * * * *', url: https://example.com}}\n", "--format", "markdown"
    )
    assert wrong.code == 2
    assert "nothing was applied: 1 error in 1 file" in Page(wrong.out).text
    assert "jobs/a.yaml:1:23" in Page(wrong.out).code
    applied(account.apply(NIGHTLY))
    same = applied(account.apply(NIGHTLY, "--format", "markdown"))
    assert "nothing would change in the account; 1 unchanged" in Page(same.out).text
    account.plan("--out", "plan.json")
    account.sdk.schedule.delete("billing-nightly")
    other = account.cli("apply", "--plan", "plan.json", "--format", "markdown")
    assert other.code == 2
    assert "this is not what was planned, and nothing was applied" in Page(other.out).text


def test_a_secret_that_has_left_the_files_is_not_shown_where_it_is_set_nowhere(account):
    secret = "https://user:s3cr3t-p@example.com/x?page=2&api_token=s3cr3t-q&lang=de"
    account.sdk.schedule.create(destination=secret, cron="0 4 * * *", schedule_id="old", callback=secret)
    account.sdk.url_group.upsert_endpoints("orders", [{"url": secret, "name": "a"}, {"url": secret + "2"}])
    account.cli.write(
        "jobs/a.yaml",
        "schedules: {s: {schedule_id: old, cron: '0 4 * * *', url: 'https://example.com/x?page=2'}}\n"
        "url_groups: {orders: {endpoints: {a: 'https://example.com/x?api_token=other'}}}\n",
    )
    for format_ in ("text", "jsonl", "markdown"):
        planned = account.plan("--format", format_)
        assert planned.code == 8
        assert "s3cr3t" not in planned.out + planned.err
    assert "https://***@example.com/x?page=2&api_token=***&lang=de -> https://example.com/x?page=2" in (
        account.plan().out
    )
    account.plan("--out", "plan.json")
    assert "s3cr3t" not in (account.cli.folder / "plan.json").read_text()
    told = applied(account.cli("apply", "jobs", "--yes", "--format", "jsonl"))
    assert "s3cr3t" not in told.out + told.err


def test_an_account_whose_schedules_have_large_bodies_is_read_back(account):
    account.cli.write("jobs/large.txt", "x" * 900_000)
    text = "schedules:\n" + "".join(
        f"  s{number}: {{cron: '0 4 * * *', url: https://example.com, body_file: large.txt}}\n"
        for number in range(15)
    )
    applied(account.apply(text))
    assert account.plan().code == 0
