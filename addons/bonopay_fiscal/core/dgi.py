"""The DGI's tables, as data (SFE §1.7, §1.12, §1.18, §1.25, annexes I–III).

Labels are legal text: they stay in French wherever they are printed.
"""

#: The currency that the DGI counts in.
CURRENCY = "CDF"

#: Tax groups (SFE §1.12; O and P are served by the e-MCF since). Letter → legal label.
TAX_GROUPS = {
    "A": "Exonéré",
    "B": "Taxable 16 %",
    "C": "Taxable, taux réduit",
    "D": "Régimes dérogatoires TVA",
    "E": "Exportation et opérations assimilées",
    "F": "TVA marché public à financement extérieur (16 %)",
    "G": "TVA marché public à financement extérieur (taux réduit)",
    "H": "Consignation / déconsignation d'emballage",
    "I": "Garantie et caution",
    "J": "Débours",
    "K": "Opérations réalisées par les non-assujettis",
    "L": "Prélèvements sur ventes",
    "M": "Ventes réglementées avec TVA spécifique",
    "N": "TVA spécifique",
    "O": "Taxable 1 %",
    "P": "TVA marché public à financement extérieur (1 %)",
}
#: Groups reserved to items of type TAX (annex II); every other group takes BIE and SER.
LEVY_GROUPS = frozenset("LN")
#: The group whose lines are VAT as a whole (SFE §1.14, §1.5.8).
SPECIFIC_VAT_GROUP = "N"
EXPORT_GROUP = "E"
#: Groups that bear VAT: an export, which is zero-rated, takes none of them.
VAT_GROUPS = frozenset("BCFGNOP")

#: Invoice types (SFE §1.7).
INVOICE_TYPES = {
    "FV": "Facture de vente",
    "FT": "Facture d'acompte ou d'avance",
    "FA": "Facture d'avoir",
    "EV": "Facture de vente à l'exportation",
    "ET": "Facture d'acompte à l'exportation",
    "EA": "Facture d'avoir à l'exportation",
}
CREDIT_TYPES = frozenset({"FA", "EA"})
EXPORT_TYPES = frozenset({"EV", "ET", "EA"})

#: Nature of a credit note (annex III).
CREDIT_NATURES = {
    "COR": "Correction (avant livraison ou paiement)",
    "RAN": "Annulation (ni livraison ni paiement)",
    "RAM": "Avoir suite à reprise (après livraison ou paiement)",
    "RRR": "Remise, ristourne ou rabais",
}
#: The only nature that is tied to no single sale (SFE §1.28).
REBATE_NATURE = "RRR"

#: Client types (annex I).
CLIENT_TYPES = {
    "PP": "Personne physique",
    "PM": "Personne morale",
    "PC": "Personne physique commerçante",
    "PL": "Profession libérale",
    "AO": "Ambassade ou organisation internationale",
}
#: Client types that may not be invoiced without a NIF (annex I).
NIF_CLIENT_TYPES = frozenset({"PM", "PC", "PL"})
#: The client type that may not be invoiced without an exemption reference (annexes I and IV).
EXEMPT_CLIENT_TYPE = "AO"

#: Item types (annex II).
ITEM_TYPES = {"BIE": "Bien", "SER": "Service", "TAX": "Taxes et redevances"}
LEVY_ITEM_TYPE = "TAX"
