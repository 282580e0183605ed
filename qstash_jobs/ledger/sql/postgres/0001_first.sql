-- The first schema. It lies in a schema of its own, which is the search path while this runs.
-- Times are microseconds since 1970 in UTC by the runners' clock, except where they are timestamptz: those are the
-- server's. 0 and '' stand for what is not known, as they do in SQLite.

CREATE TABLE meta (
    application text NOT NULL CHECK (application = 'qstash-jobs'),
    version integer NOT NULL,
    id text NOT NULL,
    fingerprint_key bytea NOT NULL
);

-- Names of jobs and files, ids of runs and of the machines' starts: kept once, referred to by number.
CREATE TABLE names (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE runs (
    number integer PRIMARY KEY,      -- the id's number in names; grows with every run
    started_at bigint NOT NULL,
    project text NOT NULL,
    environment text NOT NULL,
    target text NOT NULL,
    paths text NOT NULL,             -- JSON
    options text NOT NULL,           -- JSON
    expected bigint NOT NULL,
    ended_at bigint,
    exit_code integer,
    totals text                      -- JSON
);

CREATE TABLE keys (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    first_run integer NOT NULL,
    started_at bigint NOT NULL,
    UNIQUE (text, project, environment, target)
);

CREATE TABLE run_keys (
    run integer NOT NULL,
    key integer NOT NULL,
    place integer GENERATED ALWAYS AS IDENTITY,  -- in the order in which the run opened its keys
    PRIMARY KEY (run, key)
);

CREATE TABLE messages (
    key integer NOT NULL,
    job integer NOT NULL,
    row bigint NOT NULL,
    row_key text COLLATE "C" NOT NULL,  -- '': the row's number is its identity
    generation integer NOT NULL,
    id bytea NOT NULL,               -- the 40 hex digits as 20 bytes
    dedup_id text,                   -- '': the id; NULL: none was sent
    fingerprint bytea NOT NULL,
    state text NOT NULL,
    attempt bigint NOT NULL,
    run integer NOT NULL,
    file integer NOT NULL,
    line bigint NOT NULL,
    target text NOT NULL,
    maybe_wall bigint,               -- first maybe sent: the wall clock,
    maybe_boot integer,              -- the machine's start,
    maybe_boot_s double precision,   -- and the seconds since
    settled_at bigint NOT NULL,
    endpoints text NOT NULL,         -- one message id as it is, anything more as JSON
    status integer NOT NULL,
    error text NOT NULL,
    holder bigint NOT NULL,          -- which runner has claimed it,
    held_until timestamptz NOT NULL, -- and until when that is good, while the state is `sending`
    PRIMARY KEY (key, job, row, row_key, generation)
) WITH (fillfactor = 70);            -- room for a result beside its claim, without an entry in the index

CREATE UNIQUE INDEX messages_row_key ON messages (key, job, row_key, generation) WHERE row_key <> '';

CREATE TABLE windows (
    dedup_id bytea PRIMARY KEY,      -- a derived id's 40 hex digits as 20 bytes; any other as text after a zero byte
    until double precision NOT NULL,
    owner integer NOT NULL,          -- the job, as the window names it
    key integer NOT NULL,
    job integer NOT NULL,
    row bigint NOT NULL,
    row_key text COLLATE "C" NOT NULL,
    generation integer NOT NULL
);

-- What is known of messages otherwise than by an answer to them. Only ever added to: a message that is sent again keeps
-- what was found out before.
CREATE TABLE evidence (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key integer NOT NULL,
    job integer NOT NULL,
    row bigint NOT NULL,
    row_key text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    at bigint NOT NULL,
    witness text NOT NULL,
    verdict text NOT NULL,
    who text NOT NULL,               -- '': nobody
    UNIQUE (key, job, row_key, row, generation, at, witness, verdict, who)
);

-- What QStash's log listed under a run key that was new here, until the message itself comes by.
CREATE TABLE listed (
    key integer NOT NULL,
    label text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    endpoints text NOT NULL,         -- as in messages
    PRIMARY KEY (key, label)
);

-- What runners hold against each other: job files, and queues. A line counts while the advisory lock on its session's
-- number is held, which the server takes back when the session ends, however it ends.
CREATE TABLE holds (
    scope text COLLATE "C" NOT NULL,
    session bigint NOT NULL,
    run_key text,                    -- runners of this key may share it; NULL: nobody may
    who text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, session)
);
