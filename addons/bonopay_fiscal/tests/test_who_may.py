"""Who may do what: every model and business method of the module, with a real user of every role.

`access_matrix.csv` says it, a row for each model and operation: `yes` or `no` for each role. A new model or method of
the module needs a row there, and the values or the call that the test tries it with here.
"""

import csv
from pathlib import Path

from odoo import fields
from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import tagged

from ..core import reference
from .access_records import AccessRecords
from .common import API_KEY
from .roles_case import ROLES, RolesCase
from .signer_twin import dgi_tables

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
class TestWhoMay(AccessRecords, RolesCase):
    def setUp(self):
        super().setUp()
        self.matrix = read_matrix()
        self.twin.day = str(fields.Date.today())
        self.twin.usd["valid_on"] = self.twin.day
        groups = self.env["bonopay.tax.group"]
        rates = {letter: str(row.rate) for letter, row in groups._rates_on(groups._fiscal_day()).items()}
        self.twin.addresses = [dgi_tables(self.twin.day, rates, reference.CODES)]
        self.certified = self.post()
        self.twin.problem_next(422, "invalid_payload")
        self.refused = self.post()
        self.twin.dgi_status = "rejected"
        self.rejected = self.post()
        self.twin.dgi_status = "certified"
        self.waiting = self.post(send=False)
        self.new = self.draft()
        self.reduced = self.draft(self.line(), self.line(price_unit=-10.0))
        self.certified.bonopay_seal_id._count_print("sheet")
        self.records = self.make_records()
        self._make_outlets()

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
            **calls("res.company", company, "bonopay_read_reference_now", "bonopay_take_rate_now"),
            **calls("bonopay.tax.rate", self.records["bonopay.tax.rate"][0], "action_refresh_from_dgi"),
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
            ("bonopay.onboarding.outlet", "action_go_live"): self.past_checks(line, "action_go_live"),
            **calls("bonopay.outlet", self.outlet, "action_onboard", "action_suspend", "action_close"),
            **calls("bonopay.outlet", self.in_state["preparation"], "action_start_test"),
            **calls("bonopay.outlet", self.in_state["test"], "action_back_to_preparation"),
            ("bonopay.outlet", "action_resume"): self.past_checks(self.in_state["suspended"], "action_resume"),
        }

    def past_checks(self, record, method):
        def call(user):
            try:
                self.remote(user, record._name, method, record.ids)
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
