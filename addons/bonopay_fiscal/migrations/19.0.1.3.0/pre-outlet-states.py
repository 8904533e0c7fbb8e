def migrate(cr, version):
    """Outlets sold as soon as they were made, in test mode or not: that is the state in which they are now.

    Before the field is made, which would give them all its default.
    """
    cr.execute("ALTER TABLE bonopay_outlet ADD COLUMN IF NOT EXISTS state varchar")
    cr.execute("UPDATE bonopay_outlet SET state = CASE WHEN test_mode THEN 'test' ELSE 'live' END WHERE state IS NULL")
