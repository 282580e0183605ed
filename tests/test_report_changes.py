"""A plan for an account says what goes, changes and comes; GitHub's own parser reads what a pull request is shown."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_page import Page

from qstash_jobs.plan.changes import Change, FieldChange
from qstash_jobs.plan.schedule_fields import UNSEEN
from qstash_jobs.plan.verdict import Verdict
from qstash_jobs.problem import Location
from qstash_jobs.report.applied import write_applied_markdown
from qstash_jobs.report.changes import summarise_changes, write_changes, write_changes_jsonl
from qstash_jobs.report.changes_markdown import MOST_CHARACTERS, write_changes_markdown
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.report.layout import cell_width

CREATED = Change(
    kind="queue",
    key="invoices",
    name="invoices",
    action="create",
    fields=(FieldChange(field="parallelism", old=None, new=1),),
    location=Location(file="jobs/a.yaml", line=7, column=3),
)
UPDATED = Change(
    kind="schedule",
    key="nightly",
    name="billing-nightly",
    action="update",
    fields=(
        FieldChange(field="cron", old="0 4 * * *", new="0 5 * * *"),
        FieldChange(field="callback", old=None, new="https://example.com/cb"),
    ),
    location=Location(file="jobs/a.yaml", line=2, column=3),
)
DELETED = Change(
    kind="schedule",
    key="billing-old",
    name="billing-old",
    action="delete",
    fields=(FieldChange(field="url", old="https://example.com/old", new=None),),
)
FOREIGN = Change(
    kind="url_group", key="theirs", name="theirs", action="unmanaged", notes=("not this project's",)
)
FORGOTTEN = replace(FOREIGN, key="mine", name="mine", notes=("no file declares it any more",))
UNCHANGED = replace(CREATED, action="unchanged", fields=())

TEXT = st.text(st.characters() | st.sampled_from("`|\\<>&@#*_[]()!~:/ $\n"), max_size=60)


def page(*changes: Change) -> Page:
    return Page("\n".join(write_changes_markdown(changes)))


def change_body(old: object, new: object, field: str = "body") -> Change:
    return replace(UPDATED, fields=(FieldChange(field=field, old=old, new=new),))


def write(*changes: Change, width: int | None = None) -> list[str]:
    return list(write_changes(changes, width=width))


def test_a_reviewer_sees_what_goes_before_what_comes_each_with_its_line() -> None:
    seen = page(CREATED, UPDATED, DELETED)
    headings = [line for line in seen.text.splitlines() if line.startswith(("delete", "update", "create"))]
    assert headings == ["delete 1 schedule", "update 1 schedule", "create 1 queue"]
    assert [cells for cells in seen.cells if cells[0] != "kind"] == [
        ["schedule", "billing-old", "url https://example.com/old"],
        [
            "schedule",
            "nightlyin the account billing-nightly",
            "cron 0 4 * * * → 0 5 * * *callback none → https://example.com/cb",
            "jobs/a.yaml:2",
        ],
        ["queue", "invoices", "parallelism 1", "jobs/a.yaml:7"],
    ]


def test_what_is_somebody_elses_is_told_apart_from_what_nobody_declares_any_more() -> None:
    seen = page(FOREIGN, FORGOTTEN)
    assert seen.cells == []
    assert seen.text.index("no file declares it any more: URL group mine") < seen.text.index(
        "Left alone, not this project's: URL group theirs"
    )


def test_an_account_of_which_nothing_is_to_be_said_has_no_section() -> None:
    assert list(write_changes_markdown([UNCHANGED])) == []


def test_where_the_account_was_not_asked_what_is_declared_is_counted() -> None:
    seen = page(replace(CREATED, action="unknown"), replace(CREATED, action="unknown"))
    assert "Declared, and not compared with the account: 2 queues" in seen.text


def test_what_could_not_be_compared_is_told_also_of_what_stays() -> None:
    seen = page(replace(UNCHANGED, notes=("not compared: `body`",)))
    assert "Note on queue invoices: not compared: body" in seen.text
    assert seen.code == ["invoices", "body"]


def test_a_secret_that_changes_shows_that_it_does_and_nothing_else() -> None:
    hidden = change_body("***", "***")
    assert page(hidden).cells[1][2] == "body *** → ***, another value"
    assert write(hidden)[1] == "  body           *** -> ***, another value"


def test_what_qstash_does_not_show_is_no_pair_of_digests_to_people() -> None:
    unseen = change_body("0123456789ab", "ba9876543210", field=UNSEEN)
    said = "something that QStash does not show changed"
    assert page(unseen).cells[1][2] == f"settings {said}"
    assert write(unseen)[1] == f"  settings       {said}"


@settings(deadline=None)
@given(old=TEXT, new=TEXT, key=TEXT.filter(str.strip), field=TEXT.filter(str.strip), note=TEXT)
def test_no_value_leaves_its_cell_or_becomes_markup_a_link_or_a_mention(
    old: str, new: str, key: str, field: str, note: str
) -> None:
    change = replace(change_body(old, new, field=field), key=key, notes=(note,))
    seen = page(change, change)
    assert set(seen.tags) <= {"h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert [len(cells) for cells in seen.cells] == [4, 4, 4]
    outside = seen.text
    for code in sorted(seen.code, key=len, reverse=True):
        outside = outside.replace(code, "", 1)
    assert not {"@", "#"} & set(outside)
    assert not any(UNSAFE.search(line) for line in "\n".join(write_changes_markdown([change])).split("\n"))


def test_a_comment_of_githubs_holds_it_whatever_it_is_and_deletions_come_first() -> None:
    long = change_body("x" * 5_000 + "a", "x" * 5_000 + "b")
    wide = replace(long, fields=long.fields * 1_000)
    lines = list(write_changes_markdown([wide, *[long] * 2_000, DELETED]))
    assert sum(map(len, lines)) < MOST_CHARACTERS + 2_000
    seen = Page("\n".join(lines))
    assert seen.cells[1][:2] == ["schedule", "billing-old"]
    assert "and 970 more" in seen.text
    assert "changes more that would be too long for this place" in seen.text


@pytest.mark.parametrize(
    ("old", "new"),
    [("x" * 500 + "old", "x" * 500 + "new"), ("x" * 500, "x" * 500 + "new"), ("old" + "x" * 500, "x" * 500)],
)
def test_of_long_values_the_part_that_differs_is_shown(old: str, new: str) -> None:
    [_, line] = write(change_body(old, new))
    before, after = line.split("body", 1)[1].strip().split(" -> ")
    assert before != after
    assert max(len(before), len(after)) <= 200


def test_a_narrow_terminal_gets_both_values_under_each_other() -> None:
    url = change_body("https://api.example.com/digest/daily", "https://api.example.com/digest/weekly", "url")
    lines = write(url, width=60)
    assert lines[1:] == [
        "  url            https://api.example.com/digest/daily",
        "              -> https://api.example.com/digest/weekly",
    ]
    wide = change_body("a" * 150, "b" * 150, "headers.X-Quite-A-Long-Name-Of-A-Header")
    assert all(cell_width(line) <= 60 for line in write(wide, width=60)[1:])


def test_many_things_of_others_are_counted_and_the_projects_own_is_still_named() -> None:
    others = [replace(FOREIGN, key=f"t-{number}", name=f"t-{number}") for number in range(1_000)]
    lines = write(*others, FORGOTTEN)
    assert lines[0] == "left alone: URL group mine: no file declares it any more"
    assert lines[-1] == "left alone: 981 more; --format jsonl lists all"
    assert len(lines) == 21
    assert "and 950 more" in page(*others).text
    assert len(list(write_changes_jsonl(others))) == 1_000


def test_a_line_of_json_holds_the_values_whole() -> None:
    [line] = write_changes_jsonl([change_body("x" * 500, "y" * 500)], environment="eu")
    assert json.loads(line) == {
        "kind": "schedule",
        "key": "nightly",
        "name": "billing-nightly",
        "action": "update",
        "changes": [{"field": "body", "old": "x" * 500, "new": "y" * 500}],
        "file": "jobs/a.yaml",
        "line": 2,
        "notes": [],
        "needs_force": None,
        "environment": "eu",
    }


def test_the_sum_says_first_what_nobody_gets_back() -> None:
    changes = [CREATED, UPDATED, DELETED, UNCHANGED]
    assert summarise_changes(changes) == "would delete 1, update 1, create 1 in the account; 1 unchanged"
    assert summarise_changes([UNCHANGED]) == "nothing would change in the account; 1 unchanged"


@settings(deadline=None)
@given(reason=TEXT, said=TEXT, advice=TEXT)
def test_nothing_that_qstash_said_leaves_its_place_in_the_summary_of_an_apply(
    reason: str, said: str, advice: str
) -> None:
    failed = Verdict(change=UPDATED, state="failed", reason=reason, exit_code=1)
    made = Verdict(change=CREATED, state="applied")
    lines = write_applied_markdown([made, failed], said=said, advice=advice)
    seen = Page("\n".join(lines))
    assert set(seen.tags) <= {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert [cells[0] for cells in seen.cells] == ["", "failed update", "created"]
    assert [len(cells) for cells in seen.cells] == [5, 5, 5]
