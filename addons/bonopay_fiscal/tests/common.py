"""Public helpers for tests of modules that build on sealed invoices."""

import importlib.util
import os
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import requests

from odoo import Command, fields
from odoo.tests import TransactionCase, new_test_user

from .signer_twin import API_KEY, SignerTwin

NIF = "A1234567B"
#: A company with its chart of accounts that a run of tests may have prepared: loading a chart takes eight seconds of a
#: processor, and nearly every class needs one. What a class does to it is rolled back.
READY_COMPANY = "__bonopay_tests__.company"
_real_send = requests.Session.send


class TrappedSeals:
    """Seals that would have been sent after commit."""

    def __init__(self, env):
        self.seals = env["bonopay.seal"]

    def send(self):
        """Send them now, in the test's transaction."""
        for seal in self.seals:
            seal._process()
        self.seals.move_id.invalidate_recordset()
        return self.seals


@contextmanager
def trap_seals(env):
    """Hold what posting sends after commit: a test's transaction never commits, so nothing would be sent."""
    trapped = TrappedSeals(env)

    def hold(seals):
        trapped.seals |= seals.with_env(env)

    with patch.object(env.registry["bonopay.seal"], "_send_after_commit", hold):
        yield trapped


def prepare_company(env):
    """Prepare :data:`READY_COMPANY` in a database for tests."""
    module, name = READY_COMPANY.split(".")
    company = make_company(env(context={**env.context, "lang": "en_US"}), "Société de test", NIF)
    if "stock.warehouse" in env:  # which Odoo makes for a new company in tests only
        env["stock.warehouse"].create({"company_id": company.id})
    values = {"module": module, "name": name, "model": company._name, "res_id": company.id, "noupdate": True}
    env["ir.model.data"].create(values)


def ready_company(env):
    """:data:`READY_COMPANY`, or one of the kind where nobody prepared it."""
    return env.ref(READY_COMPANY, raise_if_not_found=False) or make_company(env, "Société de test", NIF)


def make_bare_company(env, name, currency=None):
    """A Congolese company without a chart of accounts."""
    currency = currency or francs(env)
    return env["res.company"].create({"name": name, "country_id": env.ref("base.cd").id, "currency_id": currency.id})


def make_company(env, name, nif):
    """A Congolese company that keeps its books in francs."""
    company = make_bare_company(env, name)
    company.vat = nif
    env["account.chart.template"].try_loading("cd", company=company, install_demo=False)
    company.currency_id = francs(env)
    return company


def francs(env):
    """The currency CDF, active."""
    currency = env.ref("base.CDF")
    currency.active = True
    return currency


class LocalSigner:
    """Lets the tests of a class talk to a signer on this machine."""

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        # the harness compares timeouts as numbers and cannot read a (connect, read) pair
        if request.url.startswith("http://127.0.0.1:") and isinstance(kwargs.get("timeout"), tuple):
            return _real_send(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)

    @classmethod
    def _start_twin(cls, **values):
        twin = SignerTwin(**values)
        twin.__enter__()
        cls.addClassCleanup(twin.__exit__)
        return twin


