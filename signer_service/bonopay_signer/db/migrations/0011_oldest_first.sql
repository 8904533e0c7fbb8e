-- What waits for the DGI is brought there in the order in which it was sealed: the oldest is the nearest to its deadline.
CREATE INDEX submission_waiting ON signer.submission (outlet_id, id) WHERE state NOT IN ('released', 'settled');
DROP INDEX signer.submission_due;
