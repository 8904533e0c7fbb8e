"""What the demo plays, once: sales of every kind, and one document in each state that a merchant may meet.

Each is made as a person makes it: the drafts of the addon's demo data are posted, credit notes come from the assistant,
and where something goes wrong, the DGI sandbox or the signer is what it is wrong for.
"""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from launcher.config import HOST
from launcher.console import step
from launcher.instance import DEMO_MERCHANT, Instance
from launcher.odoo import Session

ADDON = "bonopay_fiscal"
ADMINISTRATOR = ("admin", "admin")
ACCOUNTANT = ("comptable", "comptable")
#: A second outlet of the merchant's, whose e-MCF cannot be reached.
BRANCH = {
    **DEMO_MERCHANT,
    "outlet": "LSH001",
    "outlet_name": "Bono Démo – Lubumbashi",
    "address": "Avenue Kasaï, Lubumbashi, Haut-Katanga",
    "nim": "CD01000001-2",
}
#: The drafts of the addon's demo data, in the order of their posting.
DRAFTS = (
    "demo_invoice_sale",
    "demo_invoice_advance",
    "demo_invoice_export",
    "demo_invoice_export_advance",
    "demo_invoice_excise",
    "demo_invoice_split",
    "demo_invoice_reduced",
    "demo_invoice_credit",
    "demo_invoice_usd",
    "demo_invoice_rebate",
    "demo_invoice_export_rebate",
)
DAY_RATE = "2300"  # CDF for a dollar, as in the sandbox's table and the demo data
STRANGE_RATE = 2450.0  # more than 1 % away from it
OUTAGE = timedelta(days=7)
SHOWN = ("name", "state", "bonopay_invoice_type", "partner_id", "amount_total", "currency_id", "bonopay_state")


