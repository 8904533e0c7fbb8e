import re
from pathlib import Path

import polib

from odoo.tests import BaseCase, TransactionCase, tagged
from odoo.tools.translate import TranslationModuleReader

I18N = Path(__file__).parents[1] / "i18n"
PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|%%")


def _terms(name):
    """Source term → translation of a catalogue."""
    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(I18N / name)) if not entry.obsolete}


@tagged("standard", "at_install")
class TestTranslations(BaseCase):
    def test_every_term_is_translated_into_french(self):
        french = _terms("fr.po")
        self.assertGreater(len(french), 300)
        self.assertEqual([source for source, value in french.items() if not value], [])

    def test_catalogues_hold_the_same_terms(self):
        self.assertEqual(set(_terms("fr.po")), set(_terms("bonopay_fiscal.pot")))

    def test_placeholders_survive_translation(self):
        for source, value in _terms("fr.po").items():
            self.assertEqual(sorted(PLACEHOLDER.findall(source)), sorted(PLACEHOLDER.findall(value)), source)


@tagged("post_install", "-at_install")
class TestCatalogueIsFresh(TransactionCase):
    def test_terms_of_the_code_are_in_the_catalogue(self):
        exported = {row[4] for row in TranslationModuleReader(self.env.cr, modules=["bonopay_fiscal"])}
        self.assertEqual(exported - set(_terms("bonopay_fiscal.pot")), set(), "export the catalogue again")
