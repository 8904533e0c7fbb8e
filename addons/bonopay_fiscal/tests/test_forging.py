import json

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..models.bonopay_guarded import WRITER_KEY
from .common import FiscalCase, fiscal_user, trap_seals
from .signer_twin import registered

FORGED = "BONO-FORGED-01-000000001"


@tagged("post_install", "-at_install")
class TestForging(FiscalCase):
    """Nobody writes a seal, and nothing that somebody sends looks like one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = fiscal_user(cls.env, "bp_accountant", "account.group_account_manager", cls.company)
        cls.administrator = fiscal_user(
            cls.env,
            "bp_admin",
            "base.group_system,account.group_account_manager,bonopay_fiscal.group_fiscal_manager",
            cls.company,
        )
        cls.users = (cls.accountant, cls.administrator)

    def setUp(self):
        super().setUp()
        self.move = self.post()
        self.seal = self.move.bonopay_seal_id
        self.env.flush_all()
        self.frozen = self._row()

    def _row(self):
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM bonopay_seal WHERE id = %s", [self.seal.id])
        return self.env.cr.dictfetchall()

    def _remote(self, user, model, method, *args, **kwargs):
        """A call as it arrives over RPC: arguments and context are what JSON can carry."""
        from odoo.service.model import call_kw

        env = self.env(user=user, context={})
        arguments, keywords = json.loads(json.dumps([args, kwargs]))
        return call_kw(env[model], method, arguments, keywords)

    def test_art_28_seal_cannot_be_written_by_anybody(self):
        for user in self.users:
            for values in ({"state": "dead"}, {"fiscal_number": FORGED}, {"payload": "{}"}, {"print_count": 9}):
                with self.assertRaises(AccessError):
                    self._remote(user, "bonopay.seal", "write", [self.seal.id], values)
                with self.assertRaises(AccessError):
                    self.seal.with_user(user).sudo().write(values)
        self.assertEqual(self._row(), self.frozen)

    def test_art_28_context_of_a_remote_call_cannot_carry_the_permission(self):
        for value in (True, 1, "object", {"__class__": "object"}, None):
            with self.assertRaises(AccessError):
                self._remote(
                    self.administrator, "bonopay.seal", "write", [self.seal.id], {"state": "dead"},
                    context={WRITER_KEY: value, "su": True},
                )  # fmt: skip
            with self.assertRaises(AccessError):
                self.seal.sudo().with_context(**{WRITER_KEY: value}).write({"state": "dead"})

    def test_art_28_seal_cannot_be_created_copied_deleted_or_imported(self):
        values = {
            "move_id": self.draft().id, "company_id": self.company.id, "outlet_id": self.outlet.id,
            "document_id": "x", "document_type": "FV", "payload": "{}", "payload_hash": "x",
            "currency_id": self.company.currency_id.id, "state": "certified", "fiscal_number": FORGED,
        }  # fmt: skip
        for user in self.users:
            with self.assertRaises(AccessError):
                self._remote(user, "bonopay.seal", "create", [values])
            with self.assertRaises(AccessError):
                self.env["bonopay.seal"].with_user(user).sudo().create(values)
            with self.assertRaises(AccessError):
                self._remote(user, "bonopay.seal", "unlink", [self.seal.id])
            with self.assertRaises(AccessError):
                self.seal.with_user(user).sudo().with_context(_force_unlink=True).unlink()
            with self.assertRaises(AccessError):
                self.seal.with_user(user).sudo().copy()
            with self.assertRaises(AccessError):
                self._remote(user, "bonopay.seal", "web_save", [self.seal.id], {"state": "dead"}, {})
            imported = self._remote(user, "bonopay.seal", "load", ["document_id", "state"], [["x", "certified"]])
            self.assertFalse(imported["ids"])
        self.assertEqual(self._row(), self.frozen)

    def test_art_28_writing_methods_are_not_callable_from_outside(self):
        for method in ("_as_writer", "_freeze", "_take_answer", "_process", "_supersede", "_count_print"):
            with self.assertRaises(AccessError):
                self._remote(self.administrator, "bonopay.seal", method, [self.seal.id])

    def test_seals_through_the_invoice_are_refused(self):
        draft = self.draft()
        for command in ([2, self.seal.id, 0], [1, self.seal.id, {"state": "dead"}], [4, self.seal.id, 0]):
            self._remote(self.administrator, "account.move", "write", [draft.id], {"bonopay_seal_ids": [command]})
        self.assertEqual(self._row(), self.frozen)

    def test_art_28_fiscal_fields_sent_with_an_invoice_change_nothing(self):
        forged = {
            "bonopay_fiscal_number": FORGED, "bonopay_state": "certified", "bonopay_dgi_code": FORGED,
            "bonopay_short_code": FORGED, "bonopay_locked": False, "bonopay_seal_id": self.seal.id,
        }  # fmt: skip
        for user in self.users:
            self._remote(user, "account.move", "write", [self.move.id], forged)
            self.assertNotEqual(self.move.bonopay_fiscal_number, FORGED)
            created = self._remote(
                user, "account.move", "create",
                {"move_type": "out_invoice", "partner_id": self.client.id, **forged},
                context={f"default_{name}": value for name, value in forged.items()},
            )  # fmt: skip
            move = self.env["account.move"].browse(created)
            self.assertFalse(move.bonopay_seal_id)
            self.assertFalse(move.bonopay_fiscal_number)
            self.assertFalse(move.bonopay_state)

    def test_art_28_import_of_fiscal_fields_takes_nothing(self):
        result = self._remote(
            self.accountant, "account.move", "load",
            ["move_type", "partner_id/.id", "bonopay_fiscal_number"], [["out_invoice", str(self.client.id), FORGED]],
        )  # fmt: skip
        self.assertFalse(self.env["account.move"].search([("bonopay_fiscal_number", "=", FORGED)]))
        for move in self.env["account.move"].browse(result["ids"] or []):
            self.assertFalse(move.bonopay_state)

    def test_copy_has_no_seal(self):
        copy = self.move.copy()
        self.assertFalse(copy.bonopay_seal_ids)
        self.assertFalse(copy.bonopay_fiscal_number)
        self.post(copy)
        self.assertNotEqual(copy.bonopay_seal_id.document_id, self.seal.document_id)

    def test_defaults_of_the_context_do_not_reach_a_seal(self):
        context = {"default_state": "certified", "default_fiscal_number": FORGED, "default_dgi_code": FORGED}
        draft = self.draft()
        with trap_seals(self.env):
            draft.with_context(**context).action_post()
        seal = draft._bonopay_live_seals()
        self.assertEqual(seal.state, "to_seal")
        self.assertFalse(seal.fiscal_number)
        self.assertFalse(seal.dgi_code)

    def test_sfe_1_3_nobody_writes_what_the_signer_tells_of_an_outlet(self):
        forged = {"nim": FORGED, "isf": FORGED, "dgi_mode": "inline", "synced_at": "2026-11-21 08:00:00"}
        new = {"name": "x", "code": "KIN003"}
        for name, value in forged.items():
            with self.assertRaises(AccessError):
                self._remote(self.administrator, "bonopay.outlet", "write", [self.outlet.id], {name: value})
            with self.assertRaises(AccessError):
                self._remote(self.administrator, "bonopay.outlet", "create", [{**new, name: value}])
        defaults = {f"default_{name}": value for name, value in forged.items()}
        [made] = self._remote(self.administrator, "bonopay.outlet", "create", [new], context=defaults)
        made = self.env["bonopay.outlet"].browse(made)
        self.assertEqual([made[name] for name in forged], [False] * len(forged))

    def _onboarding(self):
        self.twin.outlets = {code: registered(code) for code in ("KIN001", "KIN002")}
        action = self._remote(self.administrator, "bonopay.onboarding", "action_open_current")
        onboarding = self.env["bonopay.onboarding"].browse(action["res_id"])
        onboarding._enter("outlets")
        return onboarding

    def test_sfe_1_3_lines_of_the_onboarding_cannot_tell_instead_of_the_signer(self):
        onboarding = self._onboarding()
        forged = dict.fromkeys(("nim", "isf", "name", "address"), FORGED)
        values = {**forged, "attach": True}
        self._remote(self.administrator, onboarding.line_ids._name, "write", onboarding.line_ids[1].ids, values)
        unknown = {**values, "onboarding_id": onboarding.id, "code": "KIN009", "known": True}
        self._remote(self.administrator, onboarding.line_ids._name, "create", [unknown])
        self._remote(self.administrator, onboarding._name, "action_next", onboarding.ids)
        self.assertEqual(onboarding.step, "checks")
        outlets = self.env["bonopay.outlet"].search([("company_id", "=", self.company.id)])
        self.assertEqual(outlets.mapped("code"), ["KIN001", "KIN002"])
        made = outlets[1]
        self.assertEqual((made.nim, made.isf), ("CD01000001-1", "BON-DEM-01"))
        self.assertNotIn(FORGED, (made.name, made.street))

    def test_lines_of_the_onboarding_are_those_of_ones_own_companies(self):
        onboarding = self._onboarding()
        other = self._make_bare_company("Autre SARL")
        stranger = fiscal_user(self.env, "bp_other", "bonopay_fiscal.group_fiscal_manager", other)
        lines = onboarding.line_ids
        for method, arguments in (
            ("create", [[{"onboarding_id": onboarding.id, "code": "KIN009"}]]),
            ("write", [lines.ids, {"attach": True}]),
            ("read", [lines.ids, ["nim"]]),
            ("unlink", [lines.ids]),
        ):
            with self.subTest(method), self.assertRaises(AccessError):
                self._remote(stranger, lines._name, method, *arguments)

    def test_form_shows_fiscal_fields_but_does_not_save_them(self):
        form = Form(self.env["account.move"].with_user(self.accountant).with_context(default_move_type="out_invoice"))
        with self.assertRaises(AssertionError):
            form.bonopay_state = "certified"

    def test_row_53_an_auditor_reads_and_changes_nothing(self):
        auditor = fiscal_user(self.env, "bp_auditor", "bonopay_fiscal.group_fiscal_auditor", self.company)
        self.assertEqual(self.seal.with_user(auditor).fiscal_number, self.seal.fiscal_number)
        with self.assertRaises(AccessError):
            self.outlet.with_user(auditor).write({"name": "x"})
        with self.assertRaises(UserError):
            self._remote(auditor, "account.move", "button_draft", [self.move.id])

    def test_uninstalling_keeps_sealed_documents(self):
        for name in ("bonopay_fiscal", "l10n_cd", "account"):
            module = self.env["ir.module.module"].search([("name", "=", name)])
            with self.assertRaisesRegex(UserError, "cannot be uninstalled"):
                module.button_uninstall()
