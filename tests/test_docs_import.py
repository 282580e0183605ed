"""What the page about the account says of `import`: its commands run as they stand."""

import shlex

from doc_blocks import read_blocks
from qstash import QStash


def test_the_pages_import_is_found_unchanged_by_its_plan(cli):
    [block] = [one for one in read_blocks("account.md", "sh") if "qstash-jobs import" in one.text]
    cli.write("qstash-jobs.yaml", "project: billing\n")
    client = QStash(cli.server.token, base_url=cli.server.url)
    client.schedule.create(destination="https://example.com", cron="0 4 * * *", body="text")
    client.http._client.close()
    for line in block.text.splitlines():
        program, *words = shlex.split(line)
        assert program == "qstash-jobs"
        assert cli(*words).code == 0, line
    assert "schedule_id" in (cli.folder / "jobs/account.yaml").read_text()
