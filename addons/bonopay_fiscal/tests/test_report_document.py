"""The presenter alone: labels, figures, words, dates. One test per mention of SFE §1.2 (a to x)."""

import doctest
import hashlib
import json
import random
from dataclasses import fields, replace
from datetime import UTC, datetime

from odoo.tests import BaseCase, tagged

from ..core import dgi
from ..report import amount_in_words as words_module
from ..report import french_format, invoice_labels, invoice_sheets, line_pagination, qr_symbol
from ..report.amount_in_words import amount_in_words
from ..report.document_parts import Copy, Issuer, PayloadAlteredError, SealFacts
from ..report.invoice_document import invoice_document
from ..report.line_pagination import paginate
from . import test_report_common as common

ISSUER = Issuer(
    name="Alimentation du Fleuve SARL",
    outlet="Boutique de la Gombe",
    street="12, avenue du Commerce",
    city="Kinshasa / Gombe",
    phone="+243 810 000 000",
    email="gombe@fleuve.example",
    isf="BON-001-01",
)
CREDIT = {"nature": "RAM", "original_fiscal_number": "BONO-KIN001-01-000000007", "original_dgi_code": common.DGI_CODE}


def facts(document=None, state="certified", **changes):
    values = common.sealed_values(document or common.payload(), state) | changes
    if "sealed_at" in values:
        values["sealed_at"] = values["sealed_at"].replace(tzinfo=UTC)
    return SealFacts(**values)


def page(document=None, state="certified", copy=0, issuer=ISSUER, **changes):
    return invoice_document(facts(document, state, **changes), issuer, Copy(copy) if copy is not None else None)


def spaced(text):
    return text.replace("\u202f", " ")


def rows(view):
    return [row for sheet in view.sheets for row in sheet.rows]


@tagged("post_install", "-at_install")
class TestReportDoctests(BaseCase):
    def test_examples_of_the_pure_modules_hold(self):
        for module in (words_module, french_format, invoice_labels, invoice_sheets, line_pagination, qr_symbol):
            result = doctest.testmod(module)
            self.assertFalse(result.failed, module.__name__)
            self.assertTrue(result.attempted, module.__name__)

    def test_a_symbol_is_drawn_once_however_often_a_print_asks_for_it(self):
        first, again, other = (qr_symbol.qr_symbol("RDCDEF01", width_mm=width) for width in (30.0, 30.0, 40.0))
        self.assertIs(first, again)
        self.assertEqual((first.path, first.width_mm, other.width_mm), (other.path, 30.0, 40.0))


