"""The local server, with the official JavaScript SDK as its client, its Receiver as the judge, and real deliveries."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from requirement import NODE, do_without

from qstash_jobs.local import start_server

SDK = "@upstash/qstash@2.12.0"
SCRIPT = Path(__file__).parent / "node" / "sdk.mjs"


@pytest.fixture(scope="module")
def sdk_folder() -> Path:
    """A folder that has the SDK; it is kept for the next time."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        do_without(NODE, "there is no node with npm on this machine")
    folder = Path(tempfile.gettempdir()) / f"qstash-jobs-node-{os.getuid()}-{SDK.rpartition('@')[2]}"
    if folder.exists() and folder.stat().st_uid == os.getuid():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "sdk"
        fresh.mkdir()
        words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh), SDK]
        done = subprocess.run(words, cwd=fresh, capture_output=True, text=True, timeout=100)
        if done.returncode:
            do_without(NODE, f"npm cannot install {SDK}: {done.stderr[-500:]}")
        try:
            fresh.rename(folder)
        except OSError:  # another process was quicker
            if not folder.exists():
                raise
    return folder


def test_every_method_of_the_javascript_client_works_and_its_receiver_takes_every_delivery(
    sdk_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(sdk_folder / "node_modules")
    script = shutil.copy(SCRIPT, tmp_path)
    with start_server(deliver=True) as server:
        keys = (server.current_signing_key, server.next_signing_key)
        done = subprocess.run(
            ["node", script, server.url, server.token, *keys],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    # Not QStash's API: one talks to language models, by another path, the other is of the workflows built on it.
    assert said["uncalled"] == ["client.chat", "workflow.cancel"]
    assert len(said["called"]) == 42
    assert said["deliveries"] > 30
