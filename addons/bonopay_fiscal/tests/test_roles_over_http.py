"""Roles as they meet the server: over HTTP, with a session."""

import json

from odoo.http import Request
from odoo.tests import HttpCase, tagged
from odoo.tests.common import JsonRpcException

from .roles_case import RolesCase


@tagged("post_install", "-at_install")
class TestRolesOverHttp(RolesCase, HttpCase):
    def call(self, role, model, method, *args):
        login = self.users[role].login
        self.authenticate(login, login)
        self.env.flush_all()
        params = {"model": model, "method": method, "args": args, "kwargs": {}}
        return self.make_jsonrpc_request(f"/web/dataset/call_kw/{model}/{method}", params)

    def refused(self, role, model, method, *args):
        with self.assertRaises(JsonRpcException) as caught, self.assertLogs("odoo.http", "WARNING"):
            self.call(role, model, method, *args)
        self.assertEqual(str(caught.exception), "odoo.exceptions.AccessError")

    def test_row_55_what_a_role_may_not_is_refused_over_http(self):
        move = self.draft()
        for role in ("fleet", "fleet_accountant", "auditor", "auditor_accountant"):
            self.refused(role, "account.move", "action_post", move.ids)
            self.refused(role, "account.move", "create", [{"move_type": "out_invoice"}])
        for role in ("auditor", "auditor_accountant"):
            self.refused(role, "bonopay.outlet", "write", self.outlet.ids, {"name": "x"})
        self.refused("cashier", "bonopay.outlet", "action_restart_sending", self.outlet.ids)
        move.invalidate_recordset()
        self.assertEqual(move.state, "draft")

    def export(self, role):
        login = self.users[role].login
        self.authenticate(login, login)
        self.env.flush_all()
        columns = [{"name": name, "label": name} for name in ("fiscal_number", "payload_hash", "payload")]
        data = {"model": "bonopay.seal", "fields": columns, "ids": False, "domain": [], "import_compat": False}
        return self.url_open("/web/export/csv", data={"data": json.dumps(data), "csrf_token": Request.csrf_token(self)})

    def test_row_53_033_7_f_an_auditor_exports_the_seals(self):
        seal = self.post().bonopay_seal_id
        exported = self.export("auditor").text
        self.assertIn(seal.fiscal_number, exported)
        self.assertIn(seal.payload_hash, exported)
        refused = self.export("cashier")
        self.assertNotIn(seal.payload_hash, refused.text)
        self.assertNotEqual(refused.headers["Content-Type"].split(";")[0], "text/csv")
