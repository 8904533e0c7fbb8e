"""Messages on credit notes, alone and against their original."""

from .message import Message

CREDIT = {
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

AGAINST_ORIGINAL = {
    "credit.original.unknown": Message(
        "Aucune facture ne porte le numéro fiscal {actual}. Recopier celui de la facture d'origine.",
        "No invoice has the fiscal number {actual}. Copy the original invoice's.",
    ),
    "credit.original.is_credit_note": Message(
        "Un avoir ne se corrige pas par un autre avoir (facture d'origine : {actual}). Établir une nouvelle facture de "
        "vente.",
        "A credit note is not corrected by another one (original: {actual}). Issue a new sales invoice.",
    ),
    "credit.original.family": Message(
        "Un avoir {name} corrige une facture {expected}, et non {actual}. Corriger le type de l'avoir ou le numéro de "
        "la facture d'origine.",
        "A credit note {name} corrects an invoice of type {expected}, not {actual}. Correct its type, or the number of "
        "the original.",
    ),
    "credit.original_dgi_code.differs": Message(
        "Le code DEF/DGI {actual} n'est pas celui de la facture d'origine. Indiquer {expected}.",
        "The DEF/DGI code {actual} is not the original invoice's. Give {expected}.",
    ),
    "credit.issued_at.before_original": Message(
        "L'avoir est daté du {actual}, avant la facture d'origine ({expected}). Corriger la date.",
        "The credit note is dated {actual}, before the original invoice ({expected}). Correct the date.",
    ),
    "credit.price_mode.differs": Message(
        "Les prix de l'avoir sont en mode {actual}, ceux de la facture d'origine en mode {expected}. Reprendre le mode "
        "{expected}.",
        "The credit note's prices are in mode {actual}, those of the original in mode {expected}. Use mode {expected}.",
    ),
    "credit.foreign_currency.unexpected": Message(
        "La facture d'origine n'est pas en devise ({actual}). Mettre null.",
        "The original invoice is not in a foreign currency ({actual}). Give null.",
    ),
    "credit.foreign_currency.rate": Message(
        "Le cours de l'avoir est {actual} ; celui de la facture d'origine est {expected}. Reprendre ce dernier.",
        "The credit note's rate is {actual}; the original invoice's is {expected}. Use the latter.",
    ),
    "credit.item.unknown": Message(
        "L'article {actual} ne figure pas sur la facture d'origine. Retirer la ligne, ou corriger le code article.",
        "Item {actual} is not on the original invoice. Remove the line, or correct the item's code.",
    ),
    "credit.item.type": Message(
        "L'article {name} est de type {expected} sur la facture d'origine, et non {actual}. Reprendre ce type.",
        "Item {name} is of type {expected} on the original invoice, not {actual}. Use that type.",
    ),
    "credit.item.tax_group": Message(
        "L'article {name} est du groupe {expected} sur la facture d'origine, et non {actual}. Reprendre ce groupe.",
        "Item {name} is in tax group {expected} on the original invoice, not {actual}. Use that group.",
    ),
    "credit.item.unit_price": Message(
        "Le prix unitaire de l'article {name} est de {expected} sur la facture d'origine, et non de {actual}. "
        "Reprendre ce prix ; pour n'en rembourser qu'une partie, établir un avoir RRR.",
        "The unit price of item {name} is {expected} on the original invoice, not {actual}. Use that price; to refund "
        "only a part of it, issue a credit note of nature RRR.",
    ),
    "credit.item.specific_tax": Message(
        "La taxe spécifique de l'article {name} n'est pas celle de la facture d'origine ({expected}). La reprendre.",
        "The specific tax of item {name} is not the original invoice's ({expected}). Use that one.",
    ),
    "credit.item.quantity.exceeds": Message(
        "L'avoir porte sur {actual} de l'article {name} ; il ne reste que {expected} à créditer sur la facture "
        "d'origine. Réduire la quantité ou retirer la ligne.",
        "The credit note takes back {actual} of item {name}; only {expected} are left to credit on the original "
        "invoice. Reduce the quantity or remove the line.",
    ),
    "credit.item.specific_tax.exceeds": Message(
        "L'avoir porte sur {actual} de taxe spécifique de l'article {name} ; il ne reste que {expected} à créditer sur "
        "la facture d'origine. Mettre null, ou réduire un montant fixe.",
        "The credit note takes back {actual} of the specific tax of item {name}; only {expected} are left to credit on "
        "the original invoice. Give null, or reduce a fixed amount.",
    ),
}
