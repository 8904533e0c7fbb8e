-- The ledger of a shard: months of entries in one gapless order of positions, appended by one function alone.

-- A shard is a set of merchants that one signer writes. Its row is the fence of every append: whoever took the shard
-- last holds its generation, and the next entry has position "size".
CREATE TABLE signer.shard (
    id          smallint    PRIMARY KEY CHECK (id >= 0),
    generation  bigint      NOT NULL,
    taken_at    timestamptz NOT NULL,
    size        bigint      NOT NULL CHECK (size >= 0),
    last_hash   bytea       NOT NULL CHECK (octet_length(last_hash) = 32),
    sealed_at   timestamptz NOT NULL,
    log_epoch   integer     NOT NULL CHECK (log_epoch BETWEEN 1 AND 99)  -- moves on when a restore lost entries
);

ALTER TABLE signer.merchant ADD COLUMN shard smallint NOT NULL DEFAULT 0;
ALTER TABLE signer.outlet DROP CONSTRAINT outlet_dgi_mode_check,
    ADD CONSTRAINT outlet_dgi_mode_check CHECK (dgi_mode IN ('inline', 'deferred'));

ALTER TABLE signer.outlet_head ADD COLUMN merchant_nif text REFERENCES signer.merchant (nif);
DROP TRIGGER head_moves_forward ON signer.outlet_head;
DROP TRIGGER head_has_entry ON signer.outlet_head;
UPDATE signer.outlet_head h SET merchant_nif = o.merchant_nif FROM signer.outlet o WHERE o.id = h.outlet_id;
ALTER TABLE signer.outlet_head ALTER COLUMN merchant_nif SET NOT NULL;

ALTER TABLE signer.entry RENAME TO entry_before;
ALTER TABLE signer.entry_before RENAME CONSTRAINT entry_pkey TO entry_before_pkey;
DROP TRIGGER entry_extends_chain ON signer.entry_before;

-- What an entry refers to is checked by signer.append, for a whole batch at once.
CREATE TABLE signer.entry (
    shard          smallint    NOT NULL,
    position       bigint      NOT NULL CHECK (position >= 0),
    outlet_id      text        NOT NULL,
    index          bigint      NOT NULL CHECK (index >= 1),
    epoch          integer     NOT NULL CHECK (epoch BETWEEN 1 AND 99),
    kind           text        NOT NULL CHECK (kind IN
        ('invoice', 'dgi_certified', 'dgi_rejected', 'epoch_opened', 'key_rotation')),
    merchant_nif   text        NOT NULL,
    document_id    uuid,                  -- none for an epoch_opened or a key_rotation
    fiscal_number  text        NOT NULL,  -- empty for these two
    sealed_at      timestamptz NOT NULL,
    statement      bytea       NOT NULL,
    payload        bytea       NOT NULL,
    payload_hash   bytea       NOT NULL CHECK (octet_length(payload_hash) = 32),
    previous_hash  bytea       NOT NULL CHECK (octet_length(previous_hash) = 32),
    entry_hash     bytea       NOT NULL CHECK (octet_length(entry_hash) = 32),
    signature      bytea       NOT NULL CHECK (octet_length(signature) = 64),
    key_id         text        NOT NULL,
    public_url     text        NOT NULL,
    -- What lists filter by, cut out of the canonical bytes: within a JSON string a quote is escaped, so these names can
    -- only be those of the members.
    document_type  text        COLLATE "C" GENERATED ALWAYS AS (CASE kind WHEN 'invoice' THEN encode(
        substring(payload FROM position('"invoice_type":"'::bytea IN payload) + 16 FOR 2), 'escape') END) STORED,
    issued_at      text        COLLATE "C" GENERATED ALWAYS AS (CASE kind WHEN 'invoice' THEN encode(
        substring(payload FROM position('"issued_at":"'::bytea IN payload) + 13 FOR 20), 'escape') END) STORED,
    UNIQUE (shard, position, sealed_at),
    UNIQUE (outlet_id, index, sealed_at)
) PARTITION BY RANGE (sealed_at);
CREATE INDEX entry_of_merchant ON signer.entry (merchant_nif, issued_at, outlet_id, index, document_type)
    WHERE kind = 'invoice';
CREATE INDEX entry_rejected ON signer.entry (merchant_nif) WHERE kind = 'dgi_rejected';

CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE ON signer.entry
    FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER entry_is_never_truncated BEFORE TRUNCATE ON signer.entry
    FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();

