-- A uid of the DGI belongs to one document: two that shared it would get the same security elements.
CREATE UNIQUE INDEX submission_uid ON signer.submission (outlet_id, uid) WHERE state NOT IN ('cancelling', 'released');

-- The triggers' own operators are PostgreSQL's, whatever the session's search_path puts before them.
ALTER FUNCTION signer.refuse_change() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION signer.head_starts_empty() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION signer.head_moves_forward() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION signer.entry_extends_chain() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION signer.head_has_entry() SET search_path = pg_catalog, pg_temp;
