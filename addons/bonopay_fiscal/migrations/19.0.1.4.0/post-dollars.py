from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Bring drafts in dollars to what their francs are worth: they were rounded as Odoo does, and counted the francs of
    specific taxes as dollars. What was posted stays."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    drafts = env["account.move"].search(
        [
            ("state", "=", "draft"),
            ("move_type", "in", ("out_invoice", "out_receipt", "out_refund")),
            ("currency_id", "=", env.ref("base.USD").id),
        ]
    )
    for move in drafts.filtered(lambda move: move.bonopay_required and move._bonopay_usd_rate()):
        move._bonopay_reckon_draft()
