from unittest.mock import patch

from psycopg2.errors import ForeignKeyViolation, UniqueViolation

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..report.document_parts import Copy
from .common import migration
from .other_source import SALE, OtherSourceCase


@tagged("post_install", "-at_install")
class TestSources(OtherSourceCase):
    """A sale of another kind than an invoice is sealed, shown, watched and printed like one."""

    def test_it_is_sealed_and_says_so(self):
        sale = self.sale()
        seal = self.issue(sale)
        self.assertEqual((seal._source(), seal.move_id), (sale, self.env["account.move"]))
        self.assertEqual((seal.source_name, seal.partner_id, seal.outlet_id), (sale.name, self.walk_in, self.outlet))
        self.assertEqual((sale.bonopay_seal_id, sale.bonopay_state, sale.bonopay_locked), (seal, "certified", True))
        self.assertEqual((sale.bonopay_fiscal_number, sale.bonopay_dgi_code), (seal.fiscal_number, seal.dgi_code))
        self.assertTrue(seal.fiscal_number)

    def test_it_is_found_and_grouped_by_its_status(self):
        sealed, waiting, new = self.sale(), self.sale(name="T/0002"), self.sale(name="T/0003")
        self.issue(sealed)
        self.issue(waiting, send=False)
        sales = self.env[SALE]
        self.assertEqual(sales.search([("bonopay_state", "=", "certified")]), sealed)
        self.assertEqual(sales.search([("bonopay_state", "in", ("to_seal", False))]), waiting | new)
        groups = {state: found for state, found in sales._read_group([], ["bonopay_state"], ["id:recordset"])}
        self.assertEqual(groups, {"certified": sealed, "to_seal": waiting, False: new})

    def test_it_stands_beside_invoices_on_the_board_and_opens_from_there(self):
        sale, move = self.sale(), self.post(send=False)
        seals = self.issue(sale, send=False) | move.bonopay_seal_id
        self.assertEqual(set(seals.mapped("board")), {"waiting"})
        opened = [(action["res_model"], action["res_id"]) for action in map(type(seals).action_open_source, seals)]
        self.assertEqual(opened, [(SALE, sale.id), ("account.move", move.id)])
        self.assertEqual(seals.mapped("display_name"), [sale.name, move.name])
        self.assertEqual(self.env["bonopay.seal"].search([("partner_id", "=", self.walk_in.id)]), seals[0])

    def test_a_refusal_calls_somebody_on_it_and_its_correction_has_no_other_48_hours(self):
        sale = self.sale()
        self.twin.problem_next(422, "payload_invalid")
        refused = self.issue(sale)
        self.assertEqual((refused.state, len(sale.activity_ids)), ("invalid", 1))
        refused._supersede()
        again = self.issue(sale) - refused
        self.assertEqual((sale.bonopay_state, again.deadline_at), ("certified", refused.deadline_at))
        self.assertFalse(sale.activity_ids, "the call ended with the seal")

    def test_one_live_seal_and_no_deletion(self):
        sale = self.sale()
        self.issue(sale)
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation), self.cr.savepoint():
            self.env["bonopay.seal"]._freeze(sale)
        with mute_logger("odoo.sql_db"), self.assertRaises(ForeignKeyViolation), self.cr.savepoint():
            sale.unlink()

    def test_a_seal_is_of_exactly_one_source(self):
        seals, sale = self.env["bonopay.seal"], self.sale()
        values = seals._frozen_values(sale)
        for named in ({"sale_id": False}, {"move_id": self.draft().id}):
            with self.assertRaisesRegex(ValueError, f"{values['document_id']} names"), self.cr.savepoint():
                seals._as_writer().create({**values, **named})
        with self.assertRaisesRegex(ValueError, "res.partner is no source"):
            seals._source_field("res.partner")

    def test_what_takes_back_is_in_no_batch_with_its_original(self):
        original = self.sale()
        back, other = self.sale(name="T/0002", original_id=original.id), self.sale(name="T/0003")
        seals = self.issue(original | back | other, send=False).sorted("id")
        for order in (seals, seals.sorted("id", reverse=True)):
            batches = [batch.sale_id for batch in order._batches()]
            self.assertEqual(sum(batches, self.env[SALE]), order.sale_id)
            self.assertFalse([batch for batch in batches if len(batch & (original | back)) == 2])
        with patch.object(type(original), "_bonopay_credited_sources", lambda sale: sale.browse()):
            self.assertEqual([len(batch) for batch in seals._batches()], [3])

    def test_it_is_printed_from_its_seal_alone(self):
        seal = self.issue()
        document = seal.with_context(bonopay_copy=Copy(0))._printed_document()
        self.assertTrue(document.is_fiscal)
        self.env.flush_all()
        self.cr.execute("UPDATE bonopay_seal SET payload = replace(payload, 'Riz', 'Sel') WHERE id = %s", [seal.id])
        seal.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "fingerprint"):
            seal._printed_document()


