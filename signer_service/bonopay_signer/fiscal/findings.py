"""Findings: one fault each, where it is, what was expected, and how to put it right, in French and English.

Codes are stable: programs branch on them. Messages may improve. `{expected}`, `{actual}` and `{name}` are filled in.
"""

import re
from typing import NamedTuple

from msgspec import Struct

_SURROGATES = re.compile("[\ud800-\udfff]")

MAX_QUOTED = 200
"""Characters of a refused value that a finding repeats."""


class Finding(Struct, frozen=True):
    """One fault. `pointer` is an RFC 6901 pointer into the payload; `message` has the keys `fr` and `en`."""

    pointer: str
    code: str
    message: dict[str, str]
    expected: str | None
    actual: str | None


class Message(NamedTuple):
    """A message template in both languages."""

    fr: str
    en: str


def finding(
    pointer: str, code: str, *, expected: str | None = None, actual: str | None = None, name: str | None = None
) -> Finding:
    """Make the finding of a catalogued `code`; KeyError when the catalogue does not have it."""
    template = CATALOGUE[code]
    expected, actual = quoted(expected), quoted(actual)
    words = {"expected": expected, "actual": actual, "name": quoted(name)}
    message = {"fr": template.fr.format(**words), "en": template.en.format(**words)}
    return Finding(pointer=pointer, code=code, message=message, expected=expected, actual=actual)


def pointer_to(*tokens: str | int) -> str:
    """Return the RFC 6901 pointer of a path; an endless or unencodable member name is shown as `quoted` does."""
    return "".join("/" + quoted(str(token)).replace("~", "~0").replace("/", "~1") for token in tokens)


def quoted(value: str | None) -> str | None:
    """Return `value` short and encodable, so that a finding can always be sent."""
    if value is None:
        return None
    shown = _encodable(value[: MAX_QUOTED + 1])
    return shown if len(shown) <= MAX_QUOTED else shown[:MAX_QUOTED] + "…"


