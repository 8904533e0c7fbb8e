-- Tills: devices with a key of their own, which sign what they sell before it is sealed (docs/contracts.md §7).

-- What a chain tells of them beside its documents: that a key was admitted, that tickets are missing, that a key was
-- used twice.
DO $$
DECLARE
    kinds text;
BEGIN
    SELECT conname INTO STRICT kinds FROM pg_constraint  -- the table is the second of its name
     WHERE conrelid = 'signer.entry'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%key_rotation%';
    EXECUTE format('ALTER TABLE signer.entry DROP CONSTRAINT %I', kinds);
END $$;
ALTER TABLE signer.entry ADD CONSTRAINT entry_kind CHECK (kind IN ('invoice', 'dgi_certified', 'dgi_rejected',
    'epoch_opened', 'key_rotation', 'credential', 'offline_gap', 'till_cloned'));
CREATE INDEX entry_of_till ON signer.entry (outlet_id, kind, payload_hash) WHERE kind IN ('offline_gap', 'till_cloned');

-- As before, but for the entries without a document, which are of more kinds.
CREATE OR REPLACE FUNCTION signer.append(
    p_shard smallint, p_generation bigint, p_size bigint, p_sealed_at timestamptz, p_public_url text,
    p_outlet text[], p_index bigint[], p_epoch integer[], p_kind text[], p_merchant text[], p_document uuid[],
    p_number text[], p_statement bytea[], p_payload bytea[], p_payload_hash bytea[], p_previous bytea[],
    p_hash bytea[], p_signature bytea[], p_key text[], p_submission bigint[], p_original text[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch  bigint := cardinality(p_hash);
    moved  bigint;
BEGIN
    IF current_setting('bonopay.merchant', true) IS DISTINCT FROM '*' THEN
        RAISE EXCEPTION 'a connection of one merchant appends nothing' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE signer.shard SET size = size + batch, last_hash = p_hash[batch], sealed_at = p_sealed_at
     WHERE id = p_shard AND generation = p_generation AND size = p_size AND sealed_at <= p_sealed_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'shard % is not at position % in generation %', p_shard, p_size, p_generation
            USING ERRCODE = 'BP001';
    END IF;

    INSERT INTO signer.entry
    SELECT p_shard, p_size + b.ord - 1, b.outlet, b.index, b.epoch, b.kind, b.merchant, b.document, b.number,
           p_sealed_at, b.statement, b.payload, b.payload_hash, b.previous, b.hash, b.signature, b.key, p_public_url
      FROM (SELECT e.*, h.epoch AS head_epoch, h.merchant_nif AS head_merchant, m.shard AS head_shard,
                   COALESCE(lag(e.hash) OVER chain, h.entry_hash) AS head_hash,
                   h.index + row_number() OVER chain AS next_index,
                   h.sequence + count(*) FILTER (WHERE e.kind = 'invoice') OVER chain AS sequence
              FROM unnest(p_outlet, p_index, p_epoch, p_kind, p_merchant, p_document, p_number, p_statement, p_payload,
                          p_payload_hash, p_previous, p_hash, p_signature, p_key) WITH ORDINALITY
                   AS e (outlet, index, epoch, kind, merchant, document, number, statement, payload, payload_hash,
                         previous, hash, signature, key, ord)
              JOIN signer.outlet_head h ON h.outlet_id = e.outlet
              JOIN signer.merchant m ON m.nif = h.merchant_nif
            WINDOW chain AS (PARTITION BY e.outlet ORDER BY e.ord)) AS b
     WHERE b.merchant = b.head_merchant AND b.head_shard = p_shard AND b.epoch = b.head_epoch
       AND b.index = b.next_index AND b.previous = b.head_hash
       AND b.payload_hash = sha256(b.payload)
       AND b.hash = sha256('\x626f6e6f7061792f656e7472792f310a'::bytea || b.previous || sha256(b.statement))  -- "bonopay/entry/1\n"
       AND b.kind <> 'epoch_opened'
       AND (b.kind IN ('invoice', 'dgi_certified', 'dgi_rejected')) = (b.document IS NOT NULL)
       AND (b.kind <> 'invoice' OR b.number = 'BONO-' || b.outlet || '-' || to_char(b.epoch, 'FM00') || '-'
                                              || to_char(b.sequence, 'FM000000000'))
       AND b.key IN (SELECT key_id FROM signer.signing_key)
     ORDER BY b.ord;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> batch THEN
        RAISE EXCEPTION 'of % entries % continue their chains', batch, moved USING ERRCODE = 'BP002';
    END IF;

    UPDATE signer.outlet_head h
       SET index = h.index + c.entries, sequence = h.sequence + c.invoices, entry_hash = p_hash[c.last],
           sealed_at = p_sealed_at
      FROM (SELECT e.outlet, count(*) AS entries, count(*) FILTER (WHERE e.kind = 'invoice') AS invoices,
                   max(e.ord) AS last
              FROM unnest(p_outlet, p_kind) WITH ORDINALITY AS e (outlet, kind, ord) GROUP BY e.outlet) AS c
     WHERE h.outlet_id = c.outlet;

    INSERT INTO signer.document
    SELECT e.merchant, e.document, e.number, e.outlet, e.index, p_sealed_at, e.payload_hash
      FROM unnest(p_merchant, p_document, p_number, p_outlet, p_index, p_payload_hash, p_kind)
           AS e (merchant, document, number, outlet, index, payload_hash, kind)
     WHERE e.kind = 'invoice';
    INSERT INTO signer.verdict
    SELECT e.number, e.merchant, e.outlet, e.index, p_sealed_at
      FROM unnest(p_number, p_merchant, p_outlet, p_index, p_kind) AS e (number, merchant, outlet, index, kind)
     WHERE e.kind IN ('dgi_certified', 'dgi_rejected');
    INSERT INTO signer.credit
    SELECT e.number, e.merchant, e.original
      FROM unnest(p_number, p_merchant, p_original) AS e (number, merchant, original) WHERE e.original IS NOT NULL;

    PERFORM signer.move_submissions(p_outlet, p_kind, p_merchant, p_document, p_number, p_submission);
END $$;

CREATE TABLE signer.till (
    device_id     uuid         PRIMARY KEY,
    outlet_id     text         NOT NULL,
    merchant_nif  text         NOT NULL,
    terminal      text         NOT NULL CHECK (terminal ~ '^[A-Z0-9]{1,8}$'),
    key_id        text         NOT NULL UNIQUE,
    public_der    bytea        NOT NULL,
    state         text         NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'cloned', 'revoked')),
    counter       bigint       NOT NULL DEFAULT 0 CHECK (counter >= 0),  -- of the last ticket without a gap before it
    head_hash     bytea        NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(head_hash) = 32),
    credential    bigint,       -- the entry that admits it now, by its index
    not_after     timestamptz,
    enrolled_at   timestamptz  NOT NULL DEFAULT now(),
    seen_at       timestamptz  NOT NULL DEFAULT now(),
    cloned_at     timestamptz,
    revoked_at    timestamptz,
    FOREIGN KEY (outlet_id, merchant_nif) REFERENCES signer.outlet (id, merchant_nif)
);
CREATE UNIQUE INDEX till_terminal ON signer.till (outlet_id, terminal) WHERE state <> 'revoked';

