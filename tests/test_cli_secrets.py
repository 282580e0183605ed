"""Neither the token nor a secret is in anything that is printed or kept, whoever repeats it."""

import json

import pytest
from chaos_server import ChaosServer, Peer

from qstash_jobs.cli.main import run

SECRET = "s3cret/with+odd=characters"
TOKEN = "tok3n-of-the-account"


@pytest.fixture
def parrot():
    """A server that refuses every message and repeats all that it was sent."""

    def repeat(peer: Peer) -> None:
        while request := peer.read_request():
            body = json.dumps({"error": "refused " + request.decode("latin-1")}).encode()
            peer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with ChaosServer(repeat) as server:
        yield server


JOB = """\
url: https://example.com/${{ secrets.API_KEY | urlencode }}/hook
headers: {Authorization: "Bearer ${{ secrets.API_KEY }}", X-Basic: "${{ secrets.API_KEY | b64encode }}"}
body: {key: "${{ secrets.API_KEY }}"}
"""


def test_a_server_that_repeats_them_gets_them_into_no_output_and_no_ledger(
    parrot, tmp_path, monkeypatch, capfd
):
    for name, value in {"QSTASH_URL": parrot.url, "QSTASH_TOKEN": TOKEN, "API_KEY": SECRET}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "job.yaml").write_text(JOB)
    ledger = ["--ledger", f"sqlite://{tmp_path / 'state' / 'ledger.db'}"]
    monkeypatch.chdir(tmp_path)
    assert run(["run", "job.yaml", "--results", "results.jsonl", *ledger]) == 1
    assert run(["run", "job.yaml", "--format", "jsonl", *ledger]) == 1
    for format_ in ("markdown", "junit"):
        assert run(["run", "job.yaml", "--format", format_, *ledger]) == 1
    for format_ in ("text", "jsonl", "curl", "markdown"):
        assert run(["plan", "job.yaml", "--format", format_]) == 0
    for format_ in ("text", "json", "github", "sarif", "junit"):
        assert run(["validate", "job.yaml", "--format", format_]) == 0
    assert run(["runs", *ledger]) == 0
    for format_ in ("text", "json", "jsonl", "html", "markdown", "junit", "csv"):
        assert run(["show", "job:job", "--format", format_, *ledger]) == 0
    printed = capfd.readouterr()
    kept = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("results" in path.name for path in tmp_path.iterdir())
    assert any("refused POST" in text for text in kept)
    for text in (printed.out, printed.err, *kept):
        assert TOKEN not in text
        assert SECRET not in text
        assert "s3cret%2Fwith%2Bodd%3Dcharacters" not in text
        assert "czNjcmV0L3dpdGgrb2RkPWNoYXJhY3RlcnM" not in text
