"""What the signer tells of an outlet is declared field by field, and one guard keeps all of it from people.

So are the other fields that only this module fills.
"""

from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError
from odoo.models import MAGIC_COLUMNS
from odoo.tests import tagged

from ..core import dgi_status
from .dgi_status_case import DgiStatusCase
from .signer_twin import alarm

NOWHERE = "http://127.0.0.1:9"
#: What the reminders of the 48 hours fill.
_OF_REMINDERS = {"deadline_activity_id"}
#: What has a guard of its own: it changes by buttons (test_outlet_life.py).
_OF_BUTTONS = {"state", "test_mode"}
#: What Odoo notes of every write.
_OF_ODOO = {"write_date", "write_uid"}


@tagged("post_install", "-at_install")
class TestToldByTheSigner(DgiStatusCase):
    def _row(self):
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM bonopay_outlet WHERE id = %s", [self.outlet.id])
        return self.env.cr.dictfetchone()

    def _filled_by(self, action):
        """The columns of the outlet, and its lines, that an action changes."""
        before, lines = self._row(), (self.outlet.alarm_ids, self.outlet.device_ids)
        action()
        self.env.invalidate_all()
        after = self._row()
        changed = {name for name, value in after.items() if value != before[name]} - _OF_ODOO
        told = {"alarm_ids": self.outlet.alarm_ids, "device_ids": self.outlet.device_ids}
        return changed | {name for (name, now), then in zip(told.items(), lines, strict=True) if now != then}

    def _read_all_there_is(self):
        moment = "2026-11-20T08:00:00Z"
        self._tell(
            alarm("regularisation_due", "critical"), counts={"queued": 4}, rejected={"count": 2, "days": 7},
            oldest_waiting={"fiscal_number": "BONO-KIN001-01-000000007", "sealed_at": moment, "deadline": moment},
            contact={"answered_at": moment, "silent_since": moment}, closed=True, devices=[{"kind": "emcf"}],
        )  # fmt: skip
        self._read()

    def _fail_to_read(self):
        self.company.bonopay_signer_url = NOWHERE
        self._read()

    def test_every_field_that_the_signer_fills_is_guarded_and_no_other(self):
        filled = self._filled_by(self._read_all_there_is)
        self.assertLessEqual(set(dgi_status.parse({}).values), filled, "the status was read in full")
        filled |= self._filled_by(self._fail_to_read)
        self.assertEqual(filled | _OF_REMINDERS, self.outlet._guarded_fields())

    def test_what_only_this_module_fills_is_guarded_field_by_field_or_as_a_whole(self):
        guard = self.env.registry["bonopay.guarded"]
        models = [self.env[name] for name, model in self.env.registry.items() if issubclass(model, guard)]
        by_field = [model for model in models if not model._abstract and not model._is_kept]
        self.assertEqual([model._name for model in by_field], ["bonopay.outlet"])
        self.assertGreaterEqual({model._name for model in models if model._is_kept}, {"bonopay.seal", "bonopay.print"})
        for model in by_field:
            own = [field for field in model._fields.values() if (field._module or "").startswith("bonopay_")]
            filled = {field.name for field in own if field.store and field.readonly}
            self.assertEqual(filled - _OF_BUTTONS - set(MAGIC_COLUMNS), model._guarded_fields())

    def _forged(self):
        """A value of the right kind for each guarded field."""
        call = self.env.user.partner_id.activity_schedule("mail.mail_activity_data_todo")
        values = {
            "char": "x", "integer": 7, "datetime": "2026-11-21 08:00:00", "boolean": True, "many2one": call.id
        }  # fmt: skip
        for name in self.outlet._guarded_fields():
            field = self.outlet._fields[name]
            lines, words = [Command.clear()], [key for key, _words in getattr(field, "selection", ())]
            yield name, words[-1] if words else lines if field.type == "one2many" else values[field.type]

    def test_no_person_writes_one_or_creates_an_outlet_with_one(self):
        outlet, new = self.outlet.with_user(self.manager), {"name": "x", "code": "KIN003"}
        outlet.create(new)
        for name, value in self._forged():
            with self.subTest(field=name), self.assertRaises(AccessError):
                outlet.write({name: value})
            with self.subTest(field=name), self.assertRaises(AccessError):
                outlet.create({**new, "code": "KIN004", name: value})

    def test_no_default_of_a_person_s_fills_one_neither_from_the_context_nor_kept(self):
        forged = {name: value for name, value in self._forged() if self.outlet._fields[name].type != "one2many"}
        model = self.env["bonopay.outlet"].with_user(self.manager)
        plain = model.create({"name": "x", "code": "KIN003"})
        defaults = {f"default_{name}": value for name, value in forged.items()}
        by_context = model.with_context(**defaults).create({"name": "x", "code": "KIN004"})
        for name, value in forged.items():
            self.env["ir.default"].set("bonopay.outlet", name, value, user_id=self.manager.id)
        by_setting = model.create({"name": "x", "code": "KIN005"})
        for made in (by_context, by_setting):
            self.env.flush_all()
            self.assertEqual({name: made[name] for name in forged}, {name: plain[name] for name in forged})
        self.assertEqual((plain.dgi_level, plain.nim), ("unread", False))

    def test_the_refusal_names_the_field_and_the_way_out(self):
        with self.assertRaisesRegex(AccessError, "“ISF” .* have the signer's operator"):
            self.outlet.with_user(self.manager).with_context(lang="en_US").write({"isf": "x"})

    def test_what_is_kept_says_what_it_is(self):
        seal = self.post().bonopay_seal_id
        seal._count_print("sheet")
        for record, words in ((seal, "Fiscal seal"), (seal.print_ids, "Print of a normalised document")):
            for attempt in (lambda r=record: r.write({}), lambda r=record: r.copy(), lambda r=record: r.unlink()):
                with self.assertRaisesRegex(AccessError, words):
                    attempt()

    def test_proof_of_the_writer_is_not_handed_to_what_is_created(self):
        with patch.object(type(self.env["bonopay.seal"]), "_send_after_commit", lambda _seals: None):
            move = self.draft()
            move.action_post()
        seal = move.bonopay_seal_id
        again = self.env["bonopay.print"]._as_writer().create(
            {
                "seal_id": seal.id, "company_id": seal.company_id.id, "outlet_id": seal.outlet_id.id,
                "user_id": self.env.uid, "printed_at": "2026-11-21 08:00:00", "number": 0, "paper": "sheet",
            }
        )  # fmt: skip
        with self.assertRaises(AccessError):
            again.write({"number": 5})
