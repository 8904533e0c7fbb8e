"""The words of the ticket's page, French first."""

WORDS = {
    "fr": {
        "stamp": "Ticket provisoire – non fiscal",
        "awaited": "Facture attendue",
        "awaited_text": (
            "Ce ticket est signé par une caisse de ce vendeur, qui ne l'a pas encore transmis. Ce n'est pas une "
            "facture : le vendeur doit la facture normalisée dans les 48 heures. Vérifier de nouveau plus tard."
        ),
        "received": "Facture attendue",
        "received_text": (
            "Ce ticket est signé par une caisse de ce vendeur et transmis. Ce n'est pas une facture : le vendeur doit "
            "la facture normalisée dans les 48 heures. Vérifier de nouveau plus tard."
        ),
        "overdue": "Facture en retard",
        "overdue_text": (
            "Ce ticket est signé par une caisse de ce vendeur, mais les 48 heures sont passées sans facture "
            "normalisée. La réclamer au vendeur ; à défaut, s'adresser à la DGI."
        ),
        "sealed": "Facture établie, pas encore normalisée",
        "sealed_text": (
            "La vente est scellée, mais la DGI ne l'a pas encore normalisée. Ce ticket n'est pas une facture ; "
            "vérifier la facture elle-même :"
        ),
        "normalised": "La facture normalisée est établie",
        "normalised_text": "Ce ticket n'est pas une facture. La facture normalisée de cette vente se vérifie ici :",
        "rejected": "Facture refusée par la DGI",
        "rejected_text": (
            "La vente est scellée, mais la DGI l'a refusée : il n'y a pas de facture normalisée. S'adresser au vendeur."
        ),
        "differs": "La facture ne correspond pas au ticket",
        "differs_text": (
            "La facture établie pour cette vente n'a pas le total ou le type de ce ticket. S'adresser au vendeur ; à "
            "défaut, à la DGI."
        ),
        "forged": "Ticket non conforme",
        "forged_text": (
            "Aucune caisse enregistrée n'a signé ce ticket. Ne pas s'y fier et s'adresser au vendeur ou à la DGI."
        ),
        "not_found": "Ticket introuvable",
        "not_found_text": "Ce code n'est pas celui d'un ticket provisoire. Le scanner de nouveau.",
        "cloned": "La clé de cette caisse a servi à deux endroits : le vendeur en est averti.",
        "revoked": "Le vendeur n'emploie plus cette caisse.",
        "no_credential": "La caisse n'était pas admise de la façon que ce ticket indique.",
        "outside_counters": "Le numéro de ce ticket n'est pas de ceux qui étaient attribués à la caisse.",
        "after_credential": "Ce ticket est daté d'après la fin de l'admission de la caisse.",
        "signed_twice": "Un autre ticket a été signé pour la même vente : il n'y a qu'une facture pour les deux.",
        "seller": "Vendeur",
        "merchant_nif": "NIF du vendeur",
        "number": "Ticket",
        "total": "Total TTC",
        "tax": "dont TVA",
        "issued_at": "Heure de la caisse",
        "deadline": "Facture due avant le",
        "zone": "(heure de Kinshasa)",
        "invoice": "Facture",
    },
    "en": {
        "stamp": "Provisional ticket – not fiscal",
        "awaited": "Invoice awaited",
        "awaited_text": (
            "This ticket is signed by a till of this seller, which has not sent it yet. It is no invoice: the seller "
            "owes the normalised invoice within 48 hours. Verify again later."
        ),
        "received": "Invoice awaited",
        "received_text": (
            "This ticket is signed by a till of this seller and sent. It is no invoice: the seller owes the normalised "
            "invoice within 48 hours. Verify again later."
        ),
        "overdue": "Invoice overdue",
        "overdue_text": (
            "This ticket is signed by a till of this seller, but the 48 hours are over without a normalised invoice. "
            "Ask the seller for it; failing that, the DGI."
        ),
        "sealed": "Invoice made, not normalised yet",
        "sealed_text": (
            "The sale is sealed, but the DGI has not normalised it yet. This ticket is no invoice; verify the invoice "
            "itself:"
        ),
        "normalised": "The normalised invoice is made",
        "normalised_text": "This ticket is no invoice. The normalised invoice of this sale is verified here:",
        "rejected": "Invoice refused by the DGI",
        "rejected_text": (
            "The sale is sealed, but the DGI refused it: there is no normalised invoice. Ask the seller."
        ),
        "differs": "The invoice does not match the ticket",
        "differs_text": (
            "The invoice that was made for this sale has another total than this ticket, or another type. Ask the "
            "seller; failing that, the DGI."
        ),
        "forged": "Ticket does not hold",
        "forged_text": "No registered till signed this ticket. Do not rely on it; ask the seller or the DGI.",
        "not_found": "No such ticket",
        "not_found_text": "This code is not that of a provisional ticket. Scan it again.",
        "cloned": "The key of this till was used at two places: the seller is told.",
        "revoked": "The seller does not use this till any more.",
        "no_credential": "The till was not admitted in the way that this ticket says.",
        "outside_counters": "The number of this ticket is not one of those given to the till.",
        "after_credential": "This ticket is dated after the till's admission had ended.",
        "signed_twice": "Another ticket was signed for the same sale: there is one invoice for both.",
        "seller": "Seller",
        "merchant_nif": "Seller's NIF",
        "number": "Ticket",
        "total": "Total incl. tax",
        "tax": "of which VAT",
        "issued_at": "Time of the till",
        "deadline": "Invoice due before",
        "zone": "(Kinshasa time)",
        "invoice": "Invoice",
    },
}