@tagged("post_install", "-at_install")
class TestReportMentions(BaseCase):
    """SFE §1.2, letter by letter."""

    def test_sfe_1_2_a_to_d_the_seller_its_nif_address_and_contacts(self):
        seller = dict(page().seller)
        self.assertEqual(seller[None], "Alimentation du Fleuve SARL")
        self.assertEqual(seller["NIF"], "A1234567B")
        self.assertEqual(seller["Adresse"], "12, avenue du Commerce, Kinshasa / Gombe")
        self.assertEqual(seller["Tél."], "+243 810 000 000")
        self.assertEqual(seller["E-mail"], "gombe@fleuve.example")

    def test_sfe_1_2_e_the_client_with_its_type(self):
        expected = {
            "PP": "[PP] Personne physique",
            "PM": "[PM] Personne morale",
            "PC": "[PC] Personne physique commerçante",
            "PL": "[PL] Profession libérale",
            "AO": "[AO] Ambassades et organisations internationales",
        }
        for code, mention in expected.items():
            client = common.COMPANY_CLIENT | {"type": code, "address": "Gombe", "contact": "+243 1"}
            entries = page(common.payload(client=client)).client
            self.assertIn((None, mention), entries)
            self.assertIn((None, "Client SARL"), entries)
            self.assertIn(("NIF", "B7654321C"), entries)
            self.assertIn(("Adresse", "Gombe"), entries)
            self.assertIn(("Contact", "+243 1"), entries)

    def test_sfe_1_2_e_a_walk_in_client_has_no_blank_name(self):
        entries = page(common.payload(client=common.NOBODY)).client
        self.assertEqual(entries, ((None, "Client de passage"), (None, "[PP] Personne physique")))

    def test_sfe_1_8_only_the_first_print_is_not_a_duplicata(self):
        self.assertEqual(page(copy=0).marks, ())
        self.assertEqual(page(copy=1).marks, ("DUPLICATA N° 1",))
        self.assertEqual(page(copy=12).marks, ("DUPLICATA N° 12",))
        self.assertEqual(page(copy=None).marks, ("APERÇU À L'ÉCRAN",))

    def test_sfe_1_7_the_heading_says_the_type(self):
        headings = {
            "FV": "FACTURE DE VENTE",
            "FT": "FACTURE D'ACOMPTE",
            "FA": "FACTURE D'AVOIR",
            "EV": "FACTURE DE VENTE – EXPORTATION",
            "ET": "FACTURE D'ACOMPTE – EXPORTATION",
            "EA": "FACTURE D'AVOIR – EXPORTATION",
        }
        for code, heading in headings.items():
            self.assertEqual(page(common.payload(invoice_type=code)).heading, heading)

    def test_sfe_1_25_a_credit_note_says_its_nature_and_its_original(self):
        natures = {"COR": "Correction", "RAN": "Annulation", "RAM": "Avoir suite reprise"}
        for nature, mention in natures.items():
            view = page(common.payload(invoice_type="FA", credit=CREDIT | {"nature": nature}))
            self.assertEqual(view.subheading, mention)
            self.assertIn(("Document d'origine", "BONO-KIN001-01-000000007"), view.facts)
            self.assertIn(("Code DEF/DGI d'origine", common.DGI_CODE), view.facts)

    def test_sfe_1_28_a_rebate_without_original_is_printed_as_rrr(self):
        credit = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
        view = page(common.payload(invoice_type="FA", credit=credit))
        self.assertIn("RRR", view.subheading)
        self.assertIn(("Document d'origine", "RRR"), view.facts)

    def test_sfe_1_2_j_m_n_o_each_group_has_label_sales_rate_and_tax(self):
        items = [
            common.item(price="100.00", quantity="3"),
            common.item(price="50.00", quantity="1", tax_group="A"),
            common.item(price="10.00", quantity="1", tax_group="N", type="TAX"),
        ]
        groups = {group["code"]: group for group in page(common.payload(items)).groups}
        self.assertEqual([*groups], ["A", "B", "N"])
        self.assertEqual(groups["A"]["label"], "Exonéré")
        self.assertEqual(spaced(groups["B"]["label"]), "Taxable 16 %")
        self.assertEqual(spaced(groups["B"]["rate"]), "16 %")
        self.assertEqual(
            [groups["B"][name] for name in ("sales", "base", "tax", "total")], ["300,00", "300,00", "48,00", "348,00"]
        )
        self.assertEqual(
            [groups["N"][name] for name in ("sales", "base", "tax", "total")], ["10,00", "0,00", "10,00", "10,00"]
        )

    def test_sfe_1_2_j_the_label_of_a_group_tells_the_rate_that_was_sealed(self):
        """A reprint of an old invoice shows the rate of its day."""
        expected = {
            ("B", "16"): "Taxable 16 %",
            ("C", "8"): "Taxable 8 %",
            ("C", "5"): "Taxable 5 %",
            ("G", "8"): "TVA marché public à financement extérieur (8 %)",
            ("G", "5"): "TVA marché public à financement extérieur (5 %)",
            ("O", "1"): "Taxable 1 %",
            ("H", "0"): "Consignation/déconsignation d'emballage",
            ("K", "0"): "Opérations réalisées par les non assujettis",
        }
        for (code, rate), label in expected.items():
            document = common.payload([common.item(tax_group=code)])
            document["tax_groups"][0]["rate"] = rate
            (group,) = page(document).groups
            self.assertEqual(spaced(group["label"]), label)
            self.assertEqual(spaced(group["rate"]), f"{rate} %")

    def test_sfe_1_12_every_group_and_client_type_has_the_words_of_the_dgi_s_table(self):
        for code in dgi.TAX_GROUPS:
            self.assertTrue(invoice_labels.tax_group(code, "5"))
        self.assertEqual(set(invoice_labels.CLIENT_TYPES), set(dgi.CLIENT_TYPES))

    def test_sfe_1_15_the_number_is_the_fiscal_one_and_the_merchant_s_own_is_beside_it(self):
        self.assertEqual(page().facts[0], ("N°", common.FISCAL_NUMBER))
        self.assertIn(("Référence interne", "INV/2026/00001"), page().facts)

    def test_sfe_1_2_l_a_line_shows_group_quantity_price_amount_and_what_changed_the_price(self):
        item = common.item(
            price="45000.00", quantity="2.125", original_unit_price="50000.00", price_change="Remise 10 %"
        )
        (row,) = rows(page(common.payload([item])))
        self.assertEqual((row.code, row.name, row.type_mention, row.tax_group), ("RIZ25", "Riz 25 kg", "[BIE]", "B"))
        self.assertEqual((row.unit, row.quantity), ("Unité", "2,125"))
        self.assertEqual((spaced(row.unit_price), spaced(row.amount)), ("45 000,00", "95 625,00"))
        self.assertEqual(spaced(row.notes[0]), "Prix d'origine : 50 000,00 – Remise 10 %")

    def test_sfe_1_2_p_q_the_total_in_figures_and_in_words(self):
        view = page()
        self.assertEqual(spaced(view.total_due), "104 400,00 CDF")
        self.assertEqual(view.in_words, "Cent quatre mille quatre cents francs congolais")

    def test_sfe_1_2_r_dollars_and_the_sealed_rate(self):
        payment = {"method": "ESPECES", "amount": "45.39", "currency": "USD", "rate": "2300.05", "reference": None}
        currency = {"code": "USD", "rate": "2300.05", "date": "2026-11-21"}
        view = page(common.payload(foreign_currency=currency, payments=[payment]))
        self.assertEqual(spaced(view.payments[0][1]), "45,39 USD × 2 300,05 = 104 399,27 CDF")
        self.assertEqual(
            [spaced(line) for line in view.foreign_currency],
            ["Total TTC en USD : 45,39 USD", "Taux du 21/11/2026 : 1 USD = 2 300,05 CDF"],
        )

    def test_sfe_1_2_s_every_payment_mode_by_its_name(self):
        names = {
            "ESPECES": "Espèces",
            "VIREMENT": "Virement",
            "CARTEBANCAIRE": "Carte bancaire",
            "MOBILEMONEY": "Mobile money",
            "CHEQUES": "Chèques",
            "CREDIT": "Crédit",
            "AUTRE": "Autre",
        }
        blank = {"amount": "1.00", "currency": "CDF", "rate": None, "reference": "REF 7"}
        view = page(common.payload(payments=[{**blank, "method": method} for method in names]))
        self.assertEqual([name for name, _amount in view.payments], [f"{name} (REF 7)" for name in names.values()])

    def test_sfe_1_2_t_a_specific_tax_is_shown_under_its_line_and_in_the_totals(self):
        taxes = {
            "amount": ("500.00", "500.00", "Taxe spécifique : 500,00"),
            "quantity": ("1.5", "3.00", "Taxe spécifique (1,5 × 2) : 3,00"),
            "percent": ("2.5", "2250.00", "Taxe spécifique (2,5 %) : 2 250,00"),
        }
        for basis, (value, amount, note) in taxes.items():
            tax = {"basis": basis, "value": value, "amount": amount}
            view = page(common.payload([common.item(specific_tax=tax)]))
            self.assertEqual([spaced(text) for text in rows(view)[0].notes], [note])
            self.assertIn(("dont taxe spécifique", french_format.money(amount)), view.totals)

    def test_sfe_1_2_u_the_time_is_that_of_the_outlet_also_past_midnight(self):
        self.assertIn(("Date et heure", "22/11/2026 à 00:30:00"), page().facts)
        east = page(issuer=replace(ISSUER, zone="Africa/Lubumbashi"))
        self.assertIn(("Date et heure", "22/11/2026 à 01:30:00"), east.facts)

    def test_sfe_1_2_v_w_isf_and_operator(self):
        self.assertEqual((page().isf, page().operator), ("BON-001-01", "Comptable"))

    def test_sfe_1_2_x_the_dgi_s_elements_are_those_that_it_returned(self):
        dgi = page().dgi
        self.assertEqual((dgi.code, dgi.nim), (common.DGI_CODE, "CD01000001-1"))
        self.assertEqual((dgi.counters, dgi.time), ("5/8 FV", "22/11/2026 00:30:01"))
        self.assertEqual(dgi.qr.text, common.DGI_QR)
        self.assertEqual(dgi.code_in_fours.replace(" ", ""), common.DGI_CODE)
        self.assertEqual(dgi.code_in_fours.split(" "), ["TEST", "Q7W3", "E9R1", "T5Y2", "U8I4", "O6P0"])

    def test_sfe_1_5_4_the_price_mode_is_stated(self):
        self.assertEqual(page().price_mode, "Prix hors taxe (HT)")
        self.assertEqual(page(common.payload(mode="ttc")).price_mode, "Prix toutes taxes comprises (TTC)")

    def test_sfe_1_24_comment_lines_keep_their_letters(self):
        comments = dict.fromkeys("ABCDEFGH") | {"A": "Réf. Exo. : EXO/7", "H": "Merci"}
        self.assertEqual(page(common.payload(comments=comments)).comments, ("A – Réf. Exo. : EXO/7", "H – Merci"))


