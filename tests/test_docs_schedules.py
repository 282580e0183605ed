"""The page about schedules: its commands run in a folder with its files, and make what it shows."""

import shlex

from doc_blocks import read_blocks

PAGE = "schedules.md"


def test_the_pages_crontab_becomes_the_pages_job_file(cli):
    [crontab] = read_blocks(PAGE, "crontab")
    made = next(block for block in read_blocks(PAGE, "yaml") if block.path == "jobs/cron.yaml")
    commands = next(block for block in read_blocks(PAGE, "sh") if "--from crontab" in block.text)
    cli.write("crontab", crontab.text)
    for line in commands.text.splitlines():
        program, *words = shlex.split(line)
        assert program == "qstash-jobs"
        assert cli(*words).code == 0, line
    assert (cli.folder / "jobs/cron.yaml").read_text() == made.text


def test_the_pages_look_ahead_lists_the_schedules_of_its_job_file(cli):
    made = next(block for block in read_blocks(PAGE, "yaml") if block.path == "jobs/cron.yaml")
    commands = next(block for block in read_blocks(PAGE, "sh") if "schedules next" in block.text)
    cli.write("qstash-jobs.yaml", "project: p\n")
    cli.write("jobs/cron.yaml", made.text)
    everything, chosen = (cli(*shlex.split(line)[1:]) for line in commands.text.splitlines())
    assert (everything.code, chosen.code) == (0, 0)
    assert everything.out.count("jobs/cron:digest ") == everything.out.count("jobs/cron:poll ") == 5
    assert chosen.out.count("`jobs/cron:digest`") == 10


def test_the_pages_schedule_is_published_now_and_rehearsed(cli):
    made = next(block for block in read_blocks(PAGE, "yaml") if block.path == "jobs/cron.yaml")
    commands = next(block for block in read_blocks(PAGE, "sh") if "--schedule digest" in block.text)
    cli.write("jobs/cron.yaml", made.text)
    planned, published, rehearsed = (cli(*shlex.split(line)[1:]) for line in commands.text.splitlines())
    assert (planned.code, published.code, rehearsed.code) == (0, 0, 0)
    assert "POST https://api.example.com/digest" in planned.out
    assert [request.target for request in cli.sent] == ["/v2/publish/https://api.example.com/digest"]
    assert "delivered cron:poll GET https://api.example.com/poll" in rehearsed.out
