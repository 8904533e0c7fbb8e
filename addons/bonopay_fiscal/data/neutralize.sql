-- a copy of a production database must never reach the production signer
DELETE FROM bonopay_credential;

UPDATE res_company
   SET bonopay_signer_url = 'http://127.0.0.1:9'
 WHERE bonopay_signer_url IS NOT NULL;

UPDATE bonopay_outlet
   SET test_mode = true;
