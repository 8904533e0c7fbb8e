def migrate(cr, version):
    """Each sealed invoice keeps the client type that was sealed: until this version it was guessed at the seal."""
    cr.execute(
        """
        UPDATE account_move m SET bonopay_client_type = s.payload::jsonb #>> '{client,type}'
          FROM bonopay_seal s
         WHERE s.move_id = m.id AND s.superseded IS NOT TRUE
        """
    )
