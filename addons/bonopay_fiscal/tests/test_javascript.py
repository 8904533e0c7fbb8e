"""The HOOT suite of `static/tests`, in a browser."""

from odoo.tests import no_retry, tagged

from .browser_case import BrowserCase


@tagged("post_install", "-at_install")
class TestJavascript(BrowserCase):
    @staticmethod
    def _suite_id(name):
        """HOOT's identifier of a suite: a hash of 32 bits of its name."""
        number = 0
        for character in name:
            number = ((number << 5) - number + ord(character)) & 0xFFFFFFFF
        return f"{number:08x}"

    @no_retry
    def test_every_unit_test_in_javascript_passes(self):
        self.browser_js(
            f"/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&id={self._suite_id('@bonopay_fiscal')}",
            "",
            login="admin",
            timeout=300,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=lambda message: "[HOOT]" not in message,
        )
