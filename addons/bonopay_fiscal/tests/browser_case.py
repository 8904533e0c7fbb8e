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