-- The month of a day gets its partition. Only months that a clock can show: from the shards' last entries to two months
-- after the database's own now.
CREATE FUNCTION signer.ensure_month(day timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first timestamp := date_trunc('month', day AT TIME ZONE 'UTC');
    partition text := 'entry_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass('signer.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    IF day > now() + interval '62 days' OR day < LEAST(now(), (SELECT max(sealed_at) FROM signer.shard)) THEN
        RAISE EXCEPTION 'no month is opened for %: it is not near the clock of the database', day
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    PERFORM signer.create_month(first);
END $$;

CREATE FUNCTION signer.create_month(first timestamp) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text := 'entry_' || to_char(first, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(x'626F6E6F6D6E7468'::bigint);  -- "bonomnth"
    IF to_regclass('signer.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE signer.%I PARTITION OF signer.entry FOR VALUES FROM (%L) TO (%L)', partition,
                   first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TRIGGER entry_is_never_truncated BEFORE TRUNCATE ON signer.%I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change()', partition);
END $$;

-- What must be unique over all months, and finds an entry without searching them.
CREATE TABLE signer.document (
    merchant_nif   text        NOT NULL,
    document_id    uuid        NOT NULL,
    fiscal_number  text        NOT NULL UNIQUE,
    outlet_id      text        NOT NULL,
    index          bigint      NOT NULL,
    sealed_at      timestamptz NOT NULL,
    payload_hash   bytea       NOT NULL,
    PRIMARY KEY (merchant_nif, document_id)
);
CREATE TABLE signer.verdict (
    fiscal_number  text        PRIMARY KEY,
    merchant_nif   text        NOT NULL,
    outlet_id      text        NOT NULL,
    index          bigint      NOT NULL,
    sealed_at      timestamptz NOT NULL
);
-- The credit notes of an invoice: what they took from it is added up from their own payloads.
CREATE TABLE signer.credit (
    credit_number    text      PRIMARY KEY,
    merchant_nif     text      NOT NULL,
    original_number  text      NOT NULL
);
CREATE INDEX credit_original ON signer.credit (original_number);

INSERT INTO signer.shard (id, generation, taken_at, size, last_hash, sealed_at, log_epoch)
SELECT 0, generation, taken_at, 0, decode(repeat('00', 32), 'hex'), 'epoch', 1 FROM signer.instance;
DROP TABLE signer.instance;
ALTER TABLE signer.merchant ADD FOREIGN KEY (shard) REFERENCES signer.shard (id);

-- Entries sealed before: in the order of their time; within a chain that is the order of the index.
SELECT signer.create_month(month) FROM generate_series(
    (SELECT date_trunc('month', LEAST(min(sealed_at), now()) AT TIME ZONE 'UTC') FROM signer.entry_before),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', interval '1 month') AS month;
INSERT INTO signer.entry
SELECT 0, row_number() OVER (ORDER BY sealed_at, outlet_id, index) - 1, outlet_id, index, epoch, kind, merchant_nif,
       document_id, fiscal_number, sealed_at, statement, payload, payload_hash, previous_hash, entry_hash, signature,
       key_id, public_url
  FROM signer.entry_before;
INSERT INTO signer.document
SELECT merchant_nif, document_id, fiscal_number, outlet_id, index, sealed_at, payload_hash
  FROM signer.entry WHERE kind = 'invoice';
INSERT INTO signer.verdict
SELECT fiscal_number, merchant_nif, outlet_id, index, sealed_at FROM signer.entry WHERE kind LIKE 'dgi\_%';
INSERT INTO signer.credit
SELECT fiscal_number, merchant_nif, convert_from(payload, 'UTF8')::jsonb #>> '{credit,original_fiscal_number}'
  FROM signer.entry
 WHERE kind = 'invoice' AND convert_from(payload, 'UTF8')::jsonb #>> '{credit,original_fiscal_number}' IS NOT NULL;
UPDATE signer.shard SET size = last.position + 1, last_hash = last.entry_hash, sealed_at = last.sealed_at
  FROM (SELECT position, entry_hash, sealed_at FROM signer.entry ORDER BY position DESC LIMIT 1) AS last;
DROP TABLE signer.entry_before;
DROP FUNCTION signer.entry_extends_chain(), signer.head_has_entry(), signer.head_moves_forward();

CREATE FUNCTION signer.head_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.outlet_id <> OLD.outlet_id OR NEW.epoch NOT IN (OLD.epoch, OLD.epoch + 1) OR NEW.index <= OLD.index
       OR NEW.sequence < OLD.sequence OR NEW.sealed_at < OLD.sealed_at OR NEW.entry_hash = OLD.entry_hash THEN
        RAISE EXCEPTION 'the head of % only moves forward', OLD.outlet_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_moves_forward BEFORE UPDATE ON signer.outlet_head
    FOR EACH ROW EXECUTE FUNCTION signer.head_moves_forward();

CREATE FUNCTION signer.shard_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.generation < OLD.generation OR NEW.size < OLD.size OR NEW.sealed_at < OLD.sealed_at
       OR NEW.log_epoch NOT IN (OLD.log_epoch, OLD.log_epoch + 1) THEN
        RAISE EXCEPTION 'shard % only moves forward', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER shard_moves_forward BEFORE UPDATE ON signer.shard
    FOR EACH ROW EXECUTE FUNCTION signer.shard_moves_forward();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['document', 'verdict', 'credit'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_append_only', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON signer.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_truncated', name);
    END LOOP;
    EXECUTE 'CREATE TRIGGER shard_is_never_deleted BEFORE DELETE ON signer.shard FOR EACH ROW '
            'EXECUTE FUNCTION signer.refuse_change()';
    EXECUTE 'CREATE TRIGGER shard_is_never_truncated BEFORE TRUNCATE ON signer.shard FOR EACH STATEMENT '
            'EXECUTE FUNCTION signer.refuse_change()';
END $$;

-- A document of a deferred outlet is sealed before the DGI has seen it: it waits in the state "queued".
ALTER TABLE signer.submission DROP CONSTRAINT submission_state_check, ADD CONSTRAINT submission_state_check CHECK (state
    IN ('reserved', 'prepared', 'cancelling', 'released', 'queued', 'confirming', 'unknown', 'settled'));

-- The only way into the ledger: a batch, all of it or nothing. Element i of every array is entry i, in order.
-- "submission" is the row that the entry moves: of a prepared invoice, or of the invoice that a verdict settles; an
-- invoice without one gets a row that waits for the DGI. SQLSTATE BP001: another signer writes this shard, or wrote it;
-- BP002: the batch does not continue the chains.
CREATE FUNCTION signer.append(
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
       AND b.kind <> 'epoch_opened' AND (b.kind = 'key_rotation') = (b.document IS NULL)
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

CREATE FUNCTION signer.move_submissions(
    p_outlet text[], p_kind text[], p_merchant text[], p_document uuid[], p_number text[], p_submission bigint[]
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moved  bigint;
BEGIN
    INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, state)
    SELECT e.outlet, e.merchant, e.document, e.number, 'queued'
      FROM unnest(p_outlet, p_merchant, p_document, p_number, p_kind, p_submission)
           AS e (outlet, merchant, document, number, kind, submission)
     WHERE e.kind = 'invoice' AND e.submission IS NULL;
    IF array_remove(p_submission, NULL) = '{}' THEN
        RETURN;
    END IF;
    UPDATE signer.submission s
       SET state = CASE e.kind WHEN 'invoice' THEN 'confirming' ELSE 'settled' END,
           updated_at = clock_timestamp(), next_attempt_at = clock_timestamp()
      FROM unnest(p_kind, p_number, p_submission) AS e (kind, number, submission)
     WHERE s.id = e.submission AND s.fiscal_number = e.number
       AND s.state = ANY (CASE e.kind WHEN 'invoice' THEN ARRAY['prepared'] ELSE ARRAY['queued', 'confirming', 'unknown'] END);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(array_remove(p_submission, NULL)) THEN
        RAISE EXCEPTION 'a submission of the batch is not in the state that its entry ends'
            USING ERRCODE = 'BP003';
    END IF;
END $$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA signer FROM PUBLIC;

-- One merchant never sees another: a connection sees the merchant that "bonopay.merchant" names, the service's own
-- workers (writer, agent, verification) "*"; where nothing is set, nothing is seen.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['merchant', 'outlet', 'api_key', 'outlet_head', 'entry', 'document', 'verdict', 'credit',
                                'submission'] LOOP
        EXECUTE format('ALTER TABLE signer.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_merchant ON signer.%I USING (current_setting(''bonopay.merchant'', true) '
                       'IN (%I, ''*''))', name, CASE name WHEN 'merchant' THEN 'nif' ELSE 'merchant_nif' END);
    END LOOP;
END $$;
ALTER TABLE signer.dgi_exchange ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_merchant ON signer.dgi_exchange USING (current_setting('bonopay.merchant', true) = '*'
    OR outlet_id IN (SELECT id FROM signer.outlet));
