-- The rights of the service's role, applied anew after every migration run. {role} is quoted by the runner.
REVOKE ALL ON ALL TABLES IN SCHEMA signer FROM {role};
GRANT USAGE ON SCHEMA signer TO {role};
GRANT SELECT ON signer.migration, signer.merchant, signer.outlet, signer.api_key TO {role};
GRANT SELECT, INSERT ON signer.signing_key, signer.entry, signer.dgi_exchange TO {role};
GRANT SELECT, UPDATE ON signer.outlet_head, signer.instance TO {role};
GRANT SELECT, INSERT, UPDATE ON signer.submission TO {role};
