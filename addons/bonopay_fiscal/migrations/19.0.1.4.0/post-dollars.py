import logging

from odoo import SUPERUSER_ID, api

_logger = logging.getLogger(__name__)


def migrate(cr, version):
    """Bring drafts in dollars to what their francs are worth: they were rounded as Odoo does, and counted the francs of
    specific taxes as dollars. What was posted stays, and a draft that cannot be reckoned stops no upgrade."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    drafts = env["account.move"].search(
        [
            ("state", "=", "draft"),
            ("move_type", "in", ("out_invoice", "out_receipt", "out_refund")),
            ("currency_id", "=", env.ref("base.USD").id),
        ]
    )
    for move in drafts:
        try:
            with cr.savepoint():
                if move.bonopay_required and move._bonopay_usd_rate():
                    move._bonopay_reckon_draft()
        except Exception:
            _logger.warning(
                "Draft %s in dollars (account.move %s) keeps its amounts of before the upgrade: they could not be "
                "reckoned. Make it out anew before it is posted.",
                move.name or "/",
                move.id,
                exc_info=True,
            )
