-- Which key was published when, and by whom, is in the action log: the service's role may publish keys, and a key that
-- nobody of the operators made shows there.
CREATE FUNCTION signer.key_published() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM signer.log_action('key.publish', 'key ' || NEW.key_id, NULL, NULL,
                              jsonb_build_object('public_key', encode(NEW.public_der, 'hex')));
    RETURN NULL;
END $$;
CREATE TRIGGER key_published AFTER INSERT ON signer.signing_key
    FOR EACH ROW EXECUTE FUNCTION signer.key_published();
SELECT signer.log_action('registry.adopt', 'key ' || key_id, NULL, NULL,
                         jsonb_build_object('public_key', encode(public_der, 'hex')))
  FROM signer.signing_key ORDER BY created_at, key_id;

REVOKE EXECUTE ON FUNCTION signer.key_published FROM PUBLIC;
