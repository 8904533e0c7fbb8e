-- The ledger: one chain per outlet, append only. Nobody updates or deletes; the head moves one entry at a time.
CREATE TABLE signer.signing_key (
    key_id      text        PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{16}$'),
    public_der  bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE signer.outlet_head (
    outlet_id   text        PRIMARY KEY REFERENCES signer.outlet (id),
    epoch       integer     NOT NULL CHECK (epoch BETWEEN 1 AND 99),
    index       bigint      NOT NULL CHECK (index >= 0),
    entry_hash  bytea       NOT NULL CHECK (octet_length(entry_hash) = 32),
    sequence    bigint      NOT NULL CHECK (sequence BETWEEN 0 AND 999999999),
    sealed_at   timestamptz NOT NULL
);

CREATE TABLE signer.entry (
    outlet_id      text        NOT NULL REFERENCES signer.outlet_head (outlet_id),
    index          bigint      NOT NULL CHECK (index >= 1),
    epoch          integer     NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('invoice', 'dgi_certified', 'dgi_rejected')),
    merchant_nif   text        NOT NULL REFERENCES signer.merchant (nif),
    document_id    uuid        NOT NULL,
    fiscal_number  text        NOT NULL,
    sealed_at      timestamptz NOT NULL,
    statement      bytea       NOT NULL,
    payload        bytea       NOT NULL,
    payload_hash   bytea       NOT NULL CHECK (octet_length(payload_hash) = 32),
    previous_hash  bytea       NOT NULL CHECK (octet_length(previous_hash) = 32),
    entry_hash     bytea       NOT NULL UNIQUE CHECK (octet_length(entry_hash) = 32),
    signature      bytea       NOT NULL CHECK (octet_length(signature) = 64),
    key_id         text        NOT NULL REFERENCES signer.signing_key (key_id),
    public_url     text        NOT NULL,  -- the address that is in the printed QR
    PRIMARY KEY (outlet_id, index)
);
CREATE UNIQUE INDEX entry_invoice_number ON signer.entry (fiscal_number) WHERE kind = 'invoice';
CREATE UNIQUE INDEX entry_invoice_document ON signer.entry (merchant_nif, document_id) WHERE kind = 'invoice';
CREATE UNIQUE INDEX entry_verdict_number ON signer.entry (fiscal_number) WHERE kind <> 'invoice';

CREATE FUNCTION signer.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: these rows are never changed or deleted', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE ON signer.entry
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER entry_is_never_truncated BEFORE TRUNCATE ON signer.entry
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON signer.outlet_head
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER head_is_never_truncated BEFORE TRUNCATE ON signer.outlet_head
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER signing_key_is_append_only BEFORE UPDATE OR DELETE ON signer.signing_key
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER signing_key_is_never_truncated BEFORE TRUNCATE ON signer.signing_key
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();

-- A head starts empty and then moves forward by exactly one entry.
CREATE FUNCTION signer.head_starts_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.index <> 0 OR NEW.sequence <> 0 OR NEW.epoch <> 1 OR NEW.entry_hash <> decode(repeat('00', 32), 'hex') THEN
        RAISE EXCEPTION 'a new head is empty' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_starts_empty BEFORE INSERT ON signer.outlet_head
    FOR EACH ROW EXECUTE FUNCTION signer.head_starts_empty();

CREATE FUNCTION signer.head_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.outlet_id <> OLD.outlet_id OR NEW.epoch <> OLD.epoch OR NEW.index <> OLD.index + 1
       OR NEW.sequence NOT IN (OLD.sequence, OLD.sequence + 1) OR NEW.sealed_at < OLD.sealed_at
       OR NEW.entry_hash = OLD.entry_hash THEN
        RAISE EXCEPTION 'the head of % only moves forward by one entry', OLD.outlet_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_moves_forward BEFORE UPDATE ON signer.outlet_head
    FOR EACH ROW EXECUTE FUNCTION signer.head_moves_forward();

-- An entry is inserted only as the head of its chain, on top of the entry before it.
CREATE FUNCTION signer.entry_extends_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM signer.outlet_head h WHERE h.outlet_id = NEW.outlet_id AND h.index = NEW.index
                   AND h.epoch = NEW.epoch AND h.entry_hash = NEW.entry_hash AND h.sealed_at = NEW.sealed_at)
       OR NEW.previous_hash <> COALESCE(
            (SELECT e.entry_hash FROM signer.entry e WHERE e.outlet_id = NEW.outlet_id AND e.index = NEW.index - 1),
            CASE WHEN NEW.index = 1 THEN decode(repeat('00', 32), 'hex') ELSE ''::bytea END) THEN
        RAISE EXCEPTION 'entry % of % does not extend its chain', NEW.index, NEW.outlet_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_extends_chain BEFORE INSERT ON signer.entry
    FOR EACH ROW EXECUTE FUNCTION signer.entry_extends_chain();

-- A head that moved without its entry would be a gap: refused at commit.
CREATE FUNCTION signer.head_has_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM signer.entry e WHERE e.outlet_id = NEW.outlet_id AND e.index = NEW.index
                   AND e.entry_hash = NEW.entry_hash) THEN
        RAISE EXCEPTION 'the head of % names an entry that does not exist', NEW.outlet_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER head_has_entry AFTER UPDATE ON signer.outlet_head
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION signer.head_has_entry();
