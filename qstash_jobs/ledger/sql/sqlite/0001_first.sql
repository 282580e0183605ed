-- The first schema. Times are microseconds since 1970 in UTC.
-- In `messages`, 0 and '' stand for what is not known where rows are written in bulk: CPython's sqlite3 binds a
-- NULL several times slower than a number or a text.

PRAGMA application_id = 1902800738;  -- "qjob"

CREATE TABLE meta (
    id TEXT NOT NULL,
    fingerprint_key BLOB NOT NULL
) STRICT;

-- Names of jobs and files, ids of runs and of the machine's starts: kept once, referred to by number.
CREATE TABLE names (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,      -- the id's number in names; grows with every run
    started_at INTEGER NOT NULL,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    target TEXT NOT NULL,
    paths TEXT NOT NULL,             -- JSON
    options TEXT NOT NULL,           -- JSON
    expected INTEGER NOT NULL,
    ended_at INTEGER,
    exit_code INTEGER,
    totals TEXT                      -- JSON
) STRICT;

CREATE TABLE keys (
    number INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    target TEXT NOT NULL,
    text TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    UNIQUE (text, project, environment, target)
) STRICT;

CREATE TABLE run_keys (
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    UNIQUE (run, key)
) STRICT;

-- Rows of a run come in the order of the primary key, so that each goes to the end. A random key would be most of
-- the ledger's cost: ids have no index, and row keys have one only where the job gives them.
CREATE TABLE messages (
    key INTEGER NOT NULL,
    job INTEGER NOT NULL,
    row INTEGER NOT NULL,
    row_key TEXT NOT NULL,           -- '': the row's number is its identity
    generation INTEGER NOT NULL,
    id BLOB NOT NULL,                -- the 40 hex digits as 20 bytes
    dedup_id TEXT,                   -- '': the id; NULL: none was sent
    fingerprint BLOB NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    run INTEGER NOT NULL,
    file INTEGER NOT NULL,
    line INTEGER NOT NULL,
    target TEXT NOT NULL,
    maybe_wall INTEGER,              -- first maybe sent: the wall clock,
    maybe_boot INTEGER,              -- the machine's start,
    maybe_boot_s REAL,               -- and the seconds since
    settled_at INTEGER NOT NULL,
    endpoints TEXT NOT NULL,         -- one message id as it is, anything more as JSON
    status INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (key, job, row, row_key, generation)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX messages_row_key ON messages (key, job, row_key, generation) WHERE row_key <> '';

CREATE TABLE windows (
    dedup_id ANY PRIMARY KEY,        -- a derived id's 40 hex digits as 20 bytes, any other as text
    until REAL NOT NULL,
    owner INTEGER NOT NULL,          -- the job, as the window names it
    key INTEGER NOT NULL,
    job INTEGER NOT NULL,
    row INTEGER NOT NULL,
    row_key TEXT NOT NULL,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
