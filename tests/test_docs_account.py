"""The page about the account: its files are written and its commands are typed, in their order."""

import shlex

from doc_blocks import read_blocks

PAGE = "account.md"


def test_the_commands_of_the_page_do_what_it_says(cli):
    for block in read_blocks(PAGE, "yaml"):
        cli.write(block.text.partition("\n")[0].removeprefix("# "), block.text)
    commands = [line for block in read_blocks(PAGE, "console") for line in block.text.splitlines()]
    kept_before = "schedules: {later: {cron: '0 5 * * *', url: https://example.com}}\n"
    codes = []
    for command in commands:
        if "--out" in command:
            cli.write("jobs/later.yaml", kept_before)
        program, *words = shlex.split(command)
        assert program == "qstash-jobs"
        codes.append(cli(*words).code)
    assert codes == [0] * 5
    assert cli("plan", "jobs", "--exit-code").code == 0
    assert len([one for one in cli.sent if one.target.startswith("/v2/schedules/")]) == 2
