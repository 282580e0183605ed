-- What is known of messages otherwise than by an answer to them.

-- Only ever added to: a message that is sent again keeps what was found out before.
CREATE TABLE evidence (
    number INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,
    job INTEGER NOT NULL,
    row INTEGER NOT NULL,
    row_key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    witness TEXT NOT NULL,
    verdict TEXT NOT NULL,
    who TEXT NOT NULL                -- '': nobody
) STRICT;

CREATE INDEX evidence_message ON evidence (key, job, row_key, row);

-- What QStash's log listed under a run key that was new here, until the message itself comes by.
CREATE TABLE listed (
    key INTEGER NOT NULL,
    label TEXT NOT NULL,
    at INTEGER NOT NULL,
    endpoints TEXT NOT NULL,         -- as in messages
    PRIMARY KEY (key, label)
) STRICT, WITHOUT ROWID;
