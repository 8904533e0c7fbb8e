-- What the DGI tells of its own tables, as it told it, and what begins and ends between an outlet and the DGI.

-- A row for each value that differs from the one told before it: never changed, so what was told on any day can be read
-- later. In force on a day is, of each code, the latest row (by valid_from, then number) that is not after it.
CREATE TABLE signer.reference (
    number        bigint         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_nif  text           NOT NULL REFERENCES signer.merchant (nif),
    dgi_url       text           NOT NULL,
    table_name    text           NOT NULL CHECK (table_name IN ('tax_groups', 'invoice_types', 'payment_methods',
                                                                'client_types', 'credit_natures', 'item_types',
                                                                'currency_rates')),
    code          text           NOT NULL CHECK (code <> ''),
    label         text,                    -- none where the DGI gives none
    rate          numeric(18, 6),          -- percent for tax_groups, CDF for one unit for currency_rates, else none
    withdrawn     boolean        NOT NULL, -- the DGI has left the code out
    valid_from    date           NOT NULL, -- the DGI's own day for currency_rates, else the day in Kinshasa of told_at
    nim           text           NOT NULL, -- the e-MCF that told it first
    told_at       timestamptz    NOT NULL DEFAULT clock_timestamp(),
    CHECK ((table_name IN ('tax_groups', 'currency_rates')) = (rate IS NOT NULL))
);
CREATE INDEX reference_in_force ON signer.reference (merchant_nif, dgi_url, table_name, code, valid_from, number);

-- When a merchant's DGI address last told its tables: a restart asks no sooner for it.
CREATE TABLE signer.reference_answer (
    merchant_nif  text         NOT NULL REFERENCES signer.merchant (nif),
    dgi_url       text         NOT NULL,
    nim           text         NOT NULL,
    answered_at   timestamptz  NOT NULL,
    PRIMARY KEY (merchant_nif, dgi_url)
);

-- What happened between a merchant and the DGI that somebody is to know: changes of its tables, alarms that begin,
-- change their level and end. "detail" holds the values; no token and no buyer is in it.
CREATE TABLE signer.dgi_event (
    number        bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz  NOT NULL DEFAULT clock_timestamp(),
    merchant_nif  text         NOT NULL REFERENCES signer.merchant (nif),
    outlet_id     text         REFERENCES signer.outlet (id),  -- none for what concerns a whole DGI address
    kind          text         NOT NULL CHECK (kind ~ '^[a-z]+[.][a-z_]+$'),
    code          text         NOT NULL,
    level         text         CHECK (level IN ('notice', 'warning', 'critical', 'overdue')),
    detail        jsonb        NOT NULL
);
CREATE INDEX dgi_event_of_merchant ON signer.dgi_event (merchant_nif, number);
CREATE INDEX dgi_event_of_alarm ON signer.dgi_event (outlet_id, code, number) WHERE kind LIKE 'alarm.%';

-- The last answer of an outlet's DGI, and the first failure after it. What a gateway may answer as well (404, 429) is
-- neither.
CREATE INDEX dgi_exchange_answered ON signer.dgi_exchange (outlet_id, id)
    WHERE direction = 'answer' AND (http_status BETWEEN 200 AND 299 OR http_status IN (400, 422));
CREATE INDEX dgi_exchange_failed ON signer.dgi_exchange (outlet_id, id)
    WHERE direction = 'answer' AND (http_status IS NULL OR http_status >= 500 OR http_status IN (401, 403));

-- The DGI's rate of a day enters the register of rates (SFE §1.30). What an operator recorded for that day stays, and
-- so does what another address told; the same address may correct its own. Whether the row is now as told.
CREATE FUNCTION signer.learn_rate(p_currency text, p_valid_on date, p_rate numeric, p_source text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held  signer.currency_rate;
BEGIN
    IF p_source NOT LIKE 'DGI %' THEN
        RAISE EXCEPTION 'the source of a learned rate begins with "DGI "' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM set_config('bonopay.action', 'currency_rate.learn', true);
    INSERT INTO signer.currency_rate (currency, valid_on, rate, source)
    VALUES (p_currency, p_valid_on, p_rate, p_source)
    ON CONFLICT (currency, valid_on) DO UPDATE SET rate = EXCLUDED.rate, recorded_at = now()
     WHERE signer.currency_rate.source = EXCLUDED.source AND signer.currency_rate.rate <> EXCLUDED.rate;
    SELECT * INTO held FROM signer.currency_rate WHERE currency = p_currency AND valid_on = p_valid_on;
    RETURN held.rate = p_rate;
END $$;
REVOKE EXECUTE ON FUNCTION signer.learn_rate FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reference', 'dgi_event'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON signer.%I FOR EACH ROW '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_append_only', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON signer.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION signer.refuse_change()', name || '_is_never_truncated', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['reference', 'reference_answer', 'dgi_event'] LOOP
        EXECUTE format('ALTER TABLE signer.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_merchant ON signer.%I USING (current_setting(''bonopay.merchant'', true) '
                       'IN (merchant_nif, ''*''))', name);
    END LOOP;
END $$;
