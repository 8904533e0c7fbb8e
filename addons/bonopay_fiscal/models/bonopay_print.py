from odoo import api, fields, models

PAPERS = [("sheet", "A4 sheet"), ("roll", "80 mm ticket")]
_READERS = "bonopay_fiscal.group_fiscal_manager,bonopay_fiscal.group_fiscal_auditor"


class BonopayPrint(models.Model):
    """One print of a normalised document: who, when, and which copy (SFE §1.8, arrêté 034 art. 28).

    A row is written by the print itself, in its transaction, before anything is rendered. Nobody creates, changes or
    deletes one otherwise, for the reasons that `bonopay.seal` gives. Slips are no invoices and are not counted.
    """

    _name = "bonopay.print"
    _inherit = "bonopay.guarded"
    _description = "Print of a normalised document"
    _order = "id desc"
    _is_kept = True

    seal_id = fields.Many2one("bonopay.seal", required=True, readonly=True, index=True, ondelete="restrict")
    move_id = fields.Many2one(related="seal_id.move_id")
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="restrict")
    outlet_id = fields.Many2one("bonopay.outlet", required=True, readonly=True, index=True, ondelete="restrict")
    fiscal_number = fields.Char(related="seal_id.fiscal_number")
    user_id = fields.Many2one("res.users", "Printed by", required=True, readonly=True, ondelete="restrict")
    printed_at = fields.Datetime("Printed on", required=True, readonly=True)
    number = fields.Integer(
        "Copy", required=True, readonly=True, help="0 is the original, n the duplicata that bears this number."
    )
    paper = fields.Selection(PAPERS, required=True, readonly=True)

    _copy_unique = models.Constraint("UNIQUE(seal_id, number)", "Each copy of a document is printed once.")

    @api.depends("number")
    def _compute_display_name(self):
        for log in self:
            log.display_name = f"DUPLICATA N° {log.number}" if log.number else self.env._("Original")


class BonopaySeal(models.Model):
    _inherit = "bonopay.seal"

    print_ids = fields.One2many("bonopay.print", "seal_id", "Prints on record", readonly=True, groups=_READERS)

    def _count_print(self, paper):
        """Count one more print of each seal, and record whose it was (SFE §1.8: what is printed again is a duplicata).

        :param str paper: `sheet` or `roll`
        """
        user, now = self.env.user, fields.Datetime.now()
        for seal in self._as_writer():
            number = seal.print_count
            seal.write({"print_count": number + 1})
            seal.flush_recordset()  # of two prints at once, one loses the race here and starts again before rendering
            seal.env["bonopay.print"].create(
                {
                    "seal_id": seal.id,
                    "company_id": seal.company_id.id,
                    "outlet_id": seal.outlet_id.id,
                    "user_id": user.id,
                    "printed_at": now,
                    "number": number,
                    "paper": paper,
                }
            )