@tagged("post_install", "-at_install")
class TestReportTruth(BaseCase):
    """What is printed is what was sealed (invariant 5), and nothing looks like more than it is (SFE §1.5)."""

    def test_sfe_1_4_an_altered_payload_is_not_printed(self):
        seal = facts()
        altered = replace(seal, payload=seal.payload.replace("45000.00", "4500.00"))
        with self.assertRaises(PayloadAlteredError):
            invoice_document(altered, ISSUER, Copy(0))

    def test_sfe_1_4_a_payload_altered_together_with_its_hash_is_not_printed(self):
        other = common.sealed_values(common.payload([common.item(price="4500.00")]))
        altered = replace(facts(), payload=other["payload"], payload_hash=other["payload_hash"])
        with self.assertRaises(PayloadAlteredError):
            invoice_document(altered, ISSUER, Copy(0))

    def test_sfe_1_4_another_number_than_the_signer_gave_is_not_printed(self):
        with self.assertRaises(PayloadAlteredError):
            invoice_document(replace(facts(), fiscal_number="BONO-KIN001-01-000000002"), ISSUER, Copy(0))

    def test_sfe_1_5_only_a_certified_seal_with_every_element_is_an_invoice(self):
        for state in ("to_seal", "sealed", "invalid", "rejected", "unknown", "dead"):
            self.assertFalse(page(state=state).is_fiscal, state)
        for element in ("dgi_code", "dgi_nim", "dgi_counters", "dgi_time", "dgi_qr"):
            self.assertFalse(page(**{element: None}).is_fiscal, element)
        self.assertTrue(page().is_fiscal)

    def test_row_44_a_slip_never_says_facture_nor_shows_the_dgi(self):
        for state in ("to_seal", "sealed", "invalid", "rejected", "unknown", "dead"):
            for code in ("FV", "FT", "FA", "EV", "ET", "EA"):
                view = page(common.payload(invoice_type=code), state=state)
                self.assertEqual(view.heading, "BON PROVISOIRE – NON FISCAL")
                self.assertNotIn(
                    "FACTURE", json.dumps([view.facts, view.subheading, view.marks, view.identity]).upper()
                )
                self.assertIsNone(view.dgi)
                self.assertEqual(view.marks, ("NON FISCAL",))

    def test_row_42_a_slip_says_why_what_is_missing_and_until_when(self):
        provisional = page(state="to_seal").provisional
        self.assertEqual(provisional.reason, "En attente de normalisation")
        self.assertIn("Code DEF/DGI", provisional.missing)
        self.assertEqual(provisional.deadline, "24/11/2026 à 00:30:00")
        self.assertIsNone(page().provisional)

    def test_a_test_document_says_so_on_top_of_everything_else(self):
        self.assertEqual(page(test_mode=True).marks, ("TEST – SANS VALEUR FISCALE",))
        self.assertEqual(page(test_mode=True, copy=2).marks, ("TEST – SANS VALEUR FISCALE", "DUPLICATA N° 2"))

    def test_sfe_1_4_the_page_depends_on_the_seal_alone(self):
        """Every column of the facts that is not evidence only must change something of the page."""
        base = page()
        silent = {"response", "payload", "payload_hash", "state", "fiscal_number"}
        for field in fields(SealFacts):
            if field.name in silent:
                continue
            value = getattr(facts(), field.name)
            changed = {bool: True, int: 77, str: f"9{value}", datetime: datetime(2027, 1, 1)}
            other = changed[type(value)]
            self.assertNotEqual(page(**{field.name: other}), base, field.name)

    def test_the_hash_that_is_checked_is_that_of_the_contract(self):
        seal = facts()
        self.assertEqual(seal.payload_hash, hashlib.sha256(seal.payload.encode("utf-8")).hexdigest())


