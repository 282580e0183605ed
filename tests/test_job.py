"""Defaults under jobs: what merges, what is replaced, what is taken away, and where each value is found again."""

from typing import Any

import pytest
import yaml

from qstash_jobs.document import read_document
from qstash_jobs.job import Job, JobFile, Source, read_job_file


def read(text: str, *defaults: str) -> JobFile:
    sources = []
    for number, one in enumerate(defaults):
        document = read_document(one.encode(), file=f"project-{number}.yaml")
        sources.append(Source(document=document, path=("defaults",), fields=document.data["defaults"]))
    document = read_document(text.encode(), file="jobs/all.yaml")
    assert not document.problems
    return read_job_file(document, name="jobs/all", single="jobs" not in document.data, defaults=sources)


def only(text: str, *defaults: str) -> Job:
    (job,) = read(text, *defaults).jobs
    return job


def test_a_single_job_is_named_after_its_file() -> None:
    job = only("url: https://a.example.com\nx-note: mine\nrun_key: k\n")
    assert (job.id, job.name, job.line) == ("all", "jobs/all:all", 1)
    assert dict(job.fields) == {"url": "https://a.example.com"}


def test_jobs_keep_the_order_in_which_they_are_written() -> None:
    file = read("jobs:\n  z: {url: https://a.example.com}\n  a: {url: https://a.example.com}\n")
    assert [job.name for job in file.jobs] == ["jobs/all:z", "jobs/all:a"]
    assert [job.line for job in file.jobs] == [2, 3]


def test_the_nearest_default_wins_and_a_job_over_all_of_them() -> None:
    text = "defaults: {retries: 3}\njobs:\n  a: {}\n  b: {retries: 4}\n"
    weak, strong = "defaults: {retries: 1, timeout: 1s}\n", "defaults: {retries: 2}\n"
    a, b = read(text, weak, strong).jobs
    assert (a.fields["retries"], b.fields["retries"], a.fields["timeout"]) == (3, 4, "1s")
    assert a.place(("retries",)).file == "jobs/all.yaml"
    assert a.place(("timeout",)).file == "project-0.yaml"


def test_headers_merge_whatever_their_letters_and_keep_their_place() -> None:
    job = only(
        "defaults:\n  headers: {X-A: a, x-b: b}\njobs:\n  j:\n    headers: {X-B: 2.50, X-C: no}\n",
        "defaults: {headers: {x-a: project, X-D: true}}\n",
    )
    assert job.fields["headers"] == {"X-D": "true", "X-A": "a", "X-B": "2.50", "X-C": "no"}
    assert job.place(("headers", "X-B")).line == 5
    assert job.place(("headers", "X-A")).line == 2
    assert job.place(("headers", "X-D")).file == "project-0.yaml"


def test_flow_control_merges_by_key() -> None:
    job = only("defaults: {flow_control: {key: k, rate: 1}}\njobs: {j: {flow_control: {rate: 2}}}\n")
    assert job.fields["flow_control"] == {"key": "k", "rate": 2}


def test_null_takes_a_default_away() -> None:
    job = only(
        "defaults: {retries: 3, headers: {X-A: a, X-B: b}}\njobs: {j: {retries: null, headers: {x-a: null}}}\n"
    )
    assert dict(job.fields) == {"headers": {"X-B": "b"}}


@pytest.mark.parametrize(
    ("default", "own"),
    [
        ({"url": "https://a.example.com"}, {"url_group": "g"}),
        ({"url_group": "g"}, {"url": "https://a.example.com"}),
        ({"body": "a"}, {"body_file": "b"}),
        ({"body_file": "a"}, {"body_base64": "Yg=="}),
        ({"delay": "3s"}, {"not_before": 1}),
        ({"not_before": 1}, {"delay": "3s"}),
    ],
)
def test_a_field_displaces_the_default_that_it_cannot_stand_beside(default: Any, own: Any) -> None:
    job = only(yaml.safe_dump({"defaults": default, "jobs": {"j": own}}))
    assert dict(job.fields) == own


def test_what_is_about_a_job_is_no_field_of_its_message() -> None:
    job = only("jobs: {j: {description: d, enabled: false, for_each: [{a: 1}], url: u}}\n")
    assert (job.description, job.enabled, job.for_each, dict(job.fields)) == (
        "d",
        False,
        [{"a": 1}],
        {"url": "u"},
    )
    assert job.place(("for_each",)).column == len("jobs: {j: {description: d, enabled: false, for_each: ") + 1


def test_a_schedule_takes_no_default_that_it_cannot_have() -> None:
    file = read(
        "defaults: {dedup: content, for_each: a.csv, retries: 1}\nschedules: {s: {cron: '* * * * *'}}\njobs: {}\n"
    )
    (schedule,) = file.schedules
    assert dict(schedule.fields) == {"retries": 1, "cron": "* * * * *"}
    assert schedule.for_each is None


def test_a_path_that_is_nowhere_leads_to_the_job_itself() -> None:
    job = only("jobs:\n  j: {url: u}\n")
    assert (job.place(("nope",)).line, job.place(("url", "deep")).column) == (2, 12)
