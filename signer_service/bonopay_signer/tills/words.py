"""The words of the ticket's page, French first."""

WORDS = {
    "fr": {
        "awaited": "Ticket provisoire, non fiscal",
        "awaited_text": (
            "Signé par une caisse de ce vendeur, qui ne l'a pas encore transmis. Ce n'est pas une facture : le vendeur "
            "doit la facture normalisée dans les 48 heures. Vérifier de nouveau plus tard."
        ),
        "received": "Ticket provisoire, non fiscal",
        "received_text": (
            "Signé par une caisse de ce vendeur et transmis ; la facture normalisée n'est pas encore établie. Le "
            "vendeur la doit dans les 48 heures. Vérifier de nouveau plus tard."
        ),
        "sealed": "La facture de ce ticket est établie",
        "sealed_text": "Ce ticket provisoire n'est pas une facture. La facture de cette vente se vérifie ci-dessous.",
        "forged": "Ticket non conforme",
        "forged_text": (
            "Aucune caisse enregistrée n'a signé ce ticket. Ne pas s'y fier et s'adresser au vendeur ou à la DGI."
        ),
        "not_found": "Ticket introuvable",
        "not_found_text": "Ce code n'est pas celui d'un ticket provisoire. Le scanner de nouveau.",
        "cloned": "La clé de cette caisse a servi à deux endroits : le vendeur en est averti.",
        "seller": "Vendeur",
        "merchant_nif": "NIF du vendeur",
        "number": "Ticket",
        "total": "Total TTC",
        "tax": "dont TVA",
        "issued_at": "Heure de la caisse",
        "zone": "(heure de Kinshasa)",
        "invoice": "Facture",
    },
    "en": {
        "awaited": "Provisional ticket, not fiscal",
        "awaited_text": (
            "Signed by a till of this seller, which has not sent it yet. It is no invoice: the seller owes the "
            "normalised invoice within 48 hours. Check again later."
        ),
        "received": "Provisional ticket, not fiscal",
        "received_text": (
            "Signed by a till of this seller and sent; the normalised invoice is not made yet. The seller owes it "
            "within 48 hours. Check again later."
        ),
        "sealed": "The invoice of this ticket is made",
        "sealed_text": "This provisional ticket is no invoice. The invoice of this sale is verified below.",
        "forged": "Ticket does not hold",
        "forged_text": "No registered till signed this ticket. Do not rely on it; ask the seller or the DGI.",
        "not_found": "No such ticket",
        "not_found_text": "This code is not that of a provisional ticket. Scan it again.",
        "cloned": "The key of this till was used at two places: the seller is told.",
        "seller": "Seller",
        "merchant_nif": "NIF of the seller",
        "number": "Ticket",
        "total": "Total incl. tax",
        "tax": "of which VAT",
        "issued_at": "Time of the till",
        "zone": "(Kinshasa time)",
        "invoice": "Invoice",
    },
}
