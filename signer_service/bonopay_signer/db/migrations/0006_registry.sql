-- The registry of tenants: terminals, users of record, reference rates; and what was ever done to any of it, by whom.

-- Closing is for good: what was sealed under a merchant or an outlet stays, and its number is never given to another.
ALTER TABLE signer.merchant ADD COLUMN revoked_at timestamptz;
ALTER TABLE signer.outlet
    ADD COLUMN revoked_at       timestamptz,
    -- "registered": the outlet seals for terminals (users) of the registry only.
    ADD COLUMN terminal_policy  text NOT NULL DEFAULT 'any' CHECK (terminal_policy IN ('any', 'registered')),
    ADD COLUMN user_policy      text NOT NULL DEFAULT 'any' CHECK (user_policy IN ('any', 'registered')),
    ADD UNIQUE (id, merchant_nif);
CREATE INDEX outlet_merchant ON signer.outlet (merchant_nif, id);

ALTER TABLE signer.api_key
    ADD COLUMN terminals     text[],   -- NULL: every terminal, also where a payload names none
    ADD COLUMN rate_limit    integer CHECK (rate_limit > 0),  -- requests a second; NULL: as the settings say
    ADD COLUMN rate_burst    integer CHECK (rate_burst > 0),  -- requests at once
    ADD COLUMN rotated_from  text REFERENCES signer.api_key (prefix),
    ADD COLUMN last_used_at  timestamptz,  -- to the minute or so
    ADD CHECK (cardinality(outlets) > 0),
    ADD CHECK (cardinality(terminals) > 0);
CREATE INDEX api_key_merchant ON signer.api_key (merchant_nif);

-- A till. One that was revoked may be registered again: that is another row.
CREATE TABLE signer.terminal (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outlet_id     text        NOT NULL,
    merchant_nif  text        NOT NULL,
    id            text        NOT NULL CHECK (id = btrim(id) AND char_length(id) BETWEEN 1 AND 200),
    name          text        NOT NULL CHECK (name <> ''),
    created_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at    timestamptz,
    FOREIGN KEY (outlet_id, merchant_nif) REFERENCES signer.outlet (id, merchant_nif)
);
CREATE UNIQUE INDEX terminal_current ON signer.terminal (outlet_id, id) WHERE revoked_at IS NULL;

-- A user of record: the operator that the DGI is told and that the invoice names (SFE §1.2 w). Who left and came back
-- has two rows.
CREATE TABLE signer.operator (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_nif  text        NOT NULL REFERENCES signer.merchant (nif),
    id            text        NOT NULL CHECK (id = btrim(id) AND char_length(id) BETWEEN 1 AND 200),
    name          text        NOT NULL CHECK (name = btrim(name) AND char_length(name) BETWEEN 1 AND 200),
    outlets       text[]      CHECK (cardinality(outlets) > 0),  -- NULL: every outlet of the merchant
    created_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at    timestamptz
);
CREATE UNIQUE INDEX operator_current ON signer.operator (merchant_nif, id) WHERE revoked_at IS NULL;

-- The central bank's average rate of a day (SFE §1.30), CDF for one unit.
CREATE TABLE signer.currency_rate (
    currency     text           NOT NULL CHECK (currency ~ '^[A-Z]{3}$' AND currency <> 'CDF'),
    valid_on     date           NOT NULL,
    rate         numeric(18, 6) NOT NULL CHECK (rate > 0),
    source       text           NOT NULL CHECK (source <> ''),
    recorded_at  timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY (currency, valid_on)
);

