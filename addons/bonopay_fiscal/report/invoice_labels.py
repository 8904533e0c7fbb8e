"""The compulsory French words of a printed document, by code (SFE §1.2, §1.12, annexes I and III).

Not those of `core.dgi`, which name what a person chooses today: what is printed are the words of the DGI's tables for
what was sealed, whenever that was.
"""

from . import french_format as fmt

_TAXABLE = "Taxable {rate}"
_EXTERNAL_FUNDS = "TVA marché public à financement extérieur ({rate})"
_TAX_GROUPS = {
    "A": "Exonéré",
    "B": _TAXABLE,
    "C": _TAXABLE,
    "D": "Régimes dérogatoires TVA",
    "E": "Exportation et opérations assimilées",
    "F": _EXTERNAL_FUNDS,
    "G": _EXTERNAL_FUNDS,
    "H": "Consignation/déconsignation d'emballage",
    "I": "Garantie et caution",
    "J": "Débours",
    "K": "Opérations réalisées par les non assujettis",
    "L": "Prélèvements sur ventes",
    "M": "Ventes réglementées avec TVA spécifique",
    "N": "TVA spécifique",
    "O": _TAXABLE,
    "P": _EXTERNAL_FUNDS,
}

CLIENT_TYPES = {
    "PP": "Personne physique",
    "PM": "Personne morale",
    "PC": "Personne physique commerçante",
    "PL": "Profession libérale",
    "AO": "Ambassades et organisations internationales",
}

HEADINGS = {
    "FV": "FACTURE DE VENTE",
    "FT": "FACTURE D'ACOMPTE",
    "FA": "FACTURE D'AVOIR",
    "EV": "FACTURE DE VENTE – EXPORTATION",
    "ET": "FACTURE D'ACOMPTE – EXPORTATION",
    "EA": "FACTURE D'AVOIR – EXPORTATION",
}

TEST_MARK = "TEST – SANS VALEUR FISCALE"
NOT_FISCAL_MARK = "NON FISCAL"
PROVISIONAL_HEADING = "BON PROVISOIRE – NON FISCAL"

# What a slip that is not an invoice says of its operation: never the word that only a normalised one may carry.
OPERATIONS = {
    "FV": "Vente",
    "FT": "Acompte",
    "FA": "Avoir",
    "EV": "Vente à l'exportation",
    "ET": "Acompte à l'exportation",
    "EA": "Avoir à l'exportation",
}

CREDIT_NATURES = {
    "COR": "Correction",
    "RAN": "Annulation",
    "RAM": "Avoir suite reprise",
    "RRR": "RRR – Remise, ristourne, rabais",
}

PRICE_MODES = {
    "ht": ("HT", "Prix hors taxe (HT)"),
    "ttc": ("TTC", "Prix toutes taxes comprises (TTC)"),
}

# state of the seal: (what happens, the way out)
PROVISIONAL_REASONS = {
    "to_seal": ("En attente de normalisation", "Le document attend son envoi. Il part de lui-même."),
    "sealed": ("En attente de normalisation", "Le document est scellé, la réponse de la DGI est attendue."),
    "unknown": (
        "En attente de normalisation",
        "La DGI n'a pas encore répondu. Son résultat est en cours de recherche.",
    ),
    "invalid": ("Données à corriger", "Une règle fiscale n'est pas respectée. Le vendeur corrige, puis renvoie."),
    "rejected": ("Refusé par la DGI", "Le vendeur corrige l'opération, puis établit un nouveau document."),
    "dead": ("Envoi interrompu", "Le vendeur relance la normalisation ou appelle son assistance."),
    "certified": ("Réponse de la DGI incomplète", "Un élément de sécurité manque. Le vendeur appelle son assistance."),
}

# the same of what is not posted, and of what never will be
DRAFT_REASON = ("Brouillon", "Le document n'est pas validé : il peut encore changer.")
CANCELLED_REASON = ("Document annulé", "Il ne sera ni scellé ni normalisé.")

MISSING_ELEMENTS = "Code DEF/DGI, NID, compteurs, heure et QR de la DGI"


def tax_group(code: str, rate: str) -> str:
    """Label of a tax group at the rate that was sealed (SFE §1.2 j): a group keeps its letter when its rate changes.

    >>> tax_group("C", "8").replace(fmt.THIN_SPACE, "_"), tax_group("C", "5").replace(fmt.THIN_SPACE, "_")
    ('Taxable 8_%', 'Taxable 5_%')
    >>> tax_group("A", "0")
    'Exonéré'
    """
    return _TAX_GROUPS[code].format(rate=fmt.percent(rate))
