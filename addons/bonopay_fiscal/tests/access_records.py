"""What the matrix of roles is tried with: a record of every model, and values to write and to create another with."""

from base64 import b64encode

from odoo import Command


class AccessRecords:
    """A mixin for :class:`.test_who_may.TestWhoMay`, which makes the invoices."""

    def make_records(self):
        """``{model: (an existing record, values to write, values to create another with)}``"""
        return {
            **self._records_of_invoices(),
            **self._records_of_payments(),
            **self._records_of_seals(),
            **self._records_of_outlets(),
            **self._records_of_taxes(),
            **self._records_of_settings(),
            **self._records_of_odoo(),
        }

    def _make_outlets(self):
        """An outlet in each state that a step of its life starts from, and an onboarding in the middle of its way."""
        self.in_state = {
            state: self.env["bonopay.outlet"].create({"name": state, "code": f"KIN10{number}", "state": state})
            for number, state in enumerate(("preparation", "test", "suspended"))
        }
        self.in_state["test"].journal_ids = self.journal.copy({"code": "ESS"})
        onboarding = self.records["bonopay.onboarding"][0]
        self.records["bonopay.onboarding.outlet"][0].outlet_id = self.in_state["test"]
        onboarding.test_outlet_id = self.in_state["test"]
        self.sold = onboarding.copy({"sale_id": self.certified.id})

    def _records_of_invoices(self):
        reversal = {"journal_id": self.journal.id, "move_ids": [Command.set(self.certified.ids)]}
        line = {"move_id": self.new.id, "name": "Livraison", "quantity": 1, "price_unit": 5.0}
        attachment = {"res_model": "account.move", "res_id": self.new.id, "datas": b64encode(b"note").decode()}
        return {
            "account.move": (
                self.new,
                {"narration": "x"},
                {"move_type": "out_invoice", "partner_id": self.client.id},
            ),
            "account.move.line": (self.new.invoice_line_ids, {"name": "x"}, line),
            "account.move.reversal": (self.env["account.move.reversal"].create(reversal), {"reason": "x"}, reversal),
            "account.partial.reconcile": self._reconciliation(),
            "ir.attachment": (
                self.env["ir.attachment"].create({"name": "note.txt", **attachment}),
                {"name": "x.txt"},
                {"name": "x.txt", **attachment},
            ),
        }

    def _reconciliation(self):
        """One between two invoices, and the values of another."""
        receivable = (self.certified | self.waiting).line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        values = {"debit_move_id": receivable[0].id, "credit_move_id": receivable[1].id, "amount": 1.0,
                  "debit_amount_currency": 1.0, "credit_amount_currency": 1.0}  # fmt: skip
        return self.env["account.partial.reconcile"].create(values), {"amount": 2.0}, values

    def _records_of_payments(self):
        env = self.env
        payment = {"payment_type": "inbound", "partner_type": "customer", "partner_id": self.client.id, "amount": 5.0}
        provider = env["payment.provider"].create({"name": "Web", "company_id": self.company.id})
        paid = {
            "provider_id": provider.id,
            "payment_method_id": env.ref("payment.payment_method_unknown").id,
            "amount": 5.0,
            "currency_id": self.company.currency_id.id,
            "partner_id": self.client.id,
        }
        stated = {"move_id": self.new.id, "method": "ESPECES", "amount": 5.0}
        moved = {"outlet_id": self.outlet.id, "amount": 5.0, "reason": "x"}
        till = env["bonopay.cash.movement"].with_user(self.salesperson).create(moved)
        bank = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", self.company.id)], limit=1)
        manual = env.ref("account.account_payment_method_manual_in")
        way = {"name": "x", "journal_id": bank.id, "payment_method_id": manual.id}
        return {
            "account.payment": (env["account.payment"].create(payment), {"memo": "x"}, payment),
            "account.payment.method.line": (bank.inbound_payment_method_line_ids[:1], {"name": "y"}, way),
            "bonopay.cash.movement": (till, {"reason": "y"}, moved),
            "bonopay.payment": (env["bonopay.payment"].create(stated), {"reference": "x"}, stated),
            "payment.method": (
                env.ref("payment.payment_method_mpesa"),
                {"bonopay_method": "AUTRE"},
                {"name": "x", "code": "x"},
            ),
            "payment.transaction": (
                env["payment.transaction"].create({**paid, "reference": "WEB-1"}),
                {"state_message": "x"},
                {**paid, "reference": "WEB-2"},
            ),
        }

    def _records_of_seals(self):
        seal = self.certified.bonopay_seal_id
        return {
            "bonopay.print": (
                seal.print_ids,
                {"number": 9},
                {"seal_id": seal.id, "user_id": self.env.uid, "number": 9, "paper": "sheet"},
            ),
            "bonopay.seal": (
                seal,
                {"state": "dead"},
                {"move_id": self.new.id, "outlet_id": self.outlet.id, "document_id": "x", "state": "certified"},
            ),
            "bonopay.credential": (
                self.env["bonopay.credential"].sudo().search([("company_id", "=", self.company.id)]),
                {"ciphertext": "x"},
                {"company_id": self._make_bare_company("Sans clé").id, "ciphertext": "x"},
            ),
        }

    def _records_of_outlets(self):
        env, outlet = self.env, self.outlet
        alarm = env["bonopay.alarm"].create({"outlet_id": outlet.id, "code": "token_expiring", "level": "notice"})
        onboarding = env["bonopay.onboarding"].create({"company_id": self.company.id})
        owned = {"onboarding_id": onboarding.id, "name": "x"}
        return {
            "bonopay.alarm": (alarm, {"level": "warning"}, {"outlet_id": outlet.id, "code": "x", "level": "notice"}),
            "bonopay.onboarding": (onboarding, {"step": "sale"}, {"company_id": self.company.id}),
            "bonopay.onboarding.check": (env["bonopay.onboarding.check"].create(owned), {"level": "ok"}, owned),
            "bonopay.onboarding.outlet": (env["bonopay.onboarding.outlet"].create(owned), {"attach": True}, owned),
            "bonopay.device": (
                env["bonopay.device"].create({"outlet_id": outlet.id, "kind": "emcf"}),
                {"nim": "x"},
                {"outlet_id": outlet.id, "kind": "mcf"},
            ),
            "bonopay.outlet": (outlet, {"street": "x"}, {"name": "x", "code": "XXX", "company_id": self.company.id}),
        }

    def _records_of_taxes(self):
        group = self.env.ref("bonopay_fiscal.tax_group_a")
        rate = {"group_id": group.id, "rate": 0, "source": "x"}
        return {
            "account.tax": (self.tax_b, {"invoice_label": "x"}, {"name": "x", "amount": 1, "type_tax_use": "sale"}),
            "bonopay.tax.group": (group, {"label": "x"}, {"code": "Z", "label": "x", "item_types": "supplies"}),
            "bonopay.tax.rate": (
                self.env["bonopay.tax.rate"].create({**rate, "valid_from": "2090-01-01"}),
                {"source": "x"},
                {**rate, "valid_from": "2095-01-01"},
            ),
        }

    def _records_of_settings(self):
        env = self.env
        return {
            "bonopay.settings": (
                env["bonopay.settings"].create({}),
                {"take_rate": False},
                {"company_id": self.company.id},
            ),
            "ir.actions.report": (
                env.ref("account.account_invoices"),
                {"name": "x"},
                {"name": "x", "model": "account.move", "report_name": "account.report_invoice"},
            ),
            "ir.module.module": (env.ref("base.module_hr"), {"summary": "x"}, {"name": "x"}),
            "res.config.settings": (env["res.config.settings"].create({}), {"bonopay_signer_url": "https://x"}, {}),
        }

    def _records_of_odoo(self):
        env = self.env
        usd = env.ref("base.USD")
        rate = {"name": "2026-01-05", "currency_id": usd.id, "company_id": self.company.id, "rate": 0.0004}
        return {
            "account.journal": (self.journal, {"name": "x"}, {"name": "x", "code": "XX", "type": "general"}),
            "product.product": (self.rice, {"barcode": "x"}, {"name": "x"}),
            "product.template": (self.rice.product_tmpl_id, {"name": "x"}, {"name": "x"}),
            "res.company": (self.company, {"phone": "x"}, {"name": "x"}),
            "res.country.state": (
                env.ref("base.state_us_1"),
                {"name": "x"},
                {"country_id": env.ref("base.cd").id, "code": "ZZ", "name": "x"},
            ),
            "res.currency.rate": (
                env["res.currency.rate"].create({**rate, "name": "2026-01-04"}),
                {"rate": 0.0005},
                rate,
            ),
            "res.partner": (self.client, {"comment": "x"}, {"name": "x"}),
        }
