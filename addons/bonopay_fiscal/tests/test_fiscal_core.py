"""Which fiscal core sealed a document is shown, printed and on record when it changes (arrêté 034 art. 15-16)."""

from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import Form, tagged

from ..models import bonopay_signer_core
from . import test_report_common as common
from .common import fiscal_user
from .dgi_status_case import DgiStatusCase
from .test_report_document import page

FINGERPRINT = "0123456789abcdef" * 4


@tagged("post_install", "-at_install")
class TestFiscalCore(DgiStatusCase):
    def setUp(self):
        super().setUp()
        self.twin.core = {"version": "1.1.1", "fingerprint": FINGERPRINT}

    def _asked_for_health(self):
        return sum(path == "/health" for _method, path, _body in self.twin.requests)

    def test_row_57_the_outlet_shows_version_and_fingerprint_of_the_signer_s_core(self):
        self._read()
        for outlet in (self.outlet, self.second):
            self.assertEqual((outlet.core_version, outlet.core_fingerprint), ("1.1.1", FINGERPRINT))
        with Form(self.outlet.with_user(self.manager)) as form:
            self.assertEqual(form.core_fingerprint, FINGERPRINT)

    def test_row_57_the_core_of_the_day_is_frozen_with_each_document_and_printed_at_its_foot(self):
        self._read()
        seal = self.post().bonopay_seal_id
        self.twin.core = {"version": "2.0.0", "fingerprint": "f" * 64}
        self.outlet.core_read_at = False
        self._read()
        facts, issuer = seal._print_facts()
        self.assertEqual(issuer.core, "1.1.1 / 0123456789abcdef")
        self.assertEqual(self.outlet._core_words(), "2.0.0 / " + "f" * 16)
        self.assertEqual(facts.payload, seal.payload)

    def test_row_57_a_document_that_waited_names_the_core_that_sealed_it(self):
        self._read()
        seal = self.post(send=False).bonopay_seal_id
        self.twin.core = {"version": "2.0.0", "fingerprint": "f" * 64}
        self.outlet.core_read_at = False
        self._read()
        seal._process()
        self.assertEqual(seal.state, "certified")
        self.assertEqual(seal._print_facts()[1].core, "2.0.0 / " + "f" * 16)

    def test_row_57_a_change_of_the_core_is_on_record(self):
        self._read()
        self.assertNotIn("fiscal core", "".join(self.outlet.message_ids.mapped("body")))
        self.twin.core = {"version": "2.0.0", "fingerprint": "f" * 64}
        self.outlet.core_read_at = False
        self._read()
        (message,) = self.outlet.message_ids.filtered(lambda one: "fiscal core changed" in (one.body or ""))
        for said in (FINGERPRINT, "f" * 64, "2.0.0"):
            self.assertIn(said, message.body)

    def test_the_signer_is_asked_as_often_as_for_the_status(self):
        before = self._asked_for_health()
        self._read()
        self._read()
        self.assertEqual(self._asked_for_health(), before + 1)
        self.outlet.core_read_at = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        self._read()
        self.assertEqual(self._asked_for_health(), before + 2)

    def test_nothing_is_locked_while_the_network_is_waited_for(self):
        self.outlet.dgi_read_at = False
        seen, connect = [], bonopay_signer_core.connect

        def watched(company):
            seen.append(self.outlet.dgi_read_at)
            return connect(company)

        with patch.object(bonopay_signer_core, "connect", watched):
            self._read()
        self.assertEqual(seen, [False])
        self.assertTrue(self.outlet.dgi_read_at)

    def test_a_core_that_cannot_be_read_changes_nothing(self):
        self._read()
        for strange in (None, "1.1.1", [], {}, {"version": 1, "fingerprint": "f" * 64}, {"version": "1"},
                        {"version": "1", "fingerprint": "<b>"}):  # fmt: skip
            self.twin.core = strange
            self.outlet.core_read_at = False
            self.assertIsNone(self._read())
            self.assertEqual(self.outlet.core_fingerprint, FINGERPRINT, strange)

    def test_row_57_nobody_states_a_core_but_the_signer(self):
        for values in ({"core_version": "9"}, {"core_fingerprint": "f" * 64}, {"core_read_at": "2026-11-21"}):
            with self.assertRaises(AccessError):
                self.outlet.with_user(self.manager).write(values)
            with self.assertRaises(AccessError):
                self.env["bonopay.outlet"].with_user(self.manager).create({"name": "x", "code": "XYZ", **values})
        defaults = {f"default_{name}": value for name, value in {"core_version": "9", "core_fingerprint": "9"}.items()}
        made = self.env["bonopay.outlet"].with_user(self.manager).with_context(**defaults)
        self.assertFalse(made.create({"name": "x", "code": "XYZ"}).core_version)

    def test_an_accountant_reads_which_core_it_is(self):
        self._read()
        reader = fiscal_user(self.env, "bp_core_reader", "account.group_account_readonly", self.company)
        self.assertEqual(self.outlet.with_user(reader).core_fingerprint, FINGERPRINT)


@tagged("post_install", "-at_install")
class TestCoreOnPaper(common.ReportCase):
    def test_row_57_the_foot_of_every_sheet_and_of_the_ticket_names_the_core(self):
        self.outlet.sudo()._take_core("1.1.1", FINGERPRINT)
        lines = [common.item(f"Article {number}") for number in range(60)]
        move = self.sealed_move(common.payload(lines))
        pages = common.pdf_pages(self.print_pdf(move))
        self.assertGreater(len(pages), 1)
        for text in pages:
            self.assertIn("Noyau fiscal 1.1.1 / 0123456789abcdef", text)
            self.assertRegex(text, r"Page \d / \d")
        roll = self.report._render_qweb_pdf("bonopay_fiscal.report_ticket", move.ids)[0]
        self.assertIn("Noyaufiscal1.1.1/0123456789abcdef", "".join(common.pdf_text(roll).split()))

    def test_a_document_of_before_has_a_foot_without_core(self):
        self.assertNotIn("Noyau", page().identity)