@tagged("post_install", "-at_install")
class TestUpgradedSeals(OtherSourceCase):
    def test_seals_of_before_name_their_invoice_and_customer(self):
        move, sale = self.post(), self.issue()
        self.env.flush_all()
        self.cr.execute("UPDATE bonopay_seal SET source_name = NULL, partner_id = NULL WHERE move_id IS NOT NULL")
        migration("19.0.1.5.0", "post-sources").migrate(self.cr, "19.0.1.4.0")
        self.env.invalidate_all()
        seal = move.bonopay_seal_id
        self.assertEqual((seal.source_name, seal.partner_id), (move.name, self.client))
        self.assertEqual(sale.source_name, "T/0001")


@tagged("post_install", "-at_install")
class TestForeignSeal(OtherSourceCase):
    """An invoice that is made from a sealed sale is no second document: it is sealed once."""

    def setUp(self):
        super().setUp()
        self.sold = self.issue()
        self.move = self.draft()
        patched = patch.object(
            self.env.registry["account.move"],
            "_bonopay_foreign_seal",
            lambda move: self.sold if move == self.move else self.env["bonopay.seal"],
        )
        patched.start()
        self.addCleanup(patched.stop)

    def test_posting_freezes_nothing_and_asks_the_signer_nothing(self):
        self.twin.requests.clear()
        move = self.post(self.move)
        self.assertEqual(move.state, "posted")
        self.assertFalse(move.bonopay_seal_ids)
        self.assertFalse(self.twin.requests)
        both = self.post(self.draft() | self.draft())
        self.assertEqual(len(both.bonopay_seal_ids), 2, "others are sealed as before")

    def test_what_the_law_refused_of_an_invoice_does_not_keep_it_back(self):
        self.move.bonopay_client_type = False
        self.assertTrue(self.move._bonopay_faults())
        self.assertFalse(self.move.bonopay_findings)
        self.assertEqual(self.post(self.move).state, "posted")

    def test_its_status_and_paper_are_those_of_the_sale(self):
        move = self.post(self.move)
        self.assertEqual((move.bonopay_seal_id, move.bonopay_state), (self.sold, "certified"))
        self.assertEqual(move.bonopay_fiscal_number, self.sold.fiscal_number)
        self.assertTrue(move._bonopay_has_own_paper())
        self.assertEqual(move._get_report_base_filename(), self.sold.fiscal_number)
        page = str(self.env["ir.actions.report"]._render_qweb_html("account.account_invoices", move.ids)[0], "utf-8")
        self.assertIn(self.sold.dgi_code, page)
        self.assertIn("116,00", page)

    def test_it_is_locked_as_the_sale_is(self):
        move = self.post(self.move)
        self.assertEqual(move._bonopay_locked_moves(), move)
        for change in (move.button_draft, move.unlink, lambda: move.write({"partner_id": self.walk_in.id})):
            with self.assertRaises(UserError), self.cr.savepoint():
                change()
        with self.assertRaises(UserError), self.cr.savepoint():
            move.invoice_line_ids.price_unit = 1

    def test_to_draft_it_takes_no_refusal_of_the_sale_with_it(self):
        self.twin.problem_next(422, "payload_invalid")
        self.sold = self.issue(self.sale(name="T/0002"))
        move = self.post(self.move)
        self.assertEqual(move.bonopay_state, "invalid")
        move.button_draft()
        self.assertEqual((move.state, self.sold.superseded), ("draft", False))

    def test_a_credit_note_names_the_seal_of_the_sale(self):
        move = self.post(self.move)
        note = move._reverse_moves([{"bonopay_credit_nature": "RAN", "bonopay_credit_reason": "Retour"}])
        credited = note._bonopay_credit()
        self.assertEqual(credited.original_fiscal_number, self.sold.fiscal_number)
        self.assertEqual(credited.original_dgi_code, self.sold.dgi_code)
        self.assertEqual(note._bonopay_credited_sources(), self.sold._source())
