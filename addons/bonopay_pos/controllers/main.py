import hashlib
import json

from odoo import http
from odoo.http import request
from odoo.tools import file_open

from odoo.addons.point_of_sale.controllers.main import PosController

PAGE = "point_of_sale.index"
#: Says of a page that it is the till, and of which version: what has no such header is not kept for want of a network.
TILL_HEADER = "Bonopay-Till"
#: What the page loads by a fixed address when it needs it.
LATER = ("/web/static/lib/zxing-library/zxing-library.js",)


class TillController(PosController):
    @http.route()
    def pos_web(self, config_id=False, from_backend=False, subpath=None, **kwargs):
        # EXTENDS 'point_of_sale': the answer may also lead elsewhere
        response = super().pos_web(config_id, from_backend, subpath, **kwargs)
        if getattr(response, "template", None) == PAGE:
            response.headers[TILL_HEADER] = self._bonopay_worker()[0]
        return response

    def _get_pos_service_worker(self):
        # OVERRIDES 'point_of_sale': its worker keeps a gateway's error in place of the till, and knows one address only
        version, assets, source = self._bonopay_worker()
        values = {"VERSION": version, "ASSETS": assets, "TILL_HEADER": TILL_HEADER}
        constants = [f"const {name} = {json.dumps(value)};\n" for name, value in values.items()]
        return "".join(constants) + source

    def _bonopay_worker(self):
        """What the service worker consists of.

        :return: (version, addresses of the page's files, source): the version changes with either of the others
        """
        scheme = "_dark" if request.cookies.get("pos_color_scheme") == "dark" else ""
        bundle = f"point_of_sale.assets_prod{scheme}"
        links = request.env["ir.qweb"]._get_asset_links(bundle, debug=request.session.debug)
        with file_open("bonopay_pos/static/src/worker/service_worker.js") as file:
            source = file.read()
        assets = [*links, *LATER]
        version = hashlib.sha256(json.dumps([assets, source]).encode()).hexdigest()[:16]
        return version, assets, source
