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
