"""Messages on what an invoice says: day, codes, items, amounts, payments, client."""

from .message import Message

DOCUMENT = {
    "issued_at.before_tables": Message(
        "La facture est datée du {actual} ; les tables de la DGI commencent le {expected}. Corriger la date.",
        "The invoice is dated {actual}; the DGI's tables begin on {expected}. Correct the date.",
    ),
    "code.not_in_force": Message(
        "Le code {actual} n'est pas en vigueur à la date de la facture ({name}). Choisir parmi : {expected}.",
        "Code {actual} is not in force on the invoice's date ({name}). Choose among: {expected}.",
    ),
}

ITEMS = {
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

AMOUNTS = {
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
        "Les groupes ne sont pas dans l'ordre. Les lister par code croissant : {expected}.",
        "The tax groups are out of order. List them by ascending code: {expected}.",
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

PAYMENTS = {
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
    "rate.not_of_the_day": Message(
        "Le cours {actual} s'écarte de plus de 1 % du cours moyen du jour. Appliquer un cours de {expected}.",
        "The rate {actual} is more than 1 % away from the average rate of the day. Apply a rate of {expected}.",
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

CLIENT = {
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