-- What was done to the registry: append-only and chained. "record" is a JSON object {number, at, actor, role, action,
-- subject, merchant_nif, before, after} whose stored bytes are hashed:
--     hash = SHA-256( "bonopay/action/1\n" || previous_hash || SHA-256(record) ),  the first previous_hash is zero.
CREATE TABLE signer.action_log (
    number         bigint PRIMARY KEY CHECK (number >= 1),
    merchant_nif   text,  -- none for what concerns no one merchant
    record         bytea  NOT NULL,
    previous_hash  bytea  NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash           bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX action_log_merchant ON signer.action_log (merchant_nif, number);

CREATE FUNCTION signer.action_hash(previous bytea, record bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(convert_to(E'bonopay/action/1\n', 'UTF8') || previous || sha256(record))
$$;

CREATE FUNCTION signer.action_continues() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last signer.action_log;
BEGIN
    SELECT * INTO last FROM signer.action_log ORDER BY number DESC LIMIT 1;
    IF NEW.number <> COALESCE(last.number, 0) + 1
       OR NEW.previous_hash <> COALESCE(last.hash, decode(repeat('00', 32), 'hex'))
       OR NEW.hash <> signer.action_hash(NEW.previous_hash, NEW.record) THEN
        RAISE EXCEPTION 'action % does not continue the log', NEW.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER action_continues BEFORE INSERT ON signer.action_log
    FOR EACH ROW EXECUTE FUNCTION signer.action_continues();

-- Write down what the running transaction does. Who does it: the setting "bonopay.actor", and always the session's role.
CREATE FUNCTION signer.log_action(
    p_action text, p_subject text, p_merchant text DEFAULT NULL, p_before jsonb DEFAULT NULL, p_after jsonb DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    position  bigint;
    previous  bytea;
    content   bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(x'626F6E6F6163746E'::bigint);  -- "bonoactn": one after the other until the commit
    SELECT number, hash INTO position, previous FROM signer.action_log ORDER BY number DESC LIMIT 1;
    position := COALESCE(position, 0) + 1;
    previous := COALESCE(previous, decode(repeat('00', 32), 'hex'));
    content := convert_to(jsonb_build_object(
        'number', position,
        'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', COALESCE(NULLIF(current_setting('bonopay.actor', true), ''), session_user),
        'role', session_user,
        'action', p_action,
        'subject', p_subject,
        'merchant_nif', p_merchant,
        'before', p_before,
        'after', p_after)::text, 'UTF8');
    INSERT INTO signer.action_log (number, merchant_nif, record, previous_hash, hash)
    VALUES (position, p_merchant, content, previous, signer.action_hash(previous, content));
    RETURN position;
END $$;

-- A row of the registry as the log shows it: of a secret (which is stored hashed, or encrypted) only whether it is
-- another one.
CREATE FUNCTION signer.registry_members(member jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT member - ARRAY['secret_hash', 'dgi_token', 'last_used_at'] || COALESCE(
        (SELECT jsonb_object_agg(name || '_fingerprint', encode(sha256(convert_to(member ->> name, 'UTF8')), 'hex'))
           FROM unnest(ARRAY['secret_hash', 'dgi_token']) AS name WHERE member ? name), '{}')
$$;

-- Every change of the registry, whoever makes it, is logged in its own transaction and told to the service, which holds
-- the registry in memory. The arguments name the table's columns that say which row it is.
CREATE FUNCTION signer.registry_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old_row  jsonb;
    new_row  jsonb := to_jsonb(NEW);
    before   jsonb;
    after    jsonb;
    subject  text;
    nif      text;
BEGIN
    after := signer.registry_members(new_row);
    IF TG_OP = 'UPDATE' THEN
        old_row := to_jsonb(OLD);
        IF old_row - 'last_used_at' = new_row - 'last_used_at' THEN
            RETURN NULL;
        END IF;
        before := signer.registry_members(old_row);
        SELECT COALESCE(jsonb_object_agg(o.key, o.value), '{}'), COALESCE(jsonb_object_agg(n.key, n.value), '{}')
          INTO before, after
          FROM jsonb_each(before) AS o JOIN jsonb_each(after) AS n USING (key) WHERE o.value <> n.value;
    END IF;
    SELECT string_agg(new_row ->> name, '/' ORDER BY ord) INTO subject
      FROM unnest(TG_ARGV) WITH ORDINALITY AS a (name, ord);
    nif := COALESCE(new_row ->> 'merchant_nif', CASE TG_TABLE_NAME WHEN 'merchant' THEN new_row ->> 'nif' END);
    PERFORM signer.log_action(
        COALESCE(NULLIF(current_setting('bonopay.action', true), ''), TG_TABLE_NAME || '.' || lower(TG_OP)),
        TG_TABLE_NAME || ' ' || subject, nif, before, after);
    PERFORM pg_notify('bonopay_registry', CASE TG_TABLE_NAME
        WHEN 'api_key' THEN 'api_key ' || (new_row ->> 'prefix')
        WHEN 'outlet' THEN 'outlet ' || (new_row ->> 'id')
        WHEN 'terminal' THEN 'outlet ' || (new_row ->> 'outlet_id')
        WHEN 'currency_rate' THEN 'currency_rate ' || (new_row ->> 'currency')
        ELSE 'merchant ' || nif END);
    RETURN NULL;
END $$;

-- What a row is never changes, and a revocation is never taken back. The arguments name the columns that stay.
CREATE FUNCTION signer.registry_stays() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_row  jsonb := to_jsonb(OLD);
    new_row  jsonb := to_jsonb(NEW);
    name     text;
BEGIN
    FOREACH name IN ARRAY TG_ARGV LOOP
        IF old_row -> name <> new_row -> name THEN
            RAISE EXCEPTION '% of a % never changes', name, TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    IF old_row ->> 'revoked_at' IS NOT NULL AND old_row -> 'revoked_at' <> new_row -> 'revoked_at' THEN
        RAISE EXCEPTION 'a % that was revoked stays revoked', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- The outlets that a key or a user is limited to are the merchant's own.
CREATE FUNCTION signer.outlets_are_the_merchants() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    foreign_outlets text;
BEGIN
    SELECT string_agg(given, ', ') INTO foreign_outlets FROM unnest(NEW.outlets) AS given
     WHERE NOT EXISTS (SELECT FROM signer.outlet o WHERE o.id = given AND o.merchant_nif = NEW.merchant_nif);
    IF foreign_outlets IS NOT NULL THEN
        RAISE EXCEPTION 'merchant % has no outlet %', NEW.merchant_nif, foreign_outlets
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER outlets_are_the_merchants BEFORE INSERT OR UPDATE OF outlets ON signer.api_key
    FOR EACH ROW EXECUTE FUNCTION signer.outlets_are_the_merchants();
CREATE TRIGGER outlets_are_the_merchants BEFORE INSERT OR UPDATE OF outlets ON signer.operator
    FOR EACH ROW EXECUTE FUNCTION signer.outlets_are_the_merchants();

-- What was registered before is where the log begins.
SET LOCAL timezone = 'UTC';
SELECT signer.log_action('registry.adopt', 'merchant ' || nif, nif, NULL, signer.registry_members(to_jsonb(m)))
  FROM signer.merchant m ORDER BY created_at, nif;
SELECT signer.log_action('registry.adopt', 'outlet ' || id, merchant_nif, NULL, signer.registry_members(to_jsonb(o)))
  FROM signer.outlet o ORDER BY created_at, id;
SELECT signer.log_action('registry.adopt', 'api_key ' || prefix, merchant_nif, NULL, signer.registry_members(to_jsonb(k)))
  FROM signer.api_key k ORDER BY created_at, prefix;

DO $$
DECLARE
    name  text;
    keys  text;  -- the columns that name a row
    fixed text;  -- the columns that never change
BEGIN
    FOR name, keys, fixed IN VALUES
        ('merchant', 'nif', 'nif, created_at'),
        ('outlet', 'id', 'id, merchant_nif, created_at'),
        ('api_key', 'prefix', 'prefix, merchant_nif, secret_hash, operations, rotated_from, created_at'),
        ('terminal', 'outlet_id, id, number', 'number, outlet_id, merchant_nif, id, created_at'),
        ('operator', 'merchant_nif, id, number', 'number, merchant_nif, id, created_at'),
        ('currency_rate', 'currency, valid_on', 'currency, valid_on') LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.registry_stays(%s)', name || '_stays', name, fixed);
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.registry_changed(%s)', name || '_changed', name, keys);
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_deleted', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON signer.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_truncated', name);
    END LOOP;
    CREATE TRIGGER action_log_is_append_only BEFORE UPDATE OR DELETE ON signer.action_log
        FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
    CREATE TRIGGER action_log_is_never_truncated BEFORE TRUNCATE ON signer.action_log
        FOR EACH STATEMENT EXECUTE FUNCTION signer.refuse_change();
    FOREACH name IN ARRAY ARRAY['terminal', 'operator', 'action_log'] LOOP
        EXECUTE format('ALTER TABLE signer.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_merchant ON signer.%I USING (current_setting(''bonopay.merchant'', true) '
                       'IN (merchant_nif, ''*''))', name);
    END LOOP;
END $$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA signer FROM PUBLIC;
