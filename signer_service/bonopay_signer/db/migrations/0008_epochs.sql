-- A new epoch: how sealing goes on after a restore that lost answered entries (ledger/epochs.py).

-- A head that skips what was lost moves by more than one epoch where the lost entries had opened one themselves.
CREATE OR REPLACE FUNCTION signer.head_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.outlet_id <> OLD.outlet_id OR NEW.merchant_nif <> OLD.merchant_nif OR NEW.epoch < OLD.epoch
       OR NEW.index <= OLD.index OR NEW.sequence < OLD.sequence OR NEW.sealed_at < OLD.sealed_at
       OR NEW.entry_hash = OLD.entry_hash THEN
        RAISE EXCEPTION 'the head of % only moves forward', OLD.outlet_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION signer.shard_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.generation < OLD.generation OR NEW.size < OLD.size OR NEW.sealed_at < OLD.sealed_at
       OR NEW.log_epoch < OLD.log_epoch THEN
        RAISE EXCEPTION 'shard % only moves forward', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- The owner's alone: the service's role opens no epoch. One "epoch_opened" entry per affected outlet, all of them or
-- none; element i of every array is entry i. "sequence" is where the outlet's numbers go on after. SQLSTATE BP001 and
-- BP002 as in signer.append.
CREATE FUNCTION signer.open_epoch(
    p_shard smallint, p_generation bigint, p_size bigint, p_log_epoch integer, p_sealed_at timestamptz,
    p_public_url text, p_outlet text[], p_merchant text[], p_index bigint[], p_epoch integer[], p_sequence bigint[],
    p_statement bytea[], p_payload bytea[], p_previous bytea[], p_hash bytea[], p_signature bytea[], p_key text
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch  bigint := cardinality(p_hash);
    moved  bigint;
BEGIN
    UPDATE signer.shard SET size = size + batch, last_hash = p_hash[batch], sealed_at = p_sealed_at,
           log_epoch = p_log_epoch
     WHERE id = p_shard AND generation = p_generation AND size = p_size AND sealed_at <= p_sealed_at
       AND log_epoch < p_log_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'shard % is not at position % in generation %', p_shard, p_size, p_generation
            USING ERRCODE = 'BP001';
    END IF;

    INSERT INTO signer.entry
    SELECT p_shard, p_size + e.ord - 1, e.outlet, e.index, e.epoch, 'epoch_opened', e.merchant, NULL, '', p_sealed_at,
           e.statement, e.payload, sha256(e.payload), e.previous, e.hash, e.signature, p_key, p_public_url
      FROM unnest(p_outlet, p_merchant, p_index, p_epoch, p_sequence, p_statement, p_payload, p_previous, p_hash,
                  p_signature) WITH ORDINALITY
           AS e (outlet, merchant, index, epoch, sequence, statement, payload, previous, hash, signature, ord)
      JOIN signer.outlet_head h ON h.outlet_id = e.outlet AND h.merchant_nif = e.merchant
      JOIN signer.merchant m ON m.nif = h.merchant_nif AND m.shard = p_shard
     CROSS JOIN LATERAL (SELECT convert_from(e.payload, 'UTF8')::jsonb -> 'found' AS found) AS p
     WHERE e.index > h.index AND e.epoch > h.epoch AND e.sequence >= h.sequence
       AND (p.found ->> 'index')::bigint = h.index AND (p.found ->> 'epoch')::integer = h.epoch
       AND (p.found ->> 'sequence')::bigint = h.sequence AND p.found ->> 'entry_hash' = encode(h.entry_hash, 'hex')
       AND e.hash = sha256('\x626f6e6f7061792f656e7472792f310a'::bytea || e.previous || sha256(e.statement))  -- "bonopay/entry/1\n"
       AND p_key IN (SELECT key_id FROM signer.signing_key)
       AND batch = (SELECT count(DISTINCT outlet) FROM unnest(p_outlet) AS outlet)
     ORDER BY e.ord;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> batch THEN
        RAISE EXCEPTION 'of % openings % follow the heads that are here', batch, moved USING ERRCODE = 'BP002';
    END IF;

    UPDATE signer.outlet_head h
       SET epoch = e.epoch, index = e.index, sequence = e.sequence, entry_hash = e.hash, sealed_at = p_sealed_at
      FROM unnest(p_outlet, p_index, p_epoch, p_sequence, p_hash) AS e (outlet, index, epoch, sequence, hash)
     WHERE h.outlet_id = e.outlet;

    PERFORM signer.log_action('epoch.open', 'shard ' || p_shard, NULL, NULL, jsonb_build_object(
        'log_epoch', p_log_epoch, 'position', p_size, 'outlets', to_jsonb(p_outlet)));
END $$;
REVOKE EXECUTE ON FUNCTION signer.open_epoch FROM PUBLIC;
