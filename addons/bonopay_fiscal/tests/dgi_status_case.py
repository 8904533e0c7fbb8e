from unittest.mock import patch

from .common import FiscalCase, fiscal_user
from .signer_twin import calm_status


class DgiStatusCase(FiscalCase):
    """Two outlets, of which the signer's twin tells what a test has it tell; a fiscal manager and a clerk."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = fiscal_user(cls.env, "bp_manager", "bonopay_fiscal.group_fiscal_manager", cls.company)
        cls.manager.lang = cls._french()
        cls.clerk = fiscal_user(cls.env, "bp_clerk", "account.group_account_invoice", cls.company)
        cls.second = cls.env["bonopay.outlet"].create({"name": "Limete", "code": "KIN002"})

    @classmethod
    def _french(cls):
        cls.env["res.lang"]._activate_lang("fr_FR")
        return "fr_FR"

    def setUp(self):
        super().setUp()
        self.twin.statuses = {code: calm_status(code) for code in ("KIN001", "KIN002")}
        self.twin.restartable = {"KIN001": 0, "KIN002": 0}
        self.twin.page_size = 100

    def _tell(self, *alarms, code="KIN001", **members):
        self.twin.statuses[code] = {**calm_status(code), "alarms": list(alarms), **members}

    def _read(self):
        return (self.outlet | self.second)._read_status()

    def _run_cron(self):
        (self.outlet | self.second).dgi_asked_at = False
        with patch.object(self.env.registry["ir.cron"], "_commit_progress", lambda *args, **kwargs: 100.0):
            self.env["bonopay.outlet"]._cron_read_status()

    def _asked(self):
        return [path for _method, path, _body in self.twin.requests if path.startswith("/api/v1/sync/status")]
