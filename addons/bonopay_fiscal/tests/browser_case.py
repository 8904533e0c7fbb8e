from odoo.tests import HttpCase


class BrowserCase(HttpCase):
    """Tests in a browser, also on Debian."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Debian strips this file, and a page that cannot load it ends before its first view
        cls.env["ir.asset"].create(
            {
                "name": "bonopay: without selfie_segmentation",
                "bundle": "web.assets_backend",
                "directive": "remove",
                "path": "mail/static/lib/selfie_segmentation/selfie_segmentation.js",
            }
        )

    def run_hoot(self, module):
        """Run the HOOT suite of a module's `static/tests`; one failed test fails this one."""
        self.browser_js(
            f"/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&id={_suite_id(f'@{module}')}",
            "",
            login="admin",
            timeout=300,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=lambda message: "[HOOT]" not in message,
        )


def _suite_id(name):
    """HOOT's identifier of a suite: a hash of 32 bits of its name."""
    number = 0
    for character in name:
        number = ((number << 5) - number + ord(character)) & 0xFFFFFFFF
    return f"{number:08x}"
