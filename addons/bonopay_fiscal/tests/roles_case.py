"""A real user of every role."""

import json
from contextlib import contextmanager

from odoo.service.model import call_kw

from .common import FiscalCase, fiscal_user, trap_seals

_ACCOUNTING = "account.group_account_manager,base.group_partner_manager,product.group_product_manager"
#: Role → groups. The last three are roles that take rights away, beside rights that give all of them.
ROLES = {
    "accountant": _ACCOUNTING,
    "cashier": "bonopay_fiscal.group_fiscal_cashier",
    "supervisor": "bonopay_fiscal.group_fiscal_supervisor",
    "manager": "bonopay_fiscal.group_fiscal_manager",
    "owner": "bonopay_fiscal.group_fiscal_owner",
    "auditor": "bonopay_fiscal.group_fiscal_auditor",
    "fleet": "bonopay_fiscal.group_fiscal_fleet",
    "auditor_accountant": f"bonopay_fiscal.group_fiscal_auditor,bonopay_fiscal.group_fiscal_owner,{_ACCOUNTING}",
    "fleet_accountant": f"bonopay_fiscal.group_fiscal_fleet,{_ACCOUNTING}",
}


class RolesCase(FiscalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outlet.test_mode = False
        cls.users = {
            role: fiscal_user(cls.env, f"bp_role_{role}", groups, cls.company) for role, groups in ROLES.items()
        }

    def remote(self, user, model, method, *args, **kwargs):
        """A call as it arrives over RPC: arguments and context are what JSON can carry."""
        arguments, keywords = json.loads(json.dumps([args, kwargs], default=str))
        return call_kw(self.env(user=user, context={})[model], method, arguments, keywords)

    @contextmanager
    def undone(self):
        """What is done inside is undone, so that each user finds the same records."""
        savepoint = self.env.cr.savepoint()
        try:
            with trap_seals(self.env):
                yield
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all(flush=False)
