-- An outlet's physical MCF beside its e-MCF (arrêté 033, art. 7 e, 9 and 11), and which device a document was given to.

-- The ports' settings are the operator's (SFE §1.23). A row is never deleted: what a removed MCF was asked is still asked
-- of it alone, and one that comes back under its NIM is the same device.
CREATE TABLE signer.mcf (
    outlet_id     text         NOT NULL,
    merchant_nif  text         NOT NULL,
    nim           text         NOT NULL CHECK (nim ~ '^[A-Za-z0-9-]{1,40}$'),
    role          text         NOT NULL CHECK (role IN ('main', 'spare', 'removed')),
    port          text         NOT NULL CHECK (port ~ '^/[!-~]{1,255}$'),
    baud_rate     integer      NOT NULL DEFAULT 115200
                               CHECK (baud_rate IN (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)),
    data_bits     smallint     NOT NULL DEFAULT 8 CHECK (data_bits IN (7, 8)),
    parity        text         NOT NULL DEFAULT 'none' CHECK (parity IN ('none', 'even', 'odd')),
    stop_bits     smallint     NOT NULL DEFAULT 1 CHECK (stop_bits IN (1, 2)),
    created_at    timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (outlet_id, nim),
    FOREIGN KEY (outlet_id, merchant_nif) REFERENCES signer.outlet (id, merchant_nif)
);
CREATE UNIQUE INDEX mcf_of_outlet ON signer.mcf (outlet_id) WHERE role <> 'removed';
CREATE UNIQUE INDEX mcf_at_one_outlet ON signer.mcf (nim) WHERE role <> 'removed';

-- What an MCF told of its link to the DGI when it was last asked (C2h), and since when it has not told anything.
CREATE TABLE signer.mcf_state (
    outlet_id     text         NOT NULL,
    merchant_nif  text         NOT NULL,
    nim           text         NOT NULL,
    answered_at   timestamptz,
    silent_since  timestamptz,
    backlog       bigint,                  -- documents in the device that the DGI has not got yet
    last_contact  timestamptz,             -- of the device with the DGI
    PRIMARY KEY (outlet_id, nim),
    FOREIGN KEY (outlet_id, nim) REFERENCES signer.mcf (outlet_id, nim),
    FOREIGN KEY (outlet_id, merchant_nif) REFERENCES signer.outlet (id, merchant_nif)
);

-- The NIM of the MCF that gave, or was asked for, the uid of this row; none: the outlet's e-MCF.
ALTER TABLE signer.submission ADD COLUMN mcf text,
    ADD FOREIGN KEY (outlet_id, mcf) REFERENCES signer.mcf (outlet_id, nim);

-- On a serial line there is no HTTP status: the MCF's answers say nothing of the way to the e-MCF.
DROP INDEX signer.dgi_exchange_failed;
CREATE INDEX dgi_exchange_failed ON signer.dgi_exchange (outlet_id, id)
    WHERE direction = 'answer' AND method IS DISTINCT FROM 'MCF'
      AND (http_status IS NULL OR http_status >= 500 OR http_status IN (401, 403));

CREATE TRIGGER mcf_stays BEFORE UPDATE ON signer.mcf FOR EACH ROW
    EXECUTE FUNCTION signer.registry_stays(outlet_id, merchant_nif, nim, created_at);
CREATE TRIGGER mcf_changed AFTER INSERT OR UPDATE ON signer.mcf FOR EACH ROW
    EXECUTE FUNCTION signer.registry_changed(outlet_id, nim);
CREATE TRIGGER mcf_is_never_deleted BEFORE DELETE ON signer.mcf FOR EACH ROW EXECUTE FUNCTION signer.refuse_change();
CREATE TRIGGER mcf_is_never_truncated BEFORE TRUNCATE ON signer.mcf FOR EACH STATEMENT
    EXECUTE FUNCTION signer.refuse_change();
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mcf', 'mcf_state'] LOOP
        EXECUTE format('ALTER TABLE signer.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_merchant ON signer.%I USING (current_setting(''bonopay.merchant'', true) '
                       'IN (merchant_nif, ''*''))', name);
    END LOOP;
END $$;
