from psycopg2.errors import CheckViolation

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import FiscalCase


@tagged("post_install", "-at_install")
class TestProvinces(FiscalCase):
    """An outlet lies somewhere: 26 provinces, two time zones, coordinates, and a record of every move."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.states = cls.env["res.country.state"]
        cls.country = cls.env.ref("base.cd")

    def _state(self, code):
        return self.states.search([("country_id", "=", self.country.id), ("code", "=", code)])

    def test_the_26_provinces_are_there_and_are_not_made_twice(self):
        self.assertGreaterEqual(self.states.search_count([("country_id", "=", self.country.id)]), 26)
        self._state("KN").name = "Ville de Kinshasa"
        self.assertFalse(self.states._bonopay_create_provinces(), "what is there stays as it is")
        self._state("KN").unlink()
        self.assertEqual(self.states._bonopay_create_provinces().mapped("name"), ["Kinshasa"])

    def test_a_province_that_somebody_made_under_another_code_is_not_doubled(self):
        self._state("KN").code = "KIN"
        self.assertFalse(self.states._bonopay_create_provinces())

    def test_the_time_zone_is_that_of_the_province_unless_somebody_chose_another(self):
        self.assertEqual(self.outlet.tz, "Africa/Kinshasa")
        self.outlet.state_id = self._state("HK")
        self.assertEqual(self.outlet.tz, "Africa/Lubumbashi")
        self.outlet.tz = "Africa/Kinshasa"
        self.assertEqual(self.outlet.tz, "Africa/Kinshasa")

    def test_a_text_is_understood_with_and_without_accents(self):
        cases = {"kasai oriental": "KE", "KASAÏ-ORIENTAL": "KE", "Kasaï": "KS", "Haut Katanga": "HK", "Bruxelles": None,
                 "": None}  # fmt: skip
        for text, code in cases.items():
            self.assertEqual(self.states._bonopay_find_province(text).code or None, code, text)

    def test_an_upgrade_chooses_the_province_and_moves_no_clock(self):
        east = self.env["bonopay.outlet"].create({"name": "Est", "code": "LUB001", "province": "Haut-Katanga"})
        odd = self.env["bonopay.outlet"].create({"name": "Loin", "code": "LUB002", "province": "Ailleurs"})
        self.env["bonopay.outlet"]._choose_provinces()
        self.assertEqual((east.state_id.code, east.tz), ("HK", "Africa/Kinshasa"))
        self.assertEqual((odd.state_id.id, odd.province), (False, "Ailleurs"))

    def test_art_7b_a_relocation_stays_on_record(self):
        self.env.cr.precommit.run()  # the creation
        outlet = self.outlet.with_context(tracking_disable=False)
        outlet.write({"street": "12, avenue Nouvelle", "state_id": self._state("NK").id})
        self.env.cr.precommit.run()
        tracked = outlet.message_ids[:1].sudo().tracking_value_ids
        self.assertEqual(set(tracked.field_id.mapped("name")) & {"street", "state_id"}, {"street", "state_id"})

    @mute_logger("odoo.sql_db")
    def test_coordinates_are_on_earth(self):
        self.outlet.write({"latitude": -4.3224, "longitude": 15.307})
        self.env.flush_all()
        with self.assertRaises(CheckViolation), self.env.cr.savepoint():
            self.outlet.latitude = 91
            self.env.flush_all()
