-- a copy of a production database must never reach the production signer: whoever tests with it enters a key of
-- theirs, for the signer that the system parameter bonopay_fiscal.test_signer_url names, or another
DELETE FROM bonopay_credential;

UPDATE res_company
   SET bonopay_signer_url = COALESCE(
           (SELECT btrim(value)
              FROM ir_config_parameter
             WHERE key = 'bonopay_fiscal.test_signer_url'
               AND btrim(value) ~ '^https?://[^[:space:]]+$'),
           'http://127.0.0.1:9')
 WHERE bonopay_signer_url IS NOT NULL;

-- what waits is sent by the original, and never by the copy: its seals are those up to this one
INSERT INTO ir_config_parameter (key, value)
SELECT 'bonopay_fiscal.last_seal_of_the_original', COALESCE(MAX(id), 0)::text
  FROM bonopay_seal
    ON CONFLICT (key) DO
       UPDATE SET value = EXCLUDED.value;

UPDATE bonopay_seal
   SET next_attempt_at = NULL,
       last_error_code = 'copied_database',
       last_error_document = NULL
 WHERE state IN ('to_seal', 'sealed', 'unknown', 'dead')
   AND test_mode IS NOT TRUE
   AND superseded IS NOT TRUE;

-- nobody tells the end of an alarm here
DELETE FROM bonopay_alarm;

DELETE FROM bonopay_device;

UPDATE bonopay_outlet
   SET state = CASE WHEN state IN ('live', 'suspended') THEN 'test' ELSE state END,
       test_mode = true,
       dgi_level = 'unread',
       dgi_rank = 2,
       waiting_count = 0,
       oldest_number = NULL,
       oldest_sealed_at = NULL,
       oldest_deadline = NULL,
       rejected_count = 0,
       token_expires_at = NULL,
       dgi_answered_at = NULL,
       dgi_silent_since = NULL,
       dgi_closed = false,
       dgi_read_at = NULL,
       dgi_asked_at = NULL,
       dgi_error = NULL;