-- Every ticket that a till's key signed. Two of one counter are kept both: that is what shows the copy of a key.
CREATE TABLE signer.till_ticket (
    device_id      uuid         NOT NULL REFERENCES signer.till (device_id),
    counter        bigint       NOT NULL CHECK (counter >= 1),
    hash           bytea        NOT NULL CHECK (octet_length(hash) = 32),
    merchant_nif   text         NOT NULL,
    outlet_id      text         NOT NULL,
    document_id    uuid         NOT NULL,
    statement      bytea        NOT NULL,
    payload        bytea        NOT NULL,
    previous_hash  bytea        NOT NULL CHECK (octet_length(previous_hash) = 32),
    signature      bytea        NOT NULL CHECK (octet_length(signature) = 64),
    received_at    timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (device_id, counter, hash)
);
CREATE INDEX till_ticket_document ON signer.till_ticket (merchant_nif, document_id);

CREATE FUNCTION signer.till_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a till keeps its key and its outlet, and never comes back' USING
        ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER till_stays BEFORE UPDATE ON signer.till FOR EACH ROW
    WHEN (NEW.device_id <> OLD.device_id OR NEW.outlet_id <> OLD.outlet_id OR NEW.merchant_nif <> OLD.merchant_nif
          OR NEW.terminal <> OLD.terminal OR NEW.key_id <> OLD.key_id OR NEW.public_der <> OLD.public_der
          OR NEW.counter < OLD.counter OR (OLD.state = 'revoked' AND NEW.state <> 'revoked')
          OR (OLD.state = 'cloned' AND NEW.state = 'active'))
    EXECUTE FUNCTION signer.till_stays();
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['till', 'till_ticket'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_deleted', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON signer.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_truncated', name);
        EXECUTE format('ALTER TABLE signer.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_merchant ON signer.%I USING (current_setting(''bonopay.merchant'', true) '
                       'IN (merchant_nif, ''*''))', name);
    END LOOP;
END $$;
CREATE TRIGGER till_ticket_is_append_only BEFORE UPDATE ON signer.till_ticket FOR EACH ROW
    EXECUTE FUNCTION signer.refuse_change();
