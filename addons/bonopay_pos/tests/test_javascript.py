"""The HOOT suite of `static/tests`, in a browser."""

from odoo.tests import no_retry, tagged

from odoo.addons.bonopay_fiscal.tests.browser_case import BrowserCase


@tagged("post_install", "-at_install")
class TestJavascript(BrowserCase):
    @no_retry
    def test_every_unit_test_in_javascript_passes(self):
        self.run_hoot("bonopay_pos")
