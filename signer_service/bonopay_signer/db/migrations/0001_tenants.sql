-- Merchants, their outlets, the keys of their clients. Written by the owner's commands, read by the service.
CREATE TABLE signer.merchant (
    nif         text        PRIMARY KEY CHECK (nif ~ '^[A-Z0-9]{5,20}$'),
    name        text        NOT NULL CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE signer.outlet (
    id            text        PRIMARY KEY CHECK (id ~ '^[A-Z0-9]{3,12}$'),
    merchant_nif  text        NOT NULL REFERENCES signer.merchant (nif),
    name          text        NOT NULL CHECK (name <> ''),
    address       text        NOT NULL CHECK (address <> ''),
    nim           text        NOT NULL CHECK (nim <> ''),
    isf           text        NOT NULL CHECK (isf <> ''),
    dgi_mode      text        NOT NULL CHECK (dgi_mode = 'inline'),
    dgi_url       text        NOT NULL CHECK (dgi_url ~ '^https?://'),
    dgi_token     bytea       NOT NULL,  -- AES-256-GCM, see tenants/secrets.py
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE signer.api_key (
    prefix        text        PRIMARY KEY CHECK (prefix ~ '^[a-z0-9]{12}$'),
    merchant_nif  text        NOT NULL REFERENCES signer.merchant (nif),
    secret_hash   bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
    outlets       text[],     -- NULL: every outlet of the merchant
    operations    text[]      NOT NULL CHECK (operations <@ ARRAY['seal', 'read'] AND cardinality(operations) > 0),
    label         text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz
);
