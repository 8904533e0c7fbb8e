CREATE TABLE IF NOT EXISTS invoice (
    uid           TEXT PRIMARY KEY,
    nim           TEXT NOT NULL,
    nif           TEXT NOT NULL,
    rn            TEXT NOT NULL,
    type          TEXT NOT NULL,
    reference     TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'cancelled', 'expired')),
    submitted_at  REAL NOT NULL,              -- Unix seconds, the service's clock
    request       BLOB NOT NULL,              -- as received
    answer        BLOB NOT NULL,              -- totals as answered, JSON
    total         TEXT NOT NULL,              -- decimal
    vtotal        TEXT NOT NULL,              -- decimal
    type_counter  INTEGER,
    total_counter INTEGER,
    code          TEXT UNIQUE,
    date_time     TEXT,
    CHECK ((state = 'confirmed') = (code IS NOT NULL AND date_time IS NOT NULL
                                    AND type_counter IS NOT NULL AND total_counter IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS invoice_certified_rn ON invoice (nif, rn) WHERE state = 'confirmed';
CREATE UNIQUE INDEX IF NOT EXISTS invoice_total_counter ON invoice (nim, total_counter) WHERE state = 'confirmed';
CREATE UNIQUE INDEX IF NOT EXISTS invoice_type_counter ON invoice (nim, type, type_counter) WHERE state = 'confirmed';
CREATE INDEX IF NOT EXISTS invoice_pending ON invoice (nim, submitted_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS invoice_recent ON invoice (nim, submitted_at);
CREATE INDEX IF NOT EXISTS invoice_state ON invoice (nim, state);
CREATE INDEX IF NOT EXISTS invoice_reference ON invoice (nif, reference) WHERE state = 'confirmed';

CREATE TABLE IF NOT EXISTS exchange (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at REAL NOT NULL,
    answered_at REAL NOT NULL,
    nim         TEXT,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    request     BLOB NOT NULL,
    status      INTEGER NOT NULL,
    response    BLOB NOT NULL,
    error_code  TEXT,
    error_desc  TEXT,
    fault       TEXT                          -- the injected fault, if any; after a drop_* the response was never sent
) STRICT;

CREATE INDEX IF NOT EXISTS exchange_nim ON exchange (nim, id);
CREATE INDEX IF NOT EXISTS exchange_refused ON exchange (nim, id)
    WHERE error_code IS NOT NULL OR fault IS NOT NULL OR status >= 400;

-- The go-live checklist: what is passed, the troubles that wait for their end, and how far the exchanges are judged.
CREATE TABLE IF NOT EXISTS checklist_tick (
    nim       TEXT NOT NULL,
    scenario  TEXT NOT NULL,
    passed_at REAL NOT NULL,
    rn        TEXT NOT NULL,
    uid       TEXT NOT NULL,
    PRIMARY KEY (nim, scenario)
) STRICT;

CREATE TABLE IF NOT EXISTS checklist_trace (
    nim     TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('lost', 'cut', 'refused', 'outage', 'token')),
    uid     TEXT NOT NULL,
    rn      TEXT NOT NULL,
    content TEXT NOT NULL,                    -- digest of the invoice without its number
    asked   INTEGER NOT NULL DEFAULT 0,
    spoiled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (nim, kind, rn, content, uid)
) STRICT;

CREATE TABLE IF NOT EXISTS checklist_mark (
    nim         TEXT PRIMARY KEY,
    exchange_id INTEGER NOT NULL,
    edition     TEXT NOT NULL
) STRICT;