@tagged("post_install", "-at_install")
class TestReportWords(BaseCase):
    def test_sfe_1_2_q_amounts_in_words(self):
        expected = {
            "0.01": "Zéro franc congolais et un centime",
            "0.71": "Zéro franc congolais et soixante et onze centimes",
            "1.00": "Un franc congolais",
            "1.80": "Un franc congolais et quatre-vingts centimes",
            "2.00": "Deux francs congolais",
            "21.00": "Vingt et un francs congolais",
            "71.00": "Soixante et onze francs congolais",
            "80.00": "Quatre-vingts francs congolais",
            "81.00": "Quatre-vingt-un francs congolais",
            "91.00": "Quatre-vingt-onze francs congolais",
            "100.00": "Cent francs congolais",
            "200.00": "Deux cents francs congolais",
            "201.00": "Deux cent un francs congolais",
            "1000.00": "Mille francs congolais",
            "80000.00": "Quatre-vingt mille francs congolais",
            "200000.00": "Deux cent mille francs congolais",
            "1000000.00": "Un million de francs congolais",
            "1000001.00": "Un million un francs congolais",
            "80000000.00": "Quatre-vingts millions de francs congolais",
            "1500000.00": "Un million cinq cent mille francs congolais",
            "2000000000.00": "Deux milliards de francs congolais",
            "104400.00": "Cent quatre mille quatre cents francs congolais",
            "104400.50": "Cent quatre mille quatre cents francs congolais et cinquante centimes",
            "999999999999999.99": (
                "Neuf cent quatre-vingt-dix-neuf billions neuf cent quatre-vingt-dix-neuf milliards "
                "neuf cent quatre-vingt-dix-neuf millions neuf cent quatre-vingt-dix-neuf mille "
                "neuf cent quatre-vingt-dix-neuf francs congolais et quatre-vingt-dix-neuf centimes"
            ),
        }
        for amount, words in expected.items():
            self.assertEqual(amount_in_words(amount), words)

    def test_other_currencies_have_their_own_words(self):
        self.assertEqual(amount_in_words("45.39", "USD"), "Quarante-cinq dollars américains et trente-neuf cents")
        with self.assertRaises(KeyError):
            amount_in_words("1.00", "XXX")


