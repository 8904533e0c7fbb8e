"""The pages' words, French first."""

WORDS = {
    "fr": {
        "title": "Vérifier une facture",
        "lead": "Contrôler qu'une facture a bien été scellée, et qu'elle n'a pas été modifiée depuis.",
        "number": "Numéro fiscal",
        "number_hint": "Par exemple BONO-KIN001-01-000000001",
        "code": "Code court",
        "code_hint": "12 caractères imprimés sous le numéro, par exemple 7K3M-9QXD-R2TA",
        "submit": "Vérifier",
        "again": "Vérifier une autre facture",
        "secondary": (
            "Cette page ne remplace pas la vérification de la DGI. Le code QR de la DGI, imprimé en premier sur la "
            "facture, fait foi."
        ),
        "verified": "Facture authentique",
        "verified_text": (
            "Elle est au registre, sa signature est valide et son contenu est intact. Comparer les montants ci-dessous"
            " avec ceux du papier."
        ),
        "mismatch": "Facture non conforme",
        "mismatch_text": (
            "Ce qui est présenté ne correspond pas à ce qui a été scellé. Ne pas s'y fier et s'adresser au vendeur ou "
            "à la DGI."
        ),
        "not_found": "Facture introuvable",
        "not_found_text": (
            "Aucune facture ne correspond à ce numéro et à ce code. Vérifier la saisie ; si elle est exacte, "
            "s'adresser au vendeur ou à la DGI."
        ),
        "waiting": "Scellée, pas encore normalisée",
        "waiting_text": (
            "Le document est au registre et intact, mais la DGI ne l'a pas encore normalisé : ce n'est pas encore une "
            "facture normalisée. Vérifier de nouveau plus tard."
        ),
        "rejected": "Refusée par la DGI",
        "rejected_text": (
            "Le document est au registre et intact, mais la DGI l'a refusé : ce n'est pas une facture normalisée. "
            "S'adresser au vendeur."
        ),
        "seller": "Vendeur",
        "merchant_nif": "NIF du vendeur",
        "document_type": "Type",
        "total": "Total TTC",
        "tax": "dont TVA",
        "sealed_at": "Scellée le",
        "zone": "(heure de Kinshasa)",
        "dgi": "DGI",
        "dgi_code": "Code DEF/DGI",
        "dgi_certified": "Normalisée par la DGI",
        "dgi_pending": "Normalisation par la DGI en cours",
        "dgi_unknown": "Réponse de la DGI attendue",
        "dgi_rejected": "Refusée par la DGI : ce n'est pas une facture normalisée",
        "checks": "Contrôles",
        "check_short_code": "Code court",
        "check_content": "Contenu intact",
        "check_signature": "Signature valide",
        "check_ledger": "Présente au registre",
        "passed": "oui",
        "failed": "non",
        "FV": "Facture de vente",
        "FT": "Facture d'acompte",
        "FA": "Facture d'avoir",
        "EV": "Vente à l'exportation",
        "ET": "Acompte à l'exportation",
        "EA": "Avoir à l'exportation",
    },
    "en": {
        "title": "Verify an invoice",
        "lead": "Check that an invoice was sealed, and that nobody changed it since.",
        "number": "Fiscal number",
        "number_hint": "For example BONO-KIN001-01-000000001",
        "code": "Short code",
        "code_hint": "12 characters printed below the number, for example 7K3M-9QXD-R2TA",
        "submit": "Verify",
        "again": "Verify another invoice",
        "secondary": (
            "This page does not replace the DGI's own verification. The DGI's QR code, printed first on the invoice, "
            "is the one that counts."
        ),
        "verified": "Authentic invoice",
        "verified_text": (
            "It is in the ledger, its signature is valid and its content is intact. Compare the amounts below with "
            "those on paper."
        ),
        "mismatch": "Invoice does not match",
        "mismatch_text": ("What is presented is not what was sealed. Do not rely on it; ask the seller or the DGI."),
        "not_found": "Invoice not found",
        "not_found_text": (
            "No invoice has this number and this code. Check what was typed; if it is right, ask the seller or the DGI."
        ),
        "waiting": "Sealed, not normalised yet",
        "waiting_text": (
            "The document is in the ledger and intact, but the DGI has not normalised it yet: it is not a normalised "
            "invoice so far. Verify again later."
        ),
        "rejected": "Refused by the DGI",
        "rejected_text": (
            "The document is in the ledger and intact, but the DGI refused it: it is not a normalised invoice. "
            "Ask the seller."
        ),
        "seller": "Seller",
        "merchant_nif": "Seller's NIF",
        "document_type": "Type",
        "total": "Total incl. tax",
        "tax": "of which VAT",
        "sealed_at": "Sealed on",
        "zone": "(Kinshasa time)",
        "dgi": "DGI",
        "dgi_code": "DEF/DGI code",
        "dgi_certified": "Normalised by the DGI",
        "dgi_pending": "Normalisation by the DGI under way",
        "dgi_unknown": "Waiting for the DGI's answer",
        "dgi_rejected": "Refused by the DGI: this is not a normalised invoice",
        "checks": "Checks",
        "check_short_code": "Short code",
        "check_content": "Content intact",
        "check_signature": "Signature valid",
        "check_ledger": "In the ledger",
        "passed": "yes",
        "failed": "no",
        "FV": "Sales invoice",
        "FT": "Advance invoice",
        "FA": "Credit note",
        "EV": "Export sale",
        "ET": "Export advance",
        "EA": "Export credit note",
    },
}
