"""No rule without its paragraph, its test and a published refusal that it alone explains."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bonopay_signer.fiscal import rules
from bonopay_signer.fiscal.parsing import PayloadMalformed, parse
from bonopay_signer.fiscal.rules import against_original, against_rate
from bonopay_signer.fiscal.rules.facts import Facts

from .builders import parsed
from .published import document, generate, refused_bytes

TESTS = Path(__file__).parent
OF_ONE_INVOICE = {rule.__name__: rule for rule in rules.RULES}
OF_TWO_DOCUMENTS = {rule.__name__: rule for rule in against_original.RULES}
EVERY_RULE = (
    OF_ONE_INVOICE | OF_TWO_DOCUMENTS | {"rates_are_near_the_reference": against_rate.rates_are_near_the_reference}
)
PARAGRAPH = re.compile(r"SFE §1\.[0-9]+|Annex [IV]+|docs/contracts\.md §2")
RANGES = re.compile(r"§1\.([0-9]+)(?:[0-9.]*–(?:§?1\.)([0-9]+))?")
WHAT_A_PAYLOAD_CAN_BREAK = {5, 6, 7, 11, 12, 13, 14, 18, 19, 21, 22, 24, 25, 26, 27, 28, 30, 31}
"""Paragraphs of SFE §1. Item data (§1.16) are members of the schema, numbers (§1.15) are given by the signer; copies,
reports, cash, stock, journal, device and QR (§1.8–1.10, §1.17, §1.20, §1.23, §1.29) are no part of a payload."""
NOT_IN_A_REFUSAL = {"codes_are_in_force"}
"""No code of today's tables has ended or is yet to begin, but for tax groups, which have a rule of their own."""


def names_of_tests() -> Iterator[str]:
    for path in TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name


def rules_that_fire(vector: dict) -> set[str]:
    """The rules that have findings in a vector of `refused.json`; none when it is refused for its form."""
    try:
        facts = Facts(parse(refused_bytes(vector)))
    except PayloadMalformed:
        return set()
    return {name for name, rule in OF_ONE_INVOICE.items() if list(rule(facts))}


def credit_rules_that_fire(vector: dict) -> set[str]:
    """The same for a vector of `credits.json`."""
    if vector["original"] is None:
        return set()
    original = against_original.Original(parsed(vector["original"]), vector["original_dgi_code"])
    earlier = list(map(parsed, vector["earlier"]))
    comparison = against_original.Comparison(parsed(vector["credit_note"]), original, earlier)
    return {name for name, rule in OF_TWO_DOCUMENTS.items() if list(rule(comparison))}


REFUSALS = [rules_that_fire(vector) for vector in document("refused.json")["vectors"]]
CREDITS = [credit_rules_that_fire(vector) for vector in document("credits.json")["vectors"]]
RATES = [
    {"rates_are_near_the_reference"} if vector["findings"] else set()
    for vector in document("exchange_rates.json")["vectors"]
]


@pytest.mark.parametrize("name", EVERY_RULE)
def test_a_rule_names_its_paragraph(name):
    assert PARAGRAPH.search(EVERY_RULE[name].__doc__ or "")


def test_every_paragraph_that_a_payload_can_break_has_a_rule():
    named: set[int] = set()
    for rule in EVERY_RULE.values():
        for first, last in RANGES.findall(rule.__doc__):
            named |= set(range(int(first), int(last or first) + 1))
    # §1.2 lists the mentions of an invoice, by letter.
    assert named - {2} == WHAT_A_PAYLOAD_CAN_BREAK


@pytest.mark.parametrize("name", EVERY_RULE)
def test_a_rule_has_a_test_of_its_name(name):
    assert any(name in test for test in names_of_tests())


@pytest.mark.parametrize("name", sorted(EVERY_RULE.keys() - NOT_IN_A_REFUSAL))
def test_a_rule_alone_explains_a_published_refusal(name):
    assert {name} in [*REFUSALS, *CREDITS, *RATES]


def test_every_rule_is_applied():
    """What is written as a rule, a public generator of findings, is in a list that is checked."""
    written = set()
    for path in Path(rules.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Iterator[Finding]":
                written.add(node.name)
    assert {name for name in written if not name.startswith("_")} == EVERY_RULE.keys()


@pytest.mark.parametrize("vector", document("credits.json")["vectors"], ids=lambda vector: vector["name"])
def test_the_core_judges_credit_notes_as_published(vector):
    assert generate.told(generate.credit_findings(vector)) == vector["findings"]


@pytest.mark.parametrize("vector", document("exchange_rates.json")["vectors"], ids=lambda vector: vector["name"])
def test_the_core_judges_rates_as_published(vector):
    assert generate.told(generate.rate_findings(vector)) == vector["findings"]
