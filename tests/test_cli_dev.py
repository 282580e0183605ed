"""`dev` runs a server that any QStash client can use until it is interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest
from qstash import QStash

WAIT_S = 60
"""A start costs half a second of a processor, a first one some more, and of a machine on which others work it may get
a tenth."""


@pytest.fixture
def dev():
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    yield process
    process.kill()
    process.wait(WAIT_S)
    process.stdout.close()
    process.stderr.close()


def test_what_it_prints_is_all_that_the_sdk_needs(dev):
    printed = "".join(dev.stdout.readline() for _ in range(4))
    settings = dict(re.findall(r"^export (\w+)=(\S+)$", printed, re.MULTILINE))
    assert list(settings) == [
        "QSTASH_URL",
        "QSTASH_TOKEN",
        "QSTASH_CURRENT_SIGNING_KEY",
        "QSTASH_NEXT_SIGNING_KEY",
    ]
    client = QStash(settings["QSTASH_TOKEN"], base_url=settings["QSTASH_URL"])
    assert client.message.publish_json(url="https://example.com/hook", body={"a": 1}).message_id
    client.http._client.close()
    assert "listening" in dev.stderr.readline()
    page = re.search(r"http://\S+$", dev.stderr.readline())[0]
    assert page == f"{settings['QSTASH_URL']}/"
    with urlopen(page, timeout=10) as answer:
        assert "<title>Local QStash</title>" in answer.read().decode()
    assert 'POST https://example.com/hook 200 {"a": 1}' in dev.stderr.readline()
    dev.send_signal(signal.SIGINT)
    assert dev.wait(WAIT_S) == 0


def test_each_of_many_deliveries_has_its_line_in_its_order(dev):
    settings = dict(dev.stdout.readline().strip().removeprefix("export ").split("=", 1) for _ in range(4))
    urls = [f"https://example.com/{number}" for number in range(250)]
    batch = Request(
        f"{settings['QSTASH_URL']}/v2/batch",
        data=json.dumps([{"destination": url} for url in urls]).encode(),
        headers={"Authorization": f"Bearer {settings['QSTASH_TOKEN']}"},
    )
    with urlopen(batch, timeout=10) as answer:
        assert answer.status == 200
    lines = [dev.stderr.readline() for _ in range(252)]
    assert [line.split()[3] for line in lines[2:]] == urls


def test_a_taken_port_is_a_sentence(dev):
    port = re.search(r":(\d+)$", dev.stdout.readline().strip()).group(1)
    second = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "dev", "--port", port],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert second.returncode == 2
    assert f"cannot listen on port {port}" in second.stderr
