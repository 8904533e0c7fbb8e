"""Who may do what: every model and business method of the module, with a real user of every role.

`access_matrix.csv` says it, a row for each model and operation: `yes` or `no` for each role. A new model or method of
the module needs a row there, and the values or the call that the test tries it with here.
"""

import csv
from base64 import b64encode
from pathlib import Path

from odoo import Command, fields
from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import tagged

from .common import API_KEY
from .roles_case import ROLES, RolesCase

MATRIX = Path(__file__).with_name("access_matrix.csv")
CRUD = ("read", "write", "create", "unlink")
#: Methods of Odoo that the module extends and that do nothing of their own.
NO_BUSINESS = frozenset({*CRUD, "copy", "get_empty_list_help", "get_paperformat", "session_info"})


def read_matrix():
    """``{(model, operation): {role: allowed}}``"""
    with MATRIX.open(encoding="utf-8", newline="") as file:
        return {
            (row.pop("model"), row.pop("operation")): {role: word == "yes" for role, word in row.items()}
            for row in csv.DictReader(file)
        }


@tagged("post_install", "-at_install")
class TestWhoMay(RolesCase):
    def setUp(self):
        super().setUp()
        self.matrix = read_matrix()
        self.twin.day = str(fields.Date.today())
        self.twin.usd["valid_on"] = self.twin.day
        self.certified = self.post()
        self.twin.problem_next(422, "invalid_payload")
        self.refused = self.post()
        self.twin.dgi_status = "rejected"
        self.rejected = self.post()
        self.twin.dgi_status = "certified"
        self.waiting = self.post(send=False)
        self.new = self.draft()
        self.reduced = self.draft(self.line(), self.line(price_unit=-10.0))
        self._make_records()
        self._make_outlets()

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

    def _make_records(self):
        env, outlet = self.env, self.outlet
        self.certified.bonopay_seal_id._count_print("sheet")
        alarm = env["bonopay.alarm"].create({"outlet_id": outlet.id, "code": "token_expiring", "level": "notice"})
        onboarding = env["bonopay.onboarding"].create({"company_id": self.company.id})
        owned = {"onboarding_id": onboarding.id, "name": "x"}
        usd = env.ref("base.USD")
        self.rate_values = {"name": "2026-01-05", "currency_id": usd.id, "company_id": self.company.id, "rate": 0.0004}
        payment = {"payment_type": "inbound", "partner_type": "customer", "partner_id": self.client.id, "amount": 5.0}
        attachment = {"res_model": "account.move", "res_id": self.new.id, "datas": b64encode(b"note").decode()}
        reversal = {"journal_id": self.journal.id, "move_ids": [Command.set(self.certified.ids)]}
        provider = env["payment.provider"].create({"name": "Web", "company_id": self.company.id})
        paid = {
            "provider_id": provider.id,
            "payment_method_id": env.ref("payment.payment_method_unknown").id,
            "amount": 5.0,
            "currency_id": self.company.currency_id.id,
            "partner_id": self.client.id,
        }
        group = env.ref("bonopay_fiscal.tax_group_a")
        rate = {"group_id": group.id, "rate": 0, "source": "x"}
        line = {"move_id": self.new.id, "name": "Livraison", "quantity": 1, "price_unit": 5.0}
        stated = {"move_id": self.new.id, "method": "ESPECES", "amount": 5.0}
        moved = {"outlet_id": outlet.id, "amount": 5.0, "reason": "x"}
        till = env["bonopay.cash.movement"].with_user(self.salesperson).create(moved)
        bank = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", self.company.id)], limit=1)
        manual = env.ref("account.account_payment_method_manual_in")
        way = {"name": "x", "journal_id": bank.id, "payment_method_id": manual.id}
        #: model → (an existing record, values to write, values to create another with)
        self.records = {
            "account.journal": (self.journal, {"name": "x"}, {"name": "x", "code": "XX", "type": "general"}),
            "account.move": (
                self.new,
                {"narration": "x"},
                {"move_type": "out_invoice", "partner_id": self.client.id},
            ),
            "account.move.line": (self.new.invoice_line_ids, {"name": "x"}, line),
            "account.move.reversal": (env["account.move.reversal"].create(reversal), {"reason": "x"}, reversal),
            "account.partial.reconcile": self._reconciliation(),
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
            "res.country.state": (
                env.ref("base.state_us_1"),
                {"name": "x"},
                {"country_id": env.ref("base.cd").id, "code": "ZZ", "name": "x"},
            ),
            "account.tax": (self.tax_b, {"invoice_label": "x"}, {"name": "x", "amount": 1, "type_tax_use": "sale"}),
            "bonopay.alarm": (alarm, {"level": "warning"}, {"outlet_id": outlet.id, "code": "x", "level": "notice"}),
            "bonopay.onboarding": (onboarding, {"step": "sale"}, {"company_id": self.company.id}),
            "bonopay.onboarding.check": (env["bonopay.onboarding.check"].create(owned), {"level": "ok"}, owned),
            "bonopay.onboarding.outlet": (env["bonopay.onboarding.outlet"].create(owned), {"attach": True}, owned),
            "bonopay.credential": (
                env["bonopay.credential"].sudo().search([("company_id", "=", self.company.id)]),
                {"ciphertext": "x"},
                {"company_id": self._make_bare_company("Sans clé").id, "ciphertext": "x"},
            ),
            "bonopay.device": (
                env["bonopay.device"].create({"outlet_id": outlet.id, "kind": "emcf"}),
                {"nim": "x"},
                {"outlet_id": outlet.id, "kind": "mcf"},
            ),
            "bonopay.outlet": (outlet, {"street": "x"}, {"name": "x", "code": "XXX", "company_id": self.company.id}),
            "bonopay.print": (
                self.certified.bonopay_seal_id.print_ids,
                {"number": 9},
                {"seal_id": self.certified.bonopay_seal_id.id, "user_id": env.uid, "number": 9, "paper": "sheet"},
            ),
            "bonopay.seal": (
                self.certified.bonopay_seal_id,
                {"state": "dead"},
                {"move_id": self.new.id, "outlet_id": outlet.id, "document_id": "x", "state": "certified"},
            ),
            "bonopay.settings": (
                env["bonopay.settings"].create({}),
                {"take_rate": False},
                {"company_id": self.company.id},
            ),
            "bonopay.tax.group": (
                group,
                {"label": "x"},
                {"code": "Z", "label": "x", "item_types": "supplies"},
            ),
            "bonopay.tax.rate": (
                env["bonopay.tax.rate"].create({**rate, "valid_from": "2090-01-01"}),
                {"source": "x"},
                {**rate, "valid_from": "2095-01-01"},
            ),
            "ir.actions.report": (
                env.ref("account.account_invoices"),
                {"name": "x"},
                {"name": "x", "model": "account.move", "report_name": "account.report_invoice"},
            ),
            "ir.attachment": (
                env["ir.attachment"].create({"name": "note.txt", **attachment}),
                {"name": "x.txt"},
                {"name": "x.txt", **attachment},
            ),
            "ir.module.module": (env.ref("base.module_hr"), {"summary": "x"}, {"name": "x"}),
            "product.product": (self.rice, {"barcode": "x"}, {"name": "x"}),
            "product.template": (self.rice.product_tmpl_id, {"name": "x"}, {"name": "x"}),
            "res.company": (self.company, {"phone": "x"}, {"name": "x"}),
            "res.config.settings": (env["res.config.settings"].create({}), {"bonopay_signer_url": "https://x"}, {}),
            "res.currency.rate": (
                env["res.currency.rate"].create({**self.rate_values, "name": "2026-01-04"}),
                {"rate": 0.0005},
                self.rate_values,
            ),
            "res.partner": (self.client, {"comment": "x"}, {"name": "x"}),
        }

    def _reconciliation(self):
        """One between two invoices, and the values of another."""
        receivable = (self.certified | self.waiting).line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
        values = {"debit_move_id": receivable[0].id, "credit_move_id": receivable[1].id, "amount": 1.0,
                  "debit_amount_currency": 1.0, "credit_amount_currency": 1.0}  # fmt: skip
        return self.env["account.partial.reconcile"].create(values), {"amount": 2.0}, values

    # ------------------------------------------------------------------------------------------------------------
    # What there is
    # ------------------------------------------------------------------------------------------------------------

    def own_classes(self):
        """Model → the classes that this module defines or extends it with."""
        for name, model in self.env.registry.items():
            classes = [
                cls
                for cls in model.__mro__
                # a wizard that inherits from an abstract model of Odoo has our part of it without being ours
                if cls.__module__.startswith("odoo.addons.bonopay_fiscal.") and cls._name == name
            ]
            if classes:
                yield name, classes

    def operations(self):
        """Every ``(model, operation)`` that the module has a part in."""
        for name, classes in self.own_classes():
            if not self.env[name]._abstract:
                yield from ((name, operation) for operation in CRUD)
            for cls in classes:
                methods = {method for method, value in vars(cls).items() if callable(value)}
                yield from ((name, m) for m in methods - NO_BUSINESS if self.is_business(cls, m))

    def is_business(self, cls, method):
        private = method.startswith("_") or getattr(vars(cls)[method], "_api_private", False)
        return not private and not isinstance(vars(cls)[method], type)

    # ------------------------------------------------------------------------------------------------------------
    # Trying
    # ------------------------------------------------------------------------------------------------------------

    def crud_call(self, model, operation):
        record, written, created = self.records[model]
        if operation == "create":
            return lambda user: self.remote(user, model, "create", [created])
        if operation == "write":
            return lambda user: self.remote(user, model, "write", record.ids, written)
        if operation == "read":
            return lambda user: self.remote(user, model, "read", record.ids, ["id", "display_name"])
        return lambda user: self.remote(user, model, "unlink", self.spare(model).ids)

    def spare(self, model):
        """A record that nothing refers to, so that only rights can keep somebody from deleting it."""
        record, _written, created = self.records[model]
        kept = (
            "bonopay.seal", "bonopay.print", "bonopay.cash.movement", "bonopay.credential", "ir.module.module",
            "res.company",
        )  # fmt: skip
        return record if model in kept else self.env[model].create(created)

    def method_calls(self):
        """``{(model, method): call}`` for the business methods, ours and the main ones of Odoo."""
        outlet, company = self.outlet, self.company

        def call(model, record, method, *args):
            return lambda user: self.remote(user, model, method, record.ids, *args)

        def calls(model, record, *methods):
            return {(model, method): call(model, record, method) for method in methods}

        own_settings = self.records["bonopay.settings"][0]
        settings = self.records["res.config.settings"][0]
        connection = {
            ("res.company", "bonopay_configure"): call(
                "res.company", company, "bonopay_configure", self.twin.url, API_KEY
            ),
        }
        return {
            **calls("account.move", self.new, "action_post", "action_bonopay_propose_payments"),
            **calls("account.move", self.reduced, "action_bonopay_distribute_reductions"),
            **calls("account.move", self.waiting, "action_bonopay_seal_now"),
            **calls("account.move", self.rejected, "action_bonopay_replace"),
            **calls("account.move", self.certified, "action_bonopay_open_seal"),
            **calls("account.move", self.refused, "action_bonopay_correct", "button_draft"),
            ("account.move", "print"): self.print_invoice,
            ("account.move", "send"): self.send_invoice,
            ("account.move.reversal", "refund_moves"): self.credit_invoice("refund_moves"),
            ("account.move.reversal", "reverse_moves"): self.credit_invoice("reverse_moves"),
            ("bonopay.seal", "export_data"): self.export_seal,
            **calls("bonopay.seal", self.certified.bonopay_seal_id, "action_open_move"),
            **calls("bonopay.outlet", outlet, "action_read_status", "action_restart_sending"),
            ("bonopay.outlet", "dgi_banner"): lambda user: self.remote(user, "bonopay.outlet", "dgi_banner"),
            **connection,
            **self.onboarding_calls(call, calls),
            **calls("bonopay.settings", own_settings, "action_save", "action_test_connection"),
            **calls("res.company", company, "bonopay_take_rate_now"),
            **calls("res.config.settings", settings, "bonopay_forget_key", "bonopay_take_rate_now"),
            **calls("res.config.settings", settings, "bonopay_test_connection"),
            **calls("ir.module.module", self.env.ref("base.module_hr"), "button_uninstall", "module_uninstall"),
        }

    def onboarding_calls(self, call, calls):
        """The steps of the onboarding and of an outlet's life."""
        onboarding, line = self.records["bonopay.onboarding"][0], self.records["bonopay.onboarding.outlet"][0]
        return {
            ("bonopay.onboarding", "action_open_current"): lambda user: self.remote(
                user, "bonopay.onboarding", "action_open_current"
            ),
            **calls("bonopay.onboarding", onboarding, "action_next", "action_back", "action_refresh"),
            **calls("bonopay.onboarding", onboarding, "action_make_test_sale"),
            **calls("bonopay.onboarding", self.sold, "action_cancel_test_sale", "action_open_sale"),
            **calls("bonopay.onboarding.check", self.records["bonopay.onboarding.check"][0], "action_open"),
            **calls("bonopay.onboarding.outlet", line, "action_open_outlet"),
            ("bonopay.onboarding.outlet", "action_go_live"): self.go_live(line),
            **calls("bonopay.outlet", self.outlet, "action_onboard", "action_suspend", "action_close"),
            **calls("bonopay.outlet", self.in_state["preparation"], "action_start_test"),
            **calls("bonopay.outlet", self.in_state["test"], "action_back_to_preparation"),
            **calls("bonopay.outlet", self.in_state["suspended"], "action_resume"),
        }

    def go_live(self, line):
        def call(user):
            try:
                self.remote(user, "bonopay.onboarding.outlet", "action_go_live", line.ids)
            except AccessError:
                raise
            except UserError:  # a check is red, whoever asks
                return

        return call

    def print_invoice(self, user):
        report = self.env(user=user, context={})["ir.actions.report"]
        report._render_qweb_html("account.account_invoices", self.certified.ids)

    def send_invoice(self, user):
        move = self.certified.with_user(user)
        move.env["account.move.send"]._generate_and_send_invoices(move, sending_methods=[])

    def credit_invoice(self, method):
        stated = {"bonopay_credit_nature": "RAN", "reason": "x"}
        values = {**self.records["account.move.reversal"][2], **stated}

        def call(user):
            wizard = self.remote(user, "account.move.reversal", "create", values)
            self.remote(user, "account.move.reversal", method, [wizard])

        return call

    def export_seal(self, user):
        seals = self.certified.bonopay_seal_id
        try:
            exported = self.remote(user, "bonopay.seal", "export_data", seals.ids, ["fiscal_number", "payload"])
        except UserError as error:  # Odoo's own refusal is no AccessError
            raise AccessError(str(error)) from error
        self.assertEqual(exported["datas"], [[seals.fiscal_number, seals.payload]])

    def is_allowed(self, call, user):
        with self.undone():
            try:
                call(user)
                self.env.flush_all()
            except (AccessError, AccessDenied):
                return False
        return True

    def check(self, rows):
        methods, wrong = self.method_calls(), []
        for model, operation in rows:
            call = methods.get((model, operation)) or self.crud_call(model, operation)
            for role, expected in self.matrix[model, operation].items():
                with self.subTest(model=model, operation=operation, role=role):
                    if self.is_allowed(call, self.users[role]) != expected:
                        wrong.append(f"{model},{operation}: {role} {'may not' if expected else 'may'}")
        self.assertFalse(wrong, "otherwise than access_matrix.csv says:\n" + "\n".join(wrong))

    # ------------------------------------------------------------------------------------------------------------

    def test_row_55_every_model_and_method_is_in_the_matrix(self):
        missing = {*self.operations(), *self.method_calls()} - self.matrix.keys()
        self.assertFalse(
            missing, "say in tests/access_matrix.csv who may:\n" + "\n".join(map(",".join, sorted(missing)))
        )
        callable_here = {*self.method_calls(), *((model, operation) for model in self.records for operation in CRUD)}
        untried = self.matrix.keys() - callable_here
        self.assertFalse(untried, f"nothing here tries {sorted(untried)}: add its values or its call")

    def test_row_55_the_matrix_knows_every_role(self):
        privilege = self.env.ref("bonopay_fiscal.res_groups_privilege_bonopay")
        tried = {name for groups in ROLES.values() for name in groups.split(",")}
        self.assertLessEqual(set(privilege.group_ids.get_external_id().values()), tried)
        for row in self.matrix.values():
            self.assertEqual(list(row), list(ROLES))

    def test_row_55_each_role_does_with_records_what_the_matrix_says(self):
        self.check([row for row in self.matrix if row[1] in CRUD])

    def test_row_55_each_role_calls_what_the_matrix_says(self):
        self.check([row for row in self.matrix if row[1] not in CRUD])
