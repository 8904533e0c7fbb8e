-- What every append pays for, although it hardly ever says no: these conditions are judged without calling a function.
CREATE OR REPLACE FUNCTION signer.head_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the head of % only moves forward', OLD.outlet_id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE TRIGGER head_moves_forward BEFORE UPDATE ON signer.outlet_head FOR EACH ROW
    WHEN (NEW.outlet_id <> OLD.outlet_id OR NEW.merchant_nif <> OLD.merchant_nif OR NEW.epoch < OLD.epoch
          OR NEW.index <= OLD.index OR NEW.sequence < OLD.sequence OR NEW.sealed_at < OLD.sealed_at
          OR NEW.entry_hash = OLD.entry_hash)
    EXECUTE FUNCTION signer.head_moves_forward();

CREATE OR REPLACE FUNCTION signer.shard_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'shard % only moves forward', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE TRIGGER shard_moves_forward BEFORE UPDATE ON signer.shard FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.generation < OLD.generation OR NEW.size < OLD.size
          OR NEW.sealed_at < OLD.sealed_at OR NEW.log_epoch < OLD.log_epoch)
    EXECUTE FUNCTION signer.shard_moves_forward();

-- A document that was not brought to the DGI yet has no uid.
DROP INDEX signer.submission_uid;
CREATE UNIQUE INDEX submission_uid ON signer.submission (outlet_id, uid)
    WHERE uid IS NOT NULL AND state NOT IN ('cancelling', 'released');
