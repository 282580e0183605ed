"""What the page about the account says of `import` and `copy`: their commands run as they stand."""

import shlex

from doc_blocks import read_blocks
from qstash import QStash

from qstash_jobs.local import start_server


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


def test_the_pages_copy_makes_the_other_region_hold_the_same(cli):
    [block] = [one for one in read_blocks("account.md", "sh") if "qstash-jobs copy" in one.text]
    with start_server() as eu, start_server() as us:
        clients = []
        for region, server in (("EU_CENTRAL_1", eu), ("US_EAST_1", us)):
            cli.set(f"{region}_QSTASH_URL", server.url)
            cli.set(f"{region}_QSTASH_TOKEN", server.token)
            clients.append(QStash(server.token, base_url=server.url))
        clients[0].schedule.create(destination="https://example.com", cron="0 4 * * *", schedule_id="s")
        for line in block.text.splitlines():
            program, *words = shlex.split(line)
            assert program == "qstash-jobs"
            assert cli(*words).code == 0, line
        assert [one.schedule_id for one in clients[1].schedule.list()] == ["s"]
        for client in clients:
            client.http._client.close()
