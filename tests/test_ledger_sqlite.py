"""What the SQLite ledger does with its file, with the disk under it and with the programs beside it."""

import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qstash_jobs.boundary import Scope
from qstash_jobs.errors import LedgerError, LockedError
from qstash_jobs.ledger.opening import connect, require_sqlite
from qstash_jobs.ledger.sqlite import SqliteLedger, open_sqlite
from qstash_jobs.record import RunKey, Slot, State

NOW = datetime(2026, 3, 4, tzinfo=UTC)

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from qstash_jobs.boundary import Scope
from qstash_jobs.errors import StopError
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import Record, Result, RunKey, Slot, State

NOW = datetime(2026, 3, 4, tzinfo=UTC)

def claim(slot):
    return Record(slot=slot, id=f"qj-{slot.row:040x}", dedup_id=None, fingerprint=b"f" * 16, state=State.SENDING,
                  attempt=1, run="7f3a", file="jobs/a.yaml", line=1, target="https://example.com/")

def result(slot):
    return Result(slot=slot, attempt=1, state=State.PUBLISHED, settled_at=NOW,
                  endpoints=(Endpoint(message_id=f"msg_{slot.row}"),), status=201)

def write(ledger, first, last, size):
    "Write claims, and with each batch the results of the one before; yield after each durable write."
    number = ledger.open_key(RunKey(project="", environment="", target="t", text="k"), run="7f3a", at=NOW).number
    before = []
    for start in range(first, last, size):
        slots = [Slot(key=number, job="a", row=row) for row in range(start, start + size)]
        ledger.find(slots)
        ledger.write(results=[result(slot) for slot in before], intents=[claim(slot) for slot in slots])
        before = slots
        yield start + size - 1
"""


def program(text: str, *arguments: object, **options: object) -> "subprocess.Popen[str]":
    """Start a program of its own that may use WRITER's functions."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", WRITER + text, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def output(text: str, *arguments: object, **options: object) -> str:
    with program(text, *arguments, **options) as process:
        said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said, said
    return said


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "qstash-jobs" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    opened = open_sqlite(path)
    yield opened
    opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# the file


def test_only_its_owner_can_read_the_ledger(tmp_path: Path, path: Path) -> None:
    ledger = open_sqlite(path)
    with ledger.lock([Scope(text="a")]):
        made = {one.relative_to(tmp_path): one for one in tmp_path.rglob("*")}
        assert {mode(one) for one in made.values() if one.is_dir()} == {0o700}
        assert {mode(one) for one in made.values() if one.is_file()} == {0o600}
        assert {"ledger.db", "ledger.db-wal", "ledger.db-shm"} <= {name.name for name in made}
    ledger.close()


def test_closing_leaves_one_file_and_the_locks(path: Path) -> None:
    ledger = open_sqlite(path)
    ledger.close()
    ledger.close()
    assert sorted(one.name for one in path.parent.iterdir()) == ["ledger.db", "ledger.db.lock.d"]


def test_writes_are_synced_and_the_cache_is_bounded(path: Path) -> None:
    # the settings belong to a connection, so they are asked of the code that opens one
    connection = connect(path, read_only=False, busy_s=1)
    asked = ("journal_mode", "synchronous", "cache_size", "trusted_schema")
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    connection.close()
    assert found == ["wal", 2, -4000, 0]


