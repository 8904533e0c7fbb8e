import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged

from ..core import payload
from ..core.arithmetic import exact
from ..models.account_move_checks import Fault
from .common import FiscalCase

MANUAL = Path(__file__).parents[1] / "readme" / "DEVELOP.md"


@tagged("post_install", "-at_install")
class TestHooks(FiscalCase):
    """What an integrator is told to override does what is said."""

    def overriding(self, name, override):
        """:param override: called with what ``super()`` gives, then the arguments"""
        moves = self.env.registry["account.move"]
        original = getattr(moves, name)
        return patch.object(
            moves, name, lambda move, *arguments: override(original(move, *arguments), move, *arguments)
        )

    def sealed_with(self, name, override):
        with self.overriding(name, override):
            return json.loads(self.post().bonopay_seal_id.payload)

    def test_what_is_added_to_the_document_is_sealed(self):
        sealed = self.sealed_with(
            "_bonopay_document", lambda document, _move: replace(document, pos_terminal_id="T1", comments=("Bon 7",))
        )
        self.assertEqual((sealed["pos_terminal_id"], sealed["comments"]["A"]), ("T1", "Bon 7"))

    def test_another_code_price_or_tax_of_an_article_is_sealed(self):
        sealed = self.sealed_with("_bonopay_item_code", lambda code, _move, _line: f"X-{code}")
        self.assertEqual(sealed["items"][0]["code"], "X-RIZ25")
        sealed = self.sealed_with(
            "_bonopay_line_price", lambda price, _move, _line: replace(price, original=price.net + 1, change="Accord")
        )
        self.assertEqual(sealed["items"][0]["price_change"], "Accord")

    def test_other_payments_are_sealed(self):
        def half(_payments, move):
            amount = exact(move.amount_total / 2)
            return (payload.Payment("ESPECES", amount), payload.Payment("CHEQUES", amount, reference="CH 1"))

        sealed = self.sealed_with("_bonopay_payments", half)
        self.assertEqual([one["method"] for one in sealed["payments"]], ["ESPECES", "CHEQUES"])

    def test_a_rule_of_an_integrator_keeps_the_invoice_from_being_posted(self):
        move = self.draft()
        rule = [Fault("own.rule", move, "Ask the warehouse first.")]
        with (
            self.overriding("_bonopay_check_document", lambda faults, _move: [*faults, *rule]),
            self.assertRaisesRegex(UserError, "Ask the warehouse first"),
        ):
            move.action_post()
        self.assertEqual(move.state, "draft")

    def test_every_hook_is_in_the_manual_and_nothing_else(self):
        moves = self.env.registry["account.move"]
        marked = {
            name
            for cls in moves.__mro__
            for name, method in vars(cls).items()
            if name.startswith("_bonopay_") and re.search(r"\bHook\.$", inspect.getdoc(method) or "", re.M)
        }
        told = set(re.findall(r"`(_bonopay_\w+)\(", MANUAL.read_text(encoding="utf-8")))
        self.assertGreater(len(marked), 5)
        self.assertFalse(marked - told, "a hook that nobody is told of")
        unknown = {name for name in told - {"_bonopay_shows_invoice", "_bonopay_net_price"} if not hasattr(moves, name)}
        self.assertFalse(unknown, "a hook that is not there")
