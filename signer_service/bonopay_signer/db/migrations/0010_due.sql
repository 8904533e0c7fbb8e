-- What waits for the DGI is found by outlet, so that a long outage of one outlet's does not slow the others'.

CREATE INDEX submission_due ON signer.submission (outlet_id, next_attempt_at, id)
    WHERE state NOT IN ('released', 'settled');
DROP INDEX signer.submission_pending;