class FiscalCase(LocalSigner, TransactionCase):
    """A Congolese company with an outlet, connected to a twin of the signer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True, "lang": "en_US"})
        cls.company = ready_company(cls.env)
        cls._cdf()
        cls.env.user.company_ids |= cls.company
        cls.env.user.company_id = cls.company
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": cls.company.ids})
        cls.company = cls.company.with_env(cls.env)
        cls.journal = cls._sales_journal(cls.company)
        cls.outlet = cls.env["bonopay.outlet"].create({"name": "Boutique", "code": "KIN001", "state": "test"})
        cls.journal.bonopay_outlet_id = cls.outlet
        cls.twin = cls._start_twin()
        cls.company.bonopay_configure(cls.twin.url, API_KEY)
        cls.salesperson = fiscal_user(cls.env, "bp_salesperson", "account.group_account_invoice", cls.company)
        cls._make_masters()

    @classmethod
    def _make_bare_company(cls, name, currency=None):
        """A company without a chart of accounts, which takes long to load."""
        return make_bare_company(cls.env, name, currency)

    @classmethod
    def _make_journal(cls, company):
        """A sales journal for a company that has none."""
        values = {"name": "Ventes", "code": "VTE", "type": "sale", "company_id": company.id}
        return cls.env["account.journal"].create(values)

    @classmethod
    def _cdf(cls):
        return francs(cls.env)

    @classmethod
    def _sales_journal(cls, company):
        return cls.env["account.journal"].search([("company_id", "=", company.id), ("type", "=", "sale")], limit=1)

    @classmethod
    def _make_masters(cls):
        cls.client = cls.env["res.partner"].create(
            {
                "name": "Client SARL",
                "is_company": True,
                "bonopay_client_type": "PM",
                "vat": "B7654321C",
                "country_id": cls.env.ref("base.cd").id,
            }
        )
        cls.walk_in = cls.env["res.partner"].create({"name": "Client de passage"})
        cls.tax_b = cls.tax("tva_sale_16")
        cls.tax_b_services = cls.tax("tva_sale_16_services")
        cls.rice = cls._product("Riz 25 kg", "RIZ25", "consu", 45000.0, cls.tax_b)
        cls.delivery = cls._product("Livraison", "LIVR", "service", 7500.0, cls.tax_b_services)

    @classmethod
    def tax(cls, name):
        """A tax of the company's chart."""
        return cls.env["account.chart.template"].ref(name)

    @classmethod
    def specific_tax(cls, basis, value, **values):
        """A specific tax of the company's."""
        setup = cls.env["account.tax"]._bonopay_specific_setup(basis)
        names = {"name": f"TS {basis} {value}", "bonopay_specific": basis, "amount": value, "sequence": 0}
        return cls.env["account.tax"].create({**setup, **names, **values})

    @classmethod
    def _product(cls, name, code, kind, price, tax):
        return cls.env["product.product"].create(
            {
                "name": name,
                "default_code": code,
                "type": kind,
                "list_price": price,
                "taxes_id": [Command.set(tax.ids)],
                "company_id": cls.company.id,
            }
        )

    def line(self, product=None, **values):
        """Values of an invoice line."""
        return Command.create({"product_id": (self.rice if product is None else product).id, **values})

    def draft(self, *lines, **values):
        """A draft invoice for a company; two bags of rice unless told."""
        return self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.client.id,
                "invoice_user_id": self.salesperson.id,
                "invoice_date": fields.Date.today(),
                "invoice_line_ids": list(lines) or [self.line(quantity=2)],
                **values,
            }
        )

    def post(self, move=None, send=True):
        """Post an invoice, send its seal to the signer, return the invoice."""
        move = move or self.draft()
        with trap_seals(self.env) as trapped:
            move.action_post()
        if send:
            trapped.send()
        return move

    def dollar(self, francs, source="BCC"):
        """Make a dollar count that many francs today; without source it is a person's rate."""
        company = self.company.root_id
        today = fields.Date.context_today(company.with_context(tz="Africa/Kinshasa"))
        rates = self.env["res.currency.rate"]
        usd = self.env.ref("base.USD")
        rates.search([("currency_id", "=", usd.id), ("company_id", "=", company.id)]).unlink()
        if source:
            return rates._bonopay_take(company, today, today, francs, source)
        return rates.create(
            {"currency_id": usd.id, "company_id": company.id, "name": today, "inverse_company_rate": francs}
        )

    def tearDown(self):
        self.assertFalse(self.twin.unexpected, "the signer was asked for something outside the contract")
        super().tearDown()


def migration(version, name, addon="bonopay_fiscal"):
    """The script of an upgrade, as a module."""
    path = Path(__file__).parents[2] / addon / "migrations" / version / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def fiscal_user(env, login, groups, company):
    """A user of one company, whom nobody sends an invitation."""
    return new_test_user(
        env,
        login,
        groups,
        context={"no_reset_password": True},
        company_id=company.id,
        company_ids=[Command.set(company.ids)],
        email=f"{login}@example.com",
    )


def live_signer():
    """URL, key and outlet of a real signer, given by the launcher.

    :raises AssertionError: they are missing: a live test that does not run proves nothing
    """
    names = ("BONOPAY_TEST_SIGNER_URL", "BONOPAY_TEST_SIGNER_KEY", "BONOPAY_TEST_OUTLET")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise AssertionError(f"The live tests need a running signer: set {', '.join(missing)}")
    return tuple(os.environ[name] for name in names)
