"""The compulsory French words of a printed invoice that `core.dgi` does not hold, by code (SFE §1.2, annex III)."""

HEADINGS = {
    "FV": "FACTURE DE VENTE",
    "FT": "FACTURE D'ACOMPTE",
    "FA": "FACTURE D'AVOIR",
    "EV": "FACTURE DE VENTE – EXPORTATION",
    "ET": "FACTURE D'ACOMPTE – EXPORTATION",
    "EA": "FACTURE D'AVOIR – EXPORTATION",
}

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

PAYMENT_METHODS = {
    "ESPECES": "Espèces",
    "VIREMENT": "Virement",
    "CARTEBANCAIRE": "Carte bancaire",
    "MOBILEMONEY": "Mobile money",
    "CHEQUES": "Chèque",
    "CREDIT": "Crédit",
    "AUTRE": "Autre",
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

MISSING_ELEMENTS = "Code DEF/DGI, NID, compteurs, heure et QR de la DGI"
