-- a copy of a production database must never reach the production signer
DELETE FROM bonopay_credential;

UPDATE res_company
   SET bonopay_signer_url = 'http://127.0.0.1:9'
 WHERE bonopay_signer_url IS NOT NULL;

-- nobody tells the end of an alarm here
DELETE FROM bonopay_alarm;

DELETE FROM bonopay_device;

UPDATE bonopay_outlet
   SET test_mode = true,
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
