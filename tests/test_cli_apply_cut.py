"""An apply that is cut short at any request is finished by the next one."""

import pytest

FILES = """\
schedules:
  a: {cron: "0 4 * * *", url_group: g, enabled: false}
  b: {cron: "0 5 * * *", url: "https://example.com/b"}
url_groups: {g: {endpoints: {one: "https://example.com/1"}, headers: {X-G: g}}}
queues: {q: {parallelism: 2, paused: true}}
flow_controls: {f: {rate: 5}}
"""


@pytest.mark.parametrize("kind", ["refused", "done"])
@pytest.mark.parametrize("number", range(7))
def test_what_breaks_at_any_change_is_told_and_done_by_the_next_apply(cli, kind, number):
    cli.write("qstash-jobs.yaml", "project: billing\n")
    cli.write("jobs/a.yaml", FILES)
    # the lists are asked twice, before and after the question; then come the seven changes
    fault = {"refused": "error", "done": "accept-then-error"}[kind]
    cli.server.add_fault(
        fault, status=412, skip=8 + number, times=1, on=["topics", "queues", "flowControl", "schedules"]
    )
    first = cli("apply", "jobs", "--yes", "--format", "jsonl")
    states = [line["state"] for line in first.lines]
    assert first.code == 1
    assert len(states) == 5
    assert sorted({"failed", "partial"} & set(states)) != []
    assert cli("apply", "jobs", "--yes").code == 0
    assert cli("plan", "jobs", "--exit-code").code == 0
