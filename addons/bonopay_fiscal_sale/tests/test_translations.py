from odoo.tests import tagged

from odoo.addons.bonopay_fiscal.tests.catalogue_case import CatalogueCase


@tagged("post_install", "-at_install")
class TestTranslations(CatalogueCase):
    module = "bonopay_fiscal_sale"

    def test_every_term_is_translated_into_french(self):
        self.check_every_term_is_translated(least=20)
        self.check_nothing_is_fuzzy()

    def test_catalogues_hold_the_same_terms(self):
        self.check_catalogues_hold_the_same_terms()

    def test_placeholders_survive_translation(self):
        self.check_placeholders_survive()

    def test_terms_of_the_code_are_in_the_catalogue(self):
        self.check_terms_of_the_code_are_in_the_catalogue()
