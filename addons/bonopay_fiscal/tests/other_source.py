"""A second kind of sale, which tests alone know: what is sealed need not be an invoice."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

from odoo import api, fields, models
from odoo.orm.model_classes import add_to_registry

from ..core import payload
from .common import FiscalCase, trap_seals

SALE = "bonopay.test.sale"


def _definitions():
    """The models; ``_module`` of nothing keeps them out of every registry that is loaded later."""

    class TestSale(models.Model):
        _module = None
        _name = SALE
        _inherit = ["bonopay.source"]
        _description = "Sale of tests"

        name = fields.Char()
        company_id = fields.Many2one("res.company")
        outlet_id = fields.Many2one("bonopay.outlet")
        partner_id = fields.Many2one("res.partner")
        currency_id = fields.Many2one("res.currency")
        amount_total = fields.Monetary()
        original_id = fields.Many2one(SALE)
        bonopay_seal_ids = fields.One2many("bonopay.seal", "sale_id")

        def _bonopay_document(self):
            line = payload.Line(
                "RIZ25", "Riz", "BIE", "Unité", Decimal(1), payload.Price(Decimal(116)), "A", Decimal(0)
            )
            return payload.Document(
                document_id=str(uuid.uuid4()),
                merchant_nif=self.company_id.vat,
                outlet_id=self.outlet_id.code,
                cashier_id=str(self.env.uid),
                cashier_name=self.env.user.name,
                invoice_type="FV",
                price_mode="ttc",
                reference_number=self.name,
                issued_at=datetime.now(UTC),
                client=payload.Client("PP", "Client"),
                lines=(line,),
                payments=(payload.Payment("ESPECES", Decimal("116.00")),),
            )

        def _bonopay_outlet(self):
            return self.outlet_id

        def _bonopay_cashier(self):
            return self.env.user

        def _bonopay_credited_sources(self):
            return self.original_id

    class TestSeal(models.Model):
        _module = None
        _name = "bonopay.seal"
        _inherit = ["bonopay.seal"]

        sale_id = fields.Many2one(SALE, index=True, ondelete="restrict")
        _live_seal_of_sale_unique = models.UniqueIndex("(sale_id) WHERE superseded IS NOT TRUE")

        @api.model
        def _source_fields(self):
            return [*super()._source_fields(), "sale_id"]

    return TestSale, TestSeal


class OtherSourceCase(FiscalCase):
    """A company where invoices are sealed, and sales of another kind beside them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls._forget_models, cls.registry["bonopay.seal"]._base_classes__)
        for definition in _definitions():
            add_to_registry(cls.registry, definition)
        names = [SALE, "bonopay.seal"]
        cls.env.flush_all()
        cls.registry._setup_models__(cls.cr, names)
        cls.registry.init_models(cls.cr, names, {"models_to_check": True})
        cls.env["ir.model.access"].create(
            {
                "name": "Sales of tests",
                "model_id": cls.env["ir.model"]._get_id(SALE),
                "group_id": cls.env.ref("base.group_user").id,
                **dict.fromkeys(("perm_read", "perm_write", "perm_create", "perm_unlink"), True),
            }
        )

    @classmethod
    def _forget_models(cls, bases):
        """Leave the registry as it was; the tables go with the transaction."""
        cls.registry["bonopay.seal"]._base_classes__ = bases
        for name in cls.registry[SALE]._inherit_module:
            cls.registry[name]._inherit_children.discard(SALE)
        del cls.registry.models[SALE]
        cls.registry.registry_invalidated = True

    def sale(self, **values):
        return self.env[SALE].create(
            {
                "name": "T/0001",
                "company_id": self.company.id,
                "outlet_id": self.outlet.id,
                "partner_id": self.walk_in.id,
                "currency_id": self.company.currency_id.id,
                "amount_total": 116.0,
                **values,
            }
        )

    def issue(self, sales=None, send=True):
        """Freeze sales, and send their seals to the signer."""
        sales = sales or self.sale()
        with trap_seals(self.env) as trapped:
            self.env["bonopay.seal"]._freeze(sales)._send_after_commit()
        if send:
            trapped.send()
        return sales.bonopay_seal_ids