class Story:
    """The documents of one demo; `story.json` in its folder says how far it went, so that nothing is made twice."""

    def __init__(self, instance: Instance, database: str):
        self.instance = instance
        self.database = database
        self._file = instance.folder / "story.json"
        told = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.documents: dict[str, int] = told.get("documents", {})  # name in this story → id of the invoice
        self._done: list[str] = told.get("done", [])

    def play(self) -> None:
        """Play what was not played yet."""
        parts: tuple[tuple[str, Callable[[], None]], ...] = (
            ("An accountant posts invoices and rebates of all six types", self.post_drafts),
            ("Goods come back: credit notes for a sale and an export", self.credit),
            ("The signer refuses a rate of the dollar that is not the day's", self.be_refused),
            ("The DGI rejects an invoice; it is cancelled and replaced", self.replace),
            ("Lubumbashi sells while its e-MCF is out of reach", self.wait_for_the_dgi),
            ("A draft is left to post by hand", self.leave_a_draft),
        )
        for words, part in parts:
            if part.__name__ not in self._done:
                with step(words):
                    part()
                self._done.append(part.__name__)
                self._save()

    def listed(self) -> list[dict[str, Any]]:
        """The documents that are still there, in the order of their making: the fields `SHOWN`, type and state."""
        ids = sorted(self.documents.values())
        return self.accountant.call("account.move", "search_read", [["id", "in", ids]], SHOWN, order="id")

    # --- the parts -----------------------------------------------------------------------------------------------

    def post_drafts(self) -> None:
        for name in DRAFTS:
            self._remember(name, self.accountant.reference(ADDON, name))
            self._post(name)

    def credit(self) -> None:
        self._credit("return", "demo_invoice_sale", {"RIZ25": 2}, "Deux sacs percés, repris")
        self._credit("export_return", "demo_invoice_export", {"CAFE60": 5}, "Cinq sacs refusés à l'arrivée")

    def be_refused(self) -> None:
        day = datetime.now(UTC) + timedelta(hours=1)  # Kinshasa's
        self.instance.signer.run("rate", "set", "USD", f"{day:%Y-%m-%d}", DAY_RATE, "--source", "BCC (demo)")
        dollars = {"method": "ESPECES", "amount": 40, "currency_id": self._dollar, "rate": STRANGE_RATE}
        self._draft("refused", {"demo_product_rice": 4}, bonopay_payment_ids=[[0, 0, dollars]])
        self._post("refused")

    def replace(self) -> None:
        self._draft("rejected", {"demo_product_oil": 8, "demo_product_delivery": 1})
        if not self.documents.get("replacement"):
            if self._is_draft(self.documents["rejected"]):  # else the refusal would strike the next document
                self._set_faults(DEMO_MERCHANT["nim"], refuse_next={"step": "confirm", "count": 1, "code": "107"})
                self._post("rejected")
            opened = self.accountant.call("account.move", "action_bonopay_replace", [self.documents["rejected"]])
            self._remember("replacement", opened["res_id"])
        self._post("replacement")

    def wait_for_the_dgi(self) -> None:
        self._register_branch()
        journal = self._journal_of_branch()
        self._set_faults(BRANCH["nim"], outage_s=int(OUTAGE.total_seconds()), outage_answer="cut")
        for name, quantity in (("waiting", 5), ("waiting_too", 2)):
            self._draft(name, {"demo_product_rice": quantity}, journal_id=journal)
            self._post(name)

    def leave_a_draft(self) -> None:
        self._draft("draft", {"demo_product_rice": 2, "demo_product_delivery": 1})

    # --- documents -----------------------------------------------------------------------------------------------

    def _draft(self, name: str, products: dict[str, int], **values: Any) -> None:
        if name in self.documents:
            return
        lines = [
            {"product_id": self.accountant.reference(ADDON, product), "quantity": quantity}
            for product, quantity in products.items()
        ]
        partner = self.accountant.reference(ADDON, "demo_partner_pm")
        given = {"move_type": "out_invoice", "partner_id": partner, **values}
        self._remember(name, self._create(self.accountant, "account.move", invoice_line_ids=_new(lines), **given))

    def _post(self, name: str) -> None:
        """Post a document, unless it was: a person may have, or an interrupted run."""
        if self._is_draft(self.documents[name]):
            self.accountant.call("account.move", "action_post", [self.documents[name]])

    def _is_draft(self, invoice: int) -> bool:
        [move] = self.accountant.call("account.move", "read", [invoice], ["state"])
        return move["state"] == "draft"

    def _credit(self, name: str, original: str, quantities: dict[str, int], reason: str) -> None:
        """Take back so many of each article, by its reference, with the assistant of the invoice."""
        if name not in self.documents:
            self._remember(name, self._reverse(self.documents[original], reason))
        refund = self.documents[name]
        if not self._is_draft(refund):
            return
        domain = [["move_id", "=", refund], ["display_type", "=", "product"]]
        for line in self.accountant.call("account.move.line", "search_read", domain, ["product_id"]):
            code = line["product_id"][1].partition("]")[0].lstrip("[")
            command = [1, line["id"], {"quantity": quantities[code]}] if code in quantities else [2, line["id"], 0]
            self.accountant.call("account.move", "write", [refund], {"invoice_line_ids": [command]})
        self._post(name)

    def _reverse(self, original: int, reason: str) -> int:
        [move] = self.accountant.call("account.move", "read", [original], ["journal_id"])
        values = {"journal_id": move["journal_id"][0], "reason": reason, "bonopay_credit_nature": "RAM"}
        context = {"active_model": "account.move", "active_ids": [original]}
        wizard = self._create(self.accountant, "account.move.reversal", context=context, **values)
        return self.accountant.call("account.move.reversal", "reverse_moves", [wizard])["res_id"]

    def _remember(self, name: str, invoice: int) -> None:
        self.documents[name] = invoice
        self._save()

    def _save(self) -> None:
        self._file.write_text(json.dumps({"documents": self.documents, "done": self._done}, indent=2))

    # --- the second outlet ---------------------------------------------------------------------------------------

    def _register_branch(self) -> None:
        """At the DGI, which reads its accounts when it starts, and at the signer; both may know it already."""
        sandbox = self.instance.sandbox
        sandbox.prepare([DEMO_MERCHANT, BRANCH])
        sandbox.service.stop()
        sandbox.service.start()
        self.instance.signer.run(
            *("outlet", "add", "--if-missing", "--id", BRANCH["outlet"], "--merchant", BRANCH["nif"]),
            *("--name", BRANCH["outlet_name"], "--address", BRANCH["address"]),
            *("--nim", BRANCH["nim"], "--isf", BRANCH["isf"], "--dgi-mode", "deferred"),
            *("--dgi-url", sandbox.url, "--dgi-token-file", str(sandbox.token_file(BRANCH["nim"]))),
        )

    def _journal_of_branch(self) -> int:
        """The sales journal of the second outlet, with the outlet, which a manager makes and lets test."""
        company = self._company
        domain = [["code", "=", BRANCH["outlet"]], ["company_id", "=", company]]
        if not self.administrator.call("bonopay.outlet", "search", domain):
            self._create(
                self.administrator,
                "bonopay.outlet",
                **{"name": BRANCH["outlet_name"], "code": BRANCH["outlet"], "company_id": company},
                **{"street": "Avenue Kasaï", "city": "Lubumbashi", "state_id": self._province("HK")},
                journal_ids=[[6, 0, [self._sales_journal(company)]]],
            )
        fields = ["journal_ids", "state"]
        [outlet] = self.administrator.call("bonopay.outlet", "search_read", domain, fields)
        if outlet["state"] == "preparation":
            self.administrator.call("bonopay.outlet", "action_start_test", [outlet["id"]])
        return outlet["journal_ids"][0]

    def _sales_journal(self, company: int) -> int:
        domain = [["code", "=", "LSH"], ["company_id", "=", company]]
        found = self.administrator.call("account.journal", "search", domain)
        if found:
            return found[0]
        return self._create(
            self.administrator,
            "account.journal",
            **{"name": "Ventes Lubumbashi", "code": "LSH", "type": "sale", "company_id": company, "sequence": 20},
        )

    def _province(self, code: str) -> int:
        domain = [["country_id.code", "=", "CD"], ["code", "=", code]]
        [found] = self.administrator.call("res.country.state", "search", domain)
        return found

    def _set_faults(self, nim: str, **faults: Any) -> None:
        """Have the sandbox play a trouble of one e-MCF, as its README lists them."""
        sandbox = self.instance.sandbox
        request = urllib.request.Request(
            f"http://{HOST}:{sandbox.port}/admin/faults",
            json.dumps({"nim": nim, **faults}).encode(),
            {
                "Authorization": f"Bearer {sandbox.admin_token_file.read_text().strip()}",
                "Content-Type": "application/json",
            },
        )
        urllib.request.urlopen(request, timeout=10).close()

    # --- people --------------------------------------------------------------------------------------------------

    @cached_property
    def accountant(self) -> Session:
        return Session(self.instance.odoo.url, self.database, *ACCOUNTANT)

    @cached_property
    def administrator(self) -> Session:
        session = Session(self.instance.odoo.url, self.database, *ADMINISTRATOR)
        session.use_company(self._company)
        return session

    @cached_property
    def _company(self) -> int:
        return self.accountant.reference("base", "demo_company_cd")

    @cached_property
    def _dollar(self) -> int:
        return self.accountant.reference("base", "USD")

    @staticmethod
    def _create(session: Session, model: str, context: dict[str, Any] | None = None, **values: Any) -> int:
        created = session.call(model, "create", [values], **({"context": context} if context else {}))
        return created[0] if isinstance(created, list) else created


def _new(lines: list[dict[str, Any]]) -> list[list[Any]]:
    return [[0, 0, line] for line in lines]
