def migrate(cr, version):
    """Each seal names its document and its customer itself: until this version it read them from its invoice."""
    cr.execute(
        """
        UPDATE bonopay_seal s SET source_name = m.name, partner_id = m.partner_id
          FROM account_move m
         WHERE s.move_id = m.id AND s.source_name IS NULL
        """
    )