def _encodable(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


_JSON = {
    "json.encoding": Message(
        "Le document n'est pas en UTF-8 (octet {actual}). L'encoder en UTF-8.",
        "The document is not UTF-8 (byte {actual}). Encode it as UTF-8.",
    ),
    "json.syntax": Message(
        "Le document n'est pas du JSON (ligne et colonne {actual}). Le produire avec une bibliothèque JSON.",
        "The document is not JSON (line and column {actual}). Produce it with a JSON library.",
    ),
    "json.constant": Message(
        "{actual} n'est pas une valeur JSON. Écrire les nombres comme des chaînes.",
        "{actual} is not a JSON value. Write numbers as strings.",
    ),
    "json.too_deep": Message(
        "Le document est imbriqué trop profondément. Suivre le schéma bonopay.invoice/1.",
        "The document is nested too deeply. Follow the schema bonopay.invoice/1.",
    ),
    "json.duplicate": Message(
        "Le membre « {name} » figure plusieurs fois. Ne le donner qu'une fois.",
        "Member “{name}” is given more than once. Give it once.",
    ),
    "json.not_canonical": Message(
        "Le document ne respecte pas le schéma ({actual}). Suivre le schéma bonopay.invoice/1.",
        "The document breaks the schema ({actual}). Follow the schema bonopay.invoice/1.",
    ),
    "findings.truncated": Message(
        "D'autres fautes suivent. Corriger celles-ci et renvoyer le document.",
        "There are more faults. Correct these and send the document again.",
    ),
}

_MEMBERS = {
    "member.missing": Message(
        "Le membre « {name} » manque. Tous les membres sont obligatoires : mettre null si le schéma le permet.",
        "Member “{name}” is missing. Every member is required: give null where the schema allows it.",
    ),
    "member.unknown": Message(
        "Le membre « {name} » n'existe pas dans le schéma. Le retirer ou corriger son nom.",
        "Member “{name}” is not in the schema. Remove it or correct its name.",
    ),
    "type.wrong": Message(
        "Une valeur JSON de type « {expected} » est attendue ici, et non « {actual} ». Corriger le type.",
        "A JSON value of type “{expected}” is expected here, not “{actual}”. Correct the type.",
    ),
    "type.null": Message(
        "Une valeur est obligatoire ici (type « {expected} »). La renseigner.",
        "A value is compulsory here (type “{expected}”). Give it.",
    ),
    "type.number": Message(
        "Un nombre s'écrit ici comme une chaîne, entre guillemets, par exemple « {expected} ».",
        "A number is written as a string here, in quotes, for example “{expected}”.",
    ),
    "code.unknown": Message(
        "« {actual} » n'est pas un code admis. Choisir parmi : {expected}.",
        "“{actual}” is not an accepted code. Choose among: {expected}.",
    ),
}

_FORMS = {
    "form.money": Message(
        "Un montant s'écrit avec deux décimales exactement, sans signe ni zéro initial, 15 chiffres au plus avant le "
        "point, par exemple « {expected} ».",
        "An amount has exactly two decimals, no sign, no leading zero and at most 15 digits before the point, "
        "for example “{expected}”.",
    ),
    "form.quantity": Message(
        "Une quantité a trois décimales au plus, sans zéro final ni initial, par exemple « {expected} ».",
        "A quantity has at most three decimals, no trailing or leading zero, for example “{expected}”.",
    ),
    "form.percent": Message(
        "Un taux en pourcentage a deux décimales au plus, sans zéro final, par exemple « {expected} ».",
        "A percentage has at most two decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.rate": Message(
        "Un cours de change a six décimales au plus, sans zéro final, par exemple « {expected} ».",
        "An exchange rate has at most six decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.factor": Message(
        "Une valeur de taxe spécifique a six décimales au plus, sans zéro final, par exemple « {expected} ».",
        "The value of a specific tax has at most six decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.negative": Message(
        "Une valeur n'est jamais négative. Pour corriger une vente, établir une facture d'avoir (FA ou EA) avec des "
        "valeurs positives.",
        "A value is never negative. To correct a sale, issue a credit note (FA or EA) with positive values.",
    ),
    "form.time": Message(
        "La date et l'heure s'écrivent en UTC, à la seconde, et doivent exister, par exemple « {expected} ».",
        "A time is UTC, in whole seconds, and must exist, for example “{expected}”.",
    ),
    "form.date": Message(
        "Une date s'écrit année-mois-jour et doit exister, par exemple « {expected} ».",
        "A date is year-month-day and must exist, for example “{expected}”.",
    ),
    "form.document_id": Message(
        "L'identifiant du document est un UUID en minuscules, par exemple « {expected} ».",
        "The document id is a UUID in lower case, for example “{expected}”.",
    ),
    "form.merchant_nif": Message(
        "Un NIF compte 5 à 20 lettres majuscules et chiffres, sans espace, par exemple « {expected} ».",
        "A NIF has 5 to 20 capital letters and digits, no space, for example “{expected}”.",
    ),
    "form.outlet_id": Message(
        "Le code du point de vente compte 3 à 12 lettres majuscules et chiffres, par exemple « {expected} ».",
        "An outlet id has 3 to 12 capital letters and digits, for example “{expected}”.",
    ),
    "form.fiscal_number": Message(
        "Un numéro fiscal s'écrit comme « {expected} ». Le recopier de la facture d'origine.",
        "A fiscal number is written as “{expected}”. Copy it from the original invoice.",
    ),
    "text.empty": Message(
        "Un texte n'est jamais vide. Le renseigner, ou mettre null si le schéma le permet.",
        "A text is never empty. Give it, or null where the schema allows it.",
    ),
    "text.too_long": Message(
        "Un texte compte 200 caractères au plus ; celui-ci en a {actual}. Le raccourcir.",
        "A text has at most 200 characters; this one has {actual}. Shorten it.",
    ),
    "text.untrimmed": Message(
        "Un texte ne commence ni ne finit par un espace. Retirer les espaces aux extrémités.",
        "A text neither starts nor ends with white space. Trim it.",
    ),
    "text.control": Message(
        "Un texte ne contient ni caractère de contrôle (saut de ligne, tabulation…) ni code Unicode réservé : "
        "{actual}. Le retirer.",
        "A text holds no control character (line feed, tab…) and no reserved Unicode code point: {actual}. Remove it.",
    ),
}

_ITEMS = {
    "items.empty": Message(
        "Une facture comporte au moins un article. Ajouter une ligne.",
        "An invoice has at least one item. Add a line.",
    ),
    "item.unit_price.zero": Message(
        "Un prix unitaire n'est jamais nul. Retirer la ligne, ou donner son prix.",
        "A unit price is never zero. Remove the line, or give its price.",
    ),
    "item.original_unit_price.zero": Message(
        "Le prix d'origine n'est jamais nul. Donner le prix avant modification, ou mettre null.",
        "The original price is never zero. Give the price before the change, or null.",
    ),
    "item.quantity.zero": Message(
        "Une quantité n'est jamais nulle. Retirer la ligne, ou donner sa quantité.",
        "A quantity is never zero. Remove the line, or give its quantity.",
    ),
    "item.line.zero": Message(
        "Le montant de la ligne (prix × quantité) s'arrondit à 0,00. Retirer la ligne, ou la grouper avec une autre.",
        "The line's amount (price × quantity) rounds to 0.00. Remove the line, or merge it with another.",
    ),
    "item.tax_group.not_allowed": Message(
        "Un article de type {name} ne peut pas être du groupe {actual}. Groupes admis : {expected}.",
        "An item of type {name} cannot be in tax group {actual}. Accepted groups: {expected}.",
    ),
    "item.tax_group.not_in_force": Message(
        "Le groupe de taxation {actual} n'est pas en vigueur à la date de la facture ({name}). En choisir un autre.",
        "Tax group {actual} is not in force on the invoice's date ({name}). Choose another group.",
    ),
    "item.tax_group.export": Message(
        "Une facture d'exportation ({name}) ne porte pas de TVA ; le groupe {actual} en porte. Mettre la ligne au "
        "groupe E, ou établir une facture de vente intérieure.",
        "An export invoice ({name}) carries no VAT; tax group {actual} does. Put the line in group E, or issue a "
        "domestic invoice.",
    ),
    "item.price_change.missing": Message(
        "Un prix d'origine est donné sans motif. Indiquer le motif de la modification de prix, ou retirer le prix "
        "d'origine.",
        "An original price is given without a reason. Give the reason, or remove the original price.",
    ),
    "item.original_unit_price.missing": Message(
        "Un motif de modification de prix est donné sans prix d'origine. Indiquer ce prix, ou retirer le motif.",
        "A price change is given without the original price. Give that price, or remove the reason.",
    ),
    "item.specific_tax.not_allowed": Message(
        "Un article de type TAX ne porte pas de taxe spécifique. Mettre null, ou porter la taxe sur l'article vendu.",
        "An item of type TAX carries no specific tax. Give null, or put the tax on the item sold.",
    ),
    "item.specific_tax.zero": Message(
        "Une taxe spécifique n'est jamais nulle. Mettre null quand il n'y en a pas.",
        "A specific tax is never zero. Give null where there is none.",
    ),
    "item.specific_tax.amount": Message(
        "Le montant de la taxe spécifique est {actual} ; le calcul donne {expected}. Corriger le montant ou la base.",
        "The amount of the specific tax is {actual}; it should be {expected}. Correct the amount or the basis.",
    ),
}

_AMOUNTS = {
    "tax_groups.missing": Message(
        "Le groupe {expected}, utilisé par des articles, manque dans la liste des groupes. L'ajouter.",
        "Tax group {expected}, which items use, is missing from the list of groups. Add it.",
    ),
    "tax_groups.unused": Message(
        "Aucun article n'est du groupe {actual}. Le retirer de la liste des groupes.",
        "No item is in tax group {actual}. Remove it from the list of groups.",
    ),
    "tax_groups.duplicate": Message(
        "Le groupe {actual} figure plusieurs fois. Ne le donner qu'une fois.",
        "Tax group {actual} is listed more than once. List it once.",
    ),
    "tax_groups.order": Message(
        "Les groupes se listent par code croissant : {expected}.",
        "Tax groups are listed by ascending code: {expected}.",
    ),
    "tax_group.rate": Message(
        "Le taux du groupe {name} est {actual} % ; à la date de la facture il est de {expected} %. Appliquer ce taux.",
        "The rate of tax group {name} is {actual} %; on the invoice's date it is {expected} %. Apply that rate.",
    ),
    "tax_group.base": Message(
        "La base du groupe {name} est {actual} ; le calcul donne {expected}. Calculer par groupe (SFE §1.5).",
        "The base of tax group {name} is {actual}; the calculation gives {expected}. Calculate per group (SFE §1.5).",
    ),
    "tax_group.tax": Message(
        "La taxe du groupe {name} est {actual} ; le calcul donne {expected}. Calculer par groupe (SFE §1.5).",
        "The tax of tax group {name} is {actual}; the calculation gives {expected}. Calculate per group (SFE §1.5).",
    ),
    "tax_group.total": Message(
        "Le total du groupe {name} est {actual} ; le calcul donne {expected}. Calculer par groupe (SFE §1.5).",
        "The total of tax group {name} is {actual}; the calculation gives {expected}. Calculate per group (SFE §1.5).",
    ),
    "totals.base": Message(
        "La base totale est {actual} ; la somme des groupes donne {expected}. La corriger.",
        "The total base is {actual}; the groups add up to {expected}. Correct it.",
    ),
    "totals.tax": Message(
        "La taxe totale est {actual} ; la somme des groupes donne {expected}. La corriger.",
        "The total tax is {actual}; the groups add up to {expected}. Correct it.",
    ),
    "totals.specific_tax": Message(
        "Le total des taxes spécifiques est {actual} ; la somme des articles donne {expected}. Le corriger.",
        "The total of specific taxes is {actual}; the items add up to {expected}. Correct it.",
    ),
    "totals.total": Message(
        "Le total est {actual} ; la somme des groupes donne {expected}. Le corriger.",
        "The total is {actual}; the groups add up to {expected}. Correct it.",
    ),
    "totals.zero": Message(
        "Le total d'une facture n'est jamais nul ; la somme des groupes donne {expected}. Le corriger.",
        "The total of an invoice is never zero; the groups add up to {expected}. Correct it.",
    ),
}

_PAYMENTS = {
    "payments.total": Message(
        "Les paiements font {actual} CDF ; le total de la facture est {expected}. Compléter ou corriger les paiements, "
        "CREDIT pour ce qui reste dû.",
        "The payments add up to {actual} CDF; the invoice's total is {expected}. Complete or correct them, with CREDIT "
        "for what is still due.",
    ),
    "payment.amount.zero": Message(
        "Un paiement n'est jamais nul. Le retirer.",
        "A payment is never zero. Remove it.",
    ),
    "payment.rate.missing": Message(
        "Un paiement en {name} indique son cours en CDF. Donner le cours.",
        "A payment in {name} gives its rate in CDF. Give the rate.",
    ),
    "payment.rate.zero": Message(
        "Un cours de change n'est jamais nul. Donner les CDF pour une unité.",
        "An exchange rate is never zero. Give the CDF for one unit.",
    ),
    "payment.rate.unexpected": Message(
        "Un paiement en CDF n'a pas de cours de change. Mettre null.",
        "A payment in CDF has no exchange rate. Give null.",
    ),
    "payment.rate.differs": Message(
        "Le cours du paiement est {actual} ; celui de la facture est {expected}. N'en appliquer qu'un par facture.",
        "The payment's rate is {actual}; the invoice's is {expected}. Apply one rate on an invoice.",
    ),
    "foreign_currency.rate.zero": Message(
        "Un cours de change n'est jamais nul. Donner les CDF pour une unité.",
        "An exchange rate is never zero. Give the CDF for one unit.",
    ),
    "foreign_currency.date.future": Message(
        "Le cours est du {actual}, après la date de la facture ({expected}). Donner le cours en vigueur à cette date.",
        "The rate is of {actual}, after the invoice's date ({expected}). Give the rate in force on that date.",
    ),
}

_CLIENT = {
    "client.name.missing": Message(
        "Le nom du client est obligatoire pour le type {name}. Le renseigner.",
        "The client's name is compulsory for type {name}. Give it.",
    ),
    "client.nif.missing": Message(
        "Le NIF du client est obligatoire pour le type {name}. Le renseigner, ou facturer au type PP si le client ne "
        "demande pas ses données sur la facture.",
        "The client's NIF is compulsory for type {name}. Give it, or invoice as type PP if the client does not ask for "
        "its data on the invoice.",
    ),
    "client.exemption_reference.missing": Message(
        "La référence du titre d'exonération est obligatoire pour le type {name}. La renseigner.",
        "The reference of the exemption certificate is compulsory for type {name}. Give it.",
    ),
    "client.exemption_reference.unexpected": Message(
        "Une référence d'exonération ne concerne que le type AO. Mettre null, ou corriger le type du client.",
        "An exemption reference is for type AO only. Give null, or correct the client's type.",
    ),
    "client.exemption_reference.too_long": Message(
        "La référence d'exonération ne tient pas dans la ligne de commentaire A. La réduire à {expected} caractères.",
        "The exemption reference does not fit comment line A. Reduce it to {expected} characters.",
    ),
    "comments.A.exemption": Message(
        "Pour un client AO, la ligne de commentaire A est « {expected} ». La corriger.",
        "For a client of type AO, comment line A is “{expected}”. Correct it.",
    ),
}

_CREDIT = {
    "credit.missing": Message(
        "Une facture d'avoir ({name}) indique sa nature et la facture d'origine. Renseigner « credit ».",
        "A credit note ({name}) states its nature and the original invoice. Give “credit”.",
    ),
    "credit.unexpected": Message(
        "Seule une facture d'avoir (FA, EA) porte « credit ». Mettre null, ou corriger le type de facture ({name}).",
        "Only a credit note (FA, EA) carries “credit”. Give null, or correct the invoice's type ({name}).",
    ),
    "credit.original_fiscal_number.missing": Message(
        "Un avoir de nature {name} indique le numéro fiscal de la facture d'origine. Le renseigner.",
        "A credit note of nature {name} gives the fiscal number of the original invoice. Give it.",
    ),
    "credit.original_dgi_code.missing": Message(
        "Un avoir de nature {name} indique le code DEF/DGI de la facture d'origine. Le renseigner.",
        "A credit note of nature {name} gives the DEF/DGI code of the original invoice. Give it.",
    ),
    "credit.original.unexpected": Message(
        "Un avoir RRR ne se rapporte pas à une seule facture. Mettre null, ou corriger la nature.",
        "A credit note of nature RRR refers to no single invoice. Give null, or correct the nature.",
    ),
}

CATALOGUE: dict[str, Message] = _JSON | _MEMBERS | _FORMS | _ITEMS | _AMOUNTS | _PAYMENTS | _CLIENT | _CREDIT
"""Every code, with its message templates."""
