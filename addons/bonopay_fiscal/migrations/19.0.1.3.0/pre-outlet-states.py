def migrate(cr, version):
    """Outlets sold as soon as they were made, in test mode or not: that is the state in which they are now.

    Before the field is made, which would give them all its default. A copy that was neutralised by an older version
    learns which documents are its original's.
    """
    cr.execute("ALTER TABLE bonopay_outlet ADD COLUMN IF NOT EXISTS state varchar")
    cr.execute("UPDATE bonopay_outlet SET state = CASE WHEN test_mode THEN 'test' ELSE 'live' END WHERE state IS NULL")
    cr.execute(
        """INSERT INTO ir_config_parameter (key, value)
           SELECT 'bonopay_fiscal.last_seal_of_the_original', MAX(id)::text
             FROM bonopay_seal
            WHERE EXISTS (SELECT FROM ir_config_parameter
                           WHERE key = 'database.is_neutralized' AND lower(value) IN ('true', 't', '1'))
           HAVING MAX(id) IS NOT NULL
               ON CONFLICT (key) DO NOTHING"""
    )
