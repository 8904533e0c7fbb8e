"""Whether an addon speaks French whole: for the tests of each addon of the suite."""

import re
from pathlib import Path

import polib

from odoo.modules import get_module_path
from odoo.tests import TransactionCase
from odoo.tools.translate import TranslationModuleReader

PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|%%")


class CatalogueCase(TransactionCase):
    """Derive from it and name the addon."""

    module = ""

    def terms(self, name):
        """Source term → translation of a catalogue."""
        path = Path(get_module_path(self.module)) / "i18n" / name
        return {entry.msgid: entry.msgstr for entry in polib.pofile(str(path)) if not entry.obsolete}

    def check_every_term_is_translated(self, least):
        french = self.terms("fr.po")
        self.assertGreater(len(french), least)
        self.assertEqual([source for source, value in french.items() if not value], [])

    def check_catalogues_hold_the_same_terms(self):
        self.assertEqual(set(self.terms("fr.po")), set(self.terms(f"{self.module}.pot")))

    def check_nothing_is_fuzzy(self):
        path = Path(get_module_path(self.module)) / "i18n" / "fr.po"
        self.assertEqual([entry.msgid for entry in polib.pofile(str(path)).fuzzy_entries()], [])

    def check_placeholders_survive(self):
        for source, value in self.terms("fr.po").items():
            self.assertEqual(sorted(PLACEHOLDER.findall(source)), sorted(PLACEHOLDER.findall(value)), source)

    def check_terms_of_the_code_are_in_the_catalogue(self):
        exported = {row[4] for row in TranslationModuleReader(self.env.cr, modules=[self.module])}
        self.assertEqual(exported - set(self.terms(f"{self.module}.pot")), set(), "export the catalogue again")
