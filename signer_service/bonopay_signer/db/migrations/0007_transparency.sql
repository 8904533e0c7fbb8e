-- The transparency log of a shard (C2SP tlog-tiles, tlog-checkpoint) and what this signer saw of other logs as a witness.
-- Hashes, signatures and names of logs only: no row belongs to a merchant.

-- Full tiles; partial ones are read out of the ledger.
CREATE TABLE signer.tile (
    shard      smallint  NOT NULL REFERENCES signer.shard (id),
    log_epoch  integer   NOT NULL CHECK (log_epoch BETWEEN 1 AND 99),
    level      smallint  NOT NULL CHECK (level BETWEEN 0 AND 6),  -- one of level 7 would hold 2^64 entries
    index      bigint    NOT NULL CHECK (index >= 0),
    hashes     bytea     NOT NULL CHECK (octet_length(hashes) = 8192),
    root       bytea     NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (shard, log_epoch, level, index)
);
-- The order in which they fill: an auditor derives them beside the entries.
CREATE INDEX tile_filled_at ON signer.tile (shard, log_epoch, ((index + 1) << (8 * (level + 1))), level);

CREATE TABLE signer.checkpoint (
    shard       smallint     NOT NULL REFERENCES signer.shard (id),
    log_epoch   integer      NOT NULL CHECK (log_epoch BETWEEN 1 AND 99),
    size        bigint       NOT NULL CHECK (size >= 1),
    root        bytea        NOT NULL CHECK (octet_length(root) = 32),
    note        text         NOT NULL CHECK (octet_length(note) BETWEEN 1 AND 2000),  -- with the log's signature alone
    created_at  timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, log_epoch, size)
);

-- Witnesses of this signer's logs. One that was removed does not come back: its next key has another name.
CREATE TABLE signer.witness (
    verifier_key  text         PRIMARY KEY CHECK (verifier_key ~ '^[^+[:space:]]+[+][0-9a-f]{8}[+][A-Za-z0-9+/=]+$'),
    added_at      timestamptz  NOT NULL DEFAULT clock_timestamp(),
    removed_at    timestamptz
);

CREATE TABLE signer.cosignature (
    shard         smallint     NOT NULL,
    log_epoch     integer      NOT NULL,
    size          bigint       NOT NULL,
    verifier_key  text         NOT NULL REFERENCES signer.witness (verifier_key),
    cosigned_at   bigint       NOT NULL CHECK (cosigned_at >= 0),  -- POSIX seconds, by the witness's clock
    line          text         NOT NULL CHECK (octet_length(line) BETWEEN 1 AND 1000),
    received_at   timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, log_epoch, size, verifier_key, cosigned_at),
    FOREIGN KEY (shard, log_epoch, size) REFERENCES signer.checkpoint (shard, log_epoch, size)
);

-- The largest checkpoint of each foreign log that this signer cosigned (C2SP tlog-witness).
CREATE TABLE signer.witnessed (
    origin       text    PRIMARY KEY CHECK (octet_length(origin) BETWEEN 1 AND 255),
    size         bigint  NOT NULL CHECK (size >= 0),
    root         bytea   NOT NULL CHECK (octet_length(root) = 32),
    note         text    NOT NULL,
    cosigned_at  bigint  NOT NULL CHECK (cosigned_at >= 0)
);

-- A tile or checkpoint is of the shard's open log, and of entries that are in the ledger.
CREATE FUNCTION signer.log_is_of_ledger(p_shard smallint, p_log_epoch integer, p_size bigint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM signer.shard WHERE id = p_shard AND log_epoch = p_log_epoch AND size >= p_size)
$$;

CREATE FUNCTION signer.tile_is_of_ledger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT signer.log_is_of_ledger(NEW.shard, NEW.log_epoch, (NEW.index + 1) << (8 * (NEW.level + 1))) THEN
        RAISE EXCEPTION 'tile % of level % does not continue the log of shard %', NEW.index, NEW.level, NEW.shard
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tile_is_of_ledger BEFORE INSERT ON signer.tile
    FOR EACH ROW EXECUTE FUNCTION signer.tile_is_of_ledger();

-- Two processes at once wait for one another here, so that none publishes less than what the other has published.
CREATE FUNCTION signer.checkpoint_continues() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(x'626F6E6F'::integer, NEW.shard::integer);  -- "bono"
    IF NOT signer.log_is_of_ledger(NEW.shard, NEW.log_epoch, NEW.size) OR EXISTS (
        SELECT FROM signer.checkpoint WHERE shard = NEW.shard AND log_epoch = NEW.log_epoch AND size > NEW.size
    ) THEN
        RAISE EXCEPTION 'a checkpoint of % entries does not continue log % of shard %', NEW.size, NEW.log_epoch, NEW.shard
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER checkpoint_continues BEFORE INSERT ON signer.checkpoint
    FOR EACH ROW EXECUTE FUNCTION signer.checkpoint_continues();

CREATE FUNCTION signer.witness_is_only_removed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL OR NEW.verifier_key <> OLD.verifier_key
       OR NEW.added_at <> OLD.added_at THEN
        RAISE EXCEPTION 'a witness is removed once and otherwise never changed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER witness_is_only_removed BEFORE UPDATE ON signer.witness
    FOR EACH ROW EXECUTE FUNCTION signer.witness_is_only_removed();

CREATE FUNCTION signer.witness_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM signer.log_action(CASE TG_OP WHEN 'INSERT' THEN 'witness.add' ELSE 'witness.remove' END,
                              'witness ' || NEW.verifier_key);
    RETURN NULL;
END $$;
CREATE TRIGGER witness_changed AFTER INSERT OR UPDATE ON signer.witness
    FOR EACH ROW EXECUTE FUNCTION signer.witness_changed();

CREATE FUNCTION signer.witnessed_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
       OR NEW.cosigned_at < OLD.cosigned_at THEN
        RAISE EXCEPTION 'what was witnessed of % only moves forward', OLD.origin
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER witnessed_moves_forward BEFORE UPDATE ON signer.witnessed
    FOR EACH ROW EXECUTE FUNCTION signer.witnessed_moves_forward();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tile', 'checkpoint', 'cosignature'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_append_only', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['witness', 'witnessed'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_deleted', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['tile', 'checkpoint', 'cosignature', 'witness', 'witnessed'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON signer.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_truncated', name);
    END LOOP;
END $$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA signer FROM PUBLIC;
