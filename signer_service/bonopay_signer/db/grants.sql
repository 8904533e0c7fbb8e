-- The rights of the service's role, applied anew after every migration run. {role} is quoted by the runner.
REVOKE ALL ON ALL TABLES IN SCHEMA signer FROM {role};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA signer FROM {role};
GRANT USAGE ON SCHEMA signer TO {role};
GRANT SELECT ON signer.migration, signer.merchant, signer.outlet, signer.api_key TO {role};
GRANT SELECT ON signer.terminal, signer.operator, signer.currency_rate, signer.action_log TO {role};
GRANT UPDATE (last_used_at) ON signer.api_key TO {role};
GRANT SELECT ON signer.entry, signer.outlet_head, signer.document, signer.verdict, signer.credit TO {role};
GRANT SELECT, INSERT ON signer.dgi_exchange TO {role};
GRANT SELECT, INSERT (key_id, public_der) ON signer.signing_key TO {role};
GRANT SELECT, INSERT, UPDATE ON signer.submission TO {role};
GRANT SELECT ON signer.shard TO {role};
GRANT UPDATE (generation, taken_at) ON signer.shard TO {role};
GRANT EXECUTE ON FUNCTION signer.ensure_month, signer.append, signer.log_action, signer.registry_members TO {role};
GRANT SELECT, INSERT ON signer.tile, signer.checkpoint, signer.cosignature TO {role};
GRANT SELECT, INSERT, UPDATE (size, root, note, cosigned_at) ON signer.witnessed TO {role};
GRANT SELECT ON signer.witness TO {role};
GRANT SELECT, INSERT ON signer.reference, signer.dgi_event TO {role};
GRANT SELECT, INSERT, UPDATE (nim, answered_at) ON signer.reference_answer TO {role};
GRANT EXECUTE ON FUNCTION signer.learn_rate TO {role};
GRANT SELECT ON signer.mcf TO {role};
GRANT SELECT, INSERT, UPDATE ON signer.mcf_state TO {role};
GRANT SELECT, INSERT, UPDATE (state, counter, head_hash, credential, not_after, seen_at, cloned_at, revoked_at)
    ON signer.till TO {role};
GRANT SELECT, INSERT ON signer.till_ticket TO {role};
