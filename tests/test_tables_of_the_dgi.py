"""The DGI changes the rate of a group: by the signer it reaches Odoo, and an owner is called.

The signer's core judges by its own tables, so that Odoo keeps the rate that documents are sealed with.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from launcher.instance import DEMO_MERCHANT, Instance
from launcher.suites import INSTALLED_DATABASE
from tests.signer_api import SignerApi

DATABASE = "bonopay_tables"
GROUP, RATE = "C", "4"
PATIENCE = 60  # seconds

#: What Odoo's scheduled action does at a company in earnest, and what came of it.
READ = """
import json
from pathlib import Path

company, outlet = env.ref("base.demo_company_cd"), env.ref("bonopay_fiscal.demo_outlet_kin001")
if outlet.state != "live":
    company.bonopay_configure({url!r}, {key!r})
    outlet.state = "live"
company.write({{"bonopay_reference_asked_at": False, "bonopay_reference_read_at": False}})
env["res.company"]._bonopay_cron_read_reference()
company._bonopay_take_rate_surely()
rows = env["bonopay.tax.rate"].search([("group_id.code", "=", {group!r})], order="valid_from")
taxes = env["account.tax"].with_context(active_test=False).search(
    [("company_id", "=", company.id), ("bonopay_group", "=", {group!r}), ("type_tax_use", "=", "sale")]
)
Path({answer!r}).write_text(json.dumps({{
    "error": company.bonopay_reference_error,
    "day": str(env["bonopay.tax.group"]._fiscal_day()),
    "rows": [[str(row.valid_from), str(row.valid_to or ""), row.rate, row.source] for row in rows],
    "taxes": [[tax.name, tax.amount, tax.active] for tax in taxes],
    "notes": outlet.activity_ids.mapped("note"),
    "dollar": company.bonopay_rate_words,
}}))
env.cr.commit()
"""


def _have_the_dgi_tell(instance: Instance, rates: dict[str, str]) -> None:
    """What the demo's e-MCF takes the rates for; none: what they are."""
    sandbox = instance.sandbox
    request = urllib.request.Request(
        f"{sandbox.page}admin/faults",
        json.dumps({"nim": DEMO_MERCHANT["nim"], "rate_change": rates}).encode(),
        {"Authorization": f"Bearer {sandbox.admin_token_file.read_text().strip()}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def _wait_until_the_signer_tells(instance: Instance, rate: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        (address,) = SignerApi.of(instance).get("/api/v1/reference")["addresses"]
        if rate in [row["rate"] for row in address["tables"]["tax_groups"] if row["code"] == GROUP]:
            return
        time.sleep(0.5)
    raise AssertionError(f"the signer does not tell {rate} %")


def _read(instance: Instance) -> dict[str, Any]:
    answer = instance.folder / "tables.json"
    facts = {"url": instance.signer.url, "key": instance.signer.api_key(), "group": GROUP, "answer": str(answer)}
    instance.odoo.run_script(DATABASE, READ.format(**facts))
    return json.loads(answer.read_text())


@pytest.fixture(scope="module")
def asking(instance: Instance) -> Iterator[Instance]:
    """A signer that asks the DGI about every second, and an Odoo database that nothing was sold in."""
    service = instance.signer.service
    often = replace(service, env={**service.env, "BONOPAY_SIGNER_REFERENCE_INTERVAL": "1"})
    service.stop()
    often.start()
    instance.odoo.create_database(DATABASE, template=INSTALLED_DATABASE)
    instance.odoo.configure(DATABASE)
    try:
        _wait_until_the_signer_tells(instance, "5")
        yield instance
    finally:
        _have_the_dgi_tell(instance, {})
        _wait_until_the_signer_tells(instance, "5")
        instance.odoo.drop_database(DATABASE)
        often.stop()
        service.start()


def test_row_49_a_rate_that_the_dgi_changes_is_told_to_the_owner_and_stops_no_sale(asking: Instance) -> None:
    before = _read(asking)
    assert (before["error"], before["notes"]) == (False, []), "the DGI has what Odoo has"
    assert [row[2] for row in before["rows"]] == [8, 5]
    assert "2" in before["dollar"] and "DGI" in before["dollar"], "the rate of the day comes from the same tables"

    _have_the_dgi_tell(asking, {GROUP: RATE})
    _wait_until_the_signer_tells(asking, RATE)
    now = _read(asking)
    assert now["rows"] == before["rows"], "the signer would refuse a document at 4 %"
    assert ["4%", 4, False] in now["taxes"] and ["5%", 5, True] in now["taxes"], "prepared, and nothing is switched"
    (note,) = now["notes"]
    assert "4 %" in note and "5 %" in note and "4%" in note

    again = _read(asking)
    assert (again["rows"], len(again["notes"])) == (now["rows"], 1), "it is taken and told once"
