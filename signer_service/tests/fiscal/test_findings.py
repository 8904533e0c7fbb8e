"""The catalogue: every code has both languages, is used, and is shown by a published refusal."""

import re
import string

import pytest

from bonopay_signer.fiscal.findings import (
    CATALOGUE,
    MAX_FINDINGS,
    MAX_QUOTED,
    Finding,
    finding,
    limited,
    pointer_to,
)

from .builders import accepted, as_bytes, findings_of
from .published import cases, document, generate, refused_bytes

NO_REFUSAL_CAN_SHOW = {"json.not_canonical", "code.not_in_force"}
"""The fallback, in case msgspec refuses what the walker does not: the fuzz tests look for such a payload. And codes
that a table has lost: none has yet, test_rules_document.py takes some away."""
REFUSING = ("refused.json", "credits.json", "exchange_rates.json")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("code", CATALOGUE)
def test_both_languages_say_the_same(code):
    french, english = CATALOGUE[code]
    assert placeholders(french) == placeholders(english) <= {"expected", "actual", "name"}
    assert french.endswith(".") and english.endswith(".")
    assert french != english


def test_every_refusal_of_the_catalogue_is_published():
    vectors = [vector for name in REFUSING for vector in document(name)["vectors"]]
    shown = {found["code"] for vector in vectors for found in vector["findings"]}
    assert shown == CATALOGUE.keys() - NO_REFUSAL_CAN_SHOW


def every_published_finding() -> list[Finding]:
    refused = [found for vector in document("refused.json")["vectors"] for found in findings_of(refused_bytes(vector))]
    credits_ = [found for vector in document("credits.json")["vectors"] for found in generate.credit_findings(vector)]
    rates = [found for vector in document("exchange_rates.json")["vectors"] for found in generate.rate_findings(vector)]
    return refused + credits_ + rates


def test_no_message_has_a_hole():
    for found in every_published_finding():
        for text in found.message.values():
            assert "None" not in text and "{" not in text and "  " not in text


def test_french_is_typeset_as_french():
    """A space before two-part punctuation and inside guillemets, no straight quotes, a capital and a full stop."""
    for french, _english in CATALOGUE.values():
        assert not re.search(r'[^ ][;:!?»](?![A-Z/.{\w])|«[^ ]|"', french.replace("\u202f", " ")), french
        assert re.match(r"[A-ZÀ-Ý«{]", french) and french.endswith(".")


def test_every_message_says_the_way_out():
    """A sentence for the fault, and one more that tells what to do."""
    for message in CATALOGUE.values():
        for text in message:
            assert (
                len(re.findall(r"[.»”](?= [A-ZÀ-Ý{])", text)) >= 1 or ", for example" in text or ", par ex" in text
            ), text


def test_an_answer_to_endless_faults_is_short():
    found = limited(finding("", "items.empty") for _ in range(MAX_FINDINGS + 1))
    assert (len(found), found[-1].code) == (MAX_FINDINGS + 1, "findings.truncated")
    assert [one.code for one in limited(finding("", "items.empty") for _ in range(MAX_FINDINGS))] == [
        "items.empty"
    ] * MAX_FINDINGS


def test_an_uncatalogued_code_is_an_error():
    with pytest.raises(KeyError):
        finding("", "no.such.code")


@pytest.mark.parametrize(
    ("tokens", "pointer"),
    [((), ""), (("a", 0), "/a/0"), (("a/b", "c~d", ""), "/a~1b/c~0d/"), (("~1",), "/~01"), (("\ud800",), "/\ufffd")],
)
def test_rfc_6901_pointers(tokens, pointer):
    assert pointer_to(*tokens) == pointer


def test_braces_in_a_refused_value_are_only_text():
    found = finding("", "code.unknown", expected="A", actual="{actual.__class__}{0}")
    assert "{actual.__class__}{0}" in found.message["fr"]


@pytest.mark.parametrize("length", [MAX_QUOTED - 1, MAX_QUOTED, MAX_QUOTED + 1, 100 * MAX_QUOTED])
def test_a_quoted_value_is_short(length):
    found = finding("", "code.unknown", expected="A", actual="x" * length)
    assert found.actual == ("x" * length if length <= MAX_QUOTED else "x" * MAX_QUOTED + "…")


@pytest.mark.parametrize(
    ("changes", "expected", "actual"),
    [
        ({"/items/0/type": "TAX"}, "L, N", "B"),
        (
            {"/items/0/tax_group": "N", "/tax_groups/0/code": "N", "/tax_groups/0/rate": "0"},
            "A, B, C, D, E, F, G, H, I, J, K, M, O, P",
            "N",
        ),
        ({"/tax_groups/0/rate": "18"}, "16", "18"),
        ({"/tax_groups/0/tax": "14400.01"}, "14400.00", "14400.01"),
        ({"/totals/base": "90000.01"}, "90000.00", "90000.01"),
        ({"/payments/0/amount": "104399.99"}, "104400.00", "104399.99"),
        ({"/items/0/specific_tax": cases.specific("percent", "1.5", "1.00")}, "1350.00", "1.00"),
        ({"/client": cases.EMBASSY}, "Réf. Exo. : EXO/2026/117", None),
    ],
)
def test_a_broken_rule_says_what_is_expected_and_what_came(changes, expected, actual):
    found = findings_of(as_bytes(cases.changed(accepted(), changes)))[0]
    assert (found.expected, found.actual) == (expected, actual)
    assert expected in found.message["fr"] and expected in found.message["en"]
