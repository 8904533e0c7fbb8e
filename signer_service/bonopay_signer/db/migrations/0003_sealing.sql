-- What is under way between the signer and the DGI, and the record of every exchange.

-- One row, one generation per process that took the signer's lock: an append by an older process is refused.
CREATE TABLE signer.instance (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    generation  bigint      NOT NULL,
    taken_at    timestamptz NOT NULL
);
INSERT INTO signer.instance (generation, taken_at) VALUES (0, now());

-- One attempt to seal one document. The states are drawn in sealing/submissions.py.
CREATE TABLE signer.submission (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outlet_id        text        NOT NULL REFERENCES signer.outlet (id),
    merchant_nif     text        NOT NULL,
    document_id      uuid        NOT NULL,
    fiscal_number    text        NOT NULL,
    state            text        NOT NULL CHECK (state IN
        ('reserved', 'prepared', 'cancelling', 'released', 'confirming', 'unknown', 'settled')),
    uid              text,
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    reason           text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
-- One document of an outlet at a time between reserve and seal; a number is held by one document at a time.
CREATE UNIQUE INDEX submission_open ON signer.submission (outlet_id) WHERE state IN ('reserved', 'prepared');
CREATE UNIQUE INDEX submission_number ON signer.submission (fiscal_number)
    WHERE state NOT IN ('cancelling', 'released');
CREATE INDEX submission_pending ON signer.submission (next_attempt_at) WHERE state NOT IN ('released', 'settled');

-- What was sent to the DGI and what it answered, byte for byte; never the token.
CREATE TABLE signer.dgi_exchange (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange_id    uuid        NOT NULL,
    direction      text        NOT NULL CHECK (direction IN ('request', 'answer')),
    outlet_id      text        NOT NULL REFERENCES signer.outlet (id),
    fiscal_number  text,
    step           text        NOT NULL,
    method         text,
    path           text,
    http_status    integer,
    body           bytea       NOT NULL,
    error          text,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (exchange_id, direction)
);
CREATE INDEX dgi_exchange_number ON signer.dgi_exchange (fiscal_number);
CREATE TRIGGER dgi_exchange_is_append_only BEFORE UPDATE OR DELETE ON signer.dgi_exchange
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER dgi_exchange_is_never_truncated BEFORE TRUNCATE ON signer.dgi_exchange
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER submission_is_never_deleted BEFORE DELETE ON signer.submission
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER submission_is_never_truncated BEFORE TRUNCATE ON signer.submission
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();