def test_a_path_with_odd_characters_is_that_path(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&b#c %41 ü" / "l%20edger?.db"
    open_sqlite(path).close()
    assert path.stat().st_size > 0


def test_many_programs_can_make_the_same_ledger_at_once(path: Path) -> None:
    text = "import sys; print(open_sqlite(Path(sys.argv[1])).id)"
    processes = [program(text, path) for _ in range(5)]
    said = {process.communicate(timeout=60)[0] for process in processes}
    assert len(said) == 1
    assert len(said.pop().strip()) == 16


def test_a_program_that_ended_while_making_the_ledger_left_nothing_in_the_way(path: Path) -> None:
    path.parent.mkdir(parents=True)
    for ending in (".new", ".new-wal", ".new-journal"):
        path.with_name(path.name + ending).write_bytes(b"half")
    open_sqlite(path).close()
    assert not list(path.parent.glob("*.new*"))


# refusals


def refusal(path: Path, *, read_only: bool = False) -> str:
    with pytest.raises(LedgerError) as refused:
        open_sqlite(path, read_only=read_only)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    assert "is an empty file" in refusal(path)
    assert path.stat().st_size == 0


@pytest.mark.parametrize("content", [b"x", b"not a database " * 400, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    assert "is not a ledger" in refusal(path)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cookies.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cookies (name)")
    other.close()
    before = path.read_bytes()
    assert "is not a ledger" in refusal(path)
    assert path.read_bytes() == before


def test_a_ledger_cut_short_is_refused(path: Path) -> None:
    open_sqlite(path).close()
    os.truncate(path, 4096 * 3)
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_ledger_of_a_newer_version_is_refused(path: Path, read_only: bool) -> None:
    open_sqlite(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "was written by a newer qstash-jobs" in refusal(path, read_only=read_only)


def test_a_symbolic_link_is_refused(tmp_path: Path, path: Path) -> None:
    open_sqlite(path).close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert "is a symbolic link" in refusal(link)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    assert "is a symbolic link" in refusal(link)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo, unix = tmp_path / "fifo", tmp_path / "socket"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(unix))
        kinds = {path: refusal(path) for path in (fifo, unix, Path("/dev/null"))}
    assert all("is a device, pipe or socket" in said for said in kinds.values())
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["file/ledger.db", "x" * 300, "a\0b"])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    refusal(tmp_path / name)


def test_the_journal_of_a_ledger_that_is_gone_is_not_played_into_a_new_one(path: Path) -> None:
    path.parent.mkdir(parents=True)
    remains = path.with_name("ledger.db-wal")
    remains.write_bytes(b"old")
    assert "is left of a ledger that is gone" in refusal(path)
    remains.unlink()
    open_sqlite(path).close()


def test_an_sqlite_that_is_too_old_is_refused() -> None:
    require_sqlite((3, 38, 0))
    with pytest.raises(LedgerError, match=r"has SQLite 3\.37\.2, and the ledger needs 3\.38\.0"):
        require_sqlite((3, 37, 2))


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that a user without rights can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


OPEN = """
import os
from qstash_jobs.ledger.migrations import newest
newest()  # everything is loaded while the interpreter's folder can still be read
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_sqlite(Path(sys.argv[1])).close()
    print("opened")
except StopError as error:
    print(error.exit_code, error)
"""


def test_a_folder_that_cannot_be_written_is_refused(shared_folder: Path) -> None:
    path = shared_folder / "ledger.db"
    shared_folder.chmod(0o555)
    assert output(OPEN, path).startswith("6 the lock")
    shared_folder.chmod(0o755)
    open_sqlite(path).close()
    path.chmod(0o666)
    shared_folder.chmod(0o555)
    assert f"6 the ledger {path} cannot be " in output(OPEN, path)
    shared_folder.chmod(0o755)


def test_a_ledger_that_cannot_be_written_is_refused(shared_folder: Path) -> None:
    path = shared_folder / "ledger.db"
    open_sqlite(path).close()
    shared_folder.chmod(0o777)
    path.chmod(0o444)
    assert output(OPEN, path).startswith(f"6 the ledger {path} cannot be written")
    path.chmod(0o000)
    assert output(OPEN, path).startswith(f"6 the ledger {path} cannot be opened")


# reading only


def test_a_ledger_opened_to_read_cannot_be_written(path: Path, ledger: SqliteLedger) -> None:
    reader = open_sqlite(path, read_only=True)
    assert reader.id == ledger.id
    with pytest.raises(LedgerError, match="cannot be written"):
        reader.write(released=["x"])
    reader.close()


def test_reading_makes_no_ledger(path: Path) -> None:
    assert "there is no ledger at" in refusal(path, read_only=True)
    assert not path.parent.exists()


# ends that nobody chose


def test_every_write_that_returned_is_there_after_a_kill(path: Path) -> None:
    text = "for row in write(open_sqlite(Path(sys.argv[1])), 1, 10**6, 10): print(row, flush=True)"
    process = program(text, path)
    for _ in range(60):
        last = int(line(process))
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    last = max([last, *(int(word) for word in rest.split("\n")[:-1] if word)])
    ledger = open_sqlite(path)
    key = next(iter(ledger.messages())).slot.key
    found = ledger.find([Slot(key=key, job="a", row=row) for row in range(1, last + 1)])
    assert [known and known.state for known in found[:-10]] == [State.PUBLISHED] * (last - 10)
    assert all(known and known.state in (State.SENDING, State.PUBLISHED) for known in found[-10:])
    ledger.close()


FILL = """
import resource
ledger = open_sqlite(Path(sys.argv[1]))
written = 0
if sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for written in write(ledger, 1, 10**5, 100): pass
except StopError as error:
    print(written, error.exit_code, error)
try:
    ledger.close()
except StopError as error:
    pass
"""


def assert_all_there(path: Path, last: int) -> None:
    ledger = open_sqlite(path)
    assert [known.slot.row for known in ledger.messages()] == list(range(1, last + 1))
    ledger.close()


def test_a_file_that_may_not_grow_is_a_ledger_error_and_loses_nothing(path: Path) -> None:
    last, exit_code, said = output(FILL, path, 1_000_000).split(" ", 2)
    assert (int(last) > 0, exit_code) == (True, "6")
    assert said.startswith(f"the ledger {path} could not be read or written")
    assert_all_there(path, int(last))


def test_a_full_disk_is_a_ledger_error_and_loses_nothing(tmp_path: Path) -> None:
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine does not let its root mount a file system")
    try:
        last, exit_code, said = output(FILL, disk / "ledger.db").split(" ", 2)
        assert (int(last) > 0, exit_code) == (True, "6")
        assert said.startswith("no room is left for the ledger")
        shutil.copytree(disk, tmp_path / "copy")
        assert_all_there(tmp_path / "copy" / "ledger.db", int(last))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_program_that_keeps_the_ledger_busy_is_waited_for_and_then_named(
    path: Path, ledger: SqliteLedger
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    waiting = open_sqlite(path, busy_s=0.1)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"another program keeps the ledger .* busy"):
        waiting.write(released=["x"])
    assert waiting.find_windows(["x"]) == {}
    other.execute("ROLLBACK")
    waiting.write(released=["x"])
    waiting.close()
    other.close()


def test_a_ledger_damaged_while_in_use_is_a_ledger_error(path: Path) -> None:
    ledger = open_sqlite(path)
    for last in range(1, 4):
        ledger.open_key(RunKey(project="", environment="", target="", text=str(last)), run="r", at=NOW)
    ledger.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(LedgerError, match="is damaged"):
        list(open_sqlite(path).runs())


# locks between programs

HOLD = """
ledger = open_sqlite(Path(sys.argv[1]))
with ledger.lock([Scope(text=one) for one in sys.argv[2:]]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_another_program_that_holds_the_lock_is_named(path: Path, ledger: SqliteLedger) -> None:
    with program(HOLD, path, "a", "b", stdin=subprocess.PIPE) as holder:
        assert line(holder) == "held"
        said = rf"run of these jobs is under way \(pid {holder.pid} since \d+-\d\d-\d\d \d\d:\d\d:\d\d UTC\)$"
        with pytest.raises(LockedError, match=said), ledger.lock([Scope(text="b")]):
            pytest.fail("both hold it")
        with ledger.lock([Scope(text="c")]):
            pass
        holder.communicate("\n")
    with ledger.lock([Scope(text="a"), Scope(text="b")]):
        pass


def test_a_lock_ends_with_its_holder_however_that_ends(path: Path, ledger: SqliteLedger) -> None:
    with program(HOLD, path, "a", stdin=subprocess.PIPE) as holder:
        assert line(holder) == "held"
        holder.kill()
        holder.wait()
        with ledger.lock([Scope(text="a")]):
            pass


def test_the_files_of_locks_stay(path: Path, ledger: SqliteLedger) -> None:
    with ledger.lock([Scope(text="a")]):
        held = sorted(path.with_name("ledger.db.lock.d").iterdir())
    assert sorted(path.with_name("ledger.db.lock.d").iterdir()) == held


# size


def test_memory_does_not_grow_with_the_rows(path: Path) -> None:
    text = """
import resource
peak = {}
for row in write(open_sqlite(Path(sys.argv[1])), 1, 100_001, 1000):
    peak[row] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak[100_000] - peak[20_000])
"""
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(output(text, path)) * unit < 3 * 2**20