@tagged("post_install", "-at_install")
class TestReportSheets(BaseCase):
    def test_no_line_is_lost_or_printed_twice_whatever_the_heights(self):
        rng = random.Random(20261121)
        for _round in range(300):
            heights = [rng.choice([10, 20, 45, 130]) for _row in range(rng.randint(1, 90))]
            tail = rng.choice([40, 150, 190])
            sheets = paginate(heights, first=rng.choice([90, 160]), following=200, tail=tail)
            self.assertEqual([index for sheet in sheets for index in sheet], [*range(len(heights))])

    def test_totals_that_fit_beside_no_line_get_a_sheet_of_their_own(self):
        self.assertEqual(paginate([60, 60], first=120, following=200, tail=150), [range(0, 2), range(2, 2)])
        self.assertEqual(paginate([60], first=120, following=200, tail=100), [range(0, 1), range(1, 1)])

    def test_the_last_sheet_has_room_for_the_totals(self):
        rng = random.Random(1)
        for _round in range(300):
            heights = [rng.choice([10, 20, 40]) for _row in range(rng.randint(1, 90))]
            sheets = paginate(heights, first=120, following=200, tail=80)
            room = 120 if len(sheets) == 1 else 200
            self.assertLessEqual(sum(heights[index] for index in sheets[-1]) + 80, room)
