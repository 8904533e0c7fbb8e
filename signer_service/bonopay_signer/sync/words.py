"""What an alarm says to people, and what they do about it. Times are UTC."""

from collections.abc import Mapping

from msgspec import Struct


class Words(Struct, frozen=True):
    fr: str
    en: str


_REGULARISE = Words(
    "Rétablir la connexion à la DGI ou le jeton de l'e-MCF ; l'envoi reprend seul. Sinon, contacter l'exploitant.",
    "Restore the connection to the DGI or the e-MCF's token; sending resumes by itself. Otherwise call the operator.",
)
_REPLACE_TOKEN = Words(
    "Demander un nouveau jeton à la DGI, puis : bonopay-signer outlet set-dgi-token.",
    "Ask the DGI for a new token, then: bonopay-signer outlet set-dgi-token.",
)
_MEND_MCF_NETWORK = Words(
    "Vérifier le réseau du MCF (carte SIM, câble), puis relancer l'envoi : bonopay-signer outlet restart-sync.",
    "Check the MCF's network (SIM card, cable), then restart the sending: bonopay-signer outlet restart-sync.",
)
_WORDS: Mapping[str, tuple[Words, Words]] = {
    "regularisation_due": (
        Words(
            "La facture {number} attend la DGI depuis {hours} h ; elle doit être régularisée sous 48 h.",
            "Invoice {number} has waited {hours} h for the DGI; it must be regularised within 48 h.",
        ),
        _REGULARISE,
    ),
    "regularisation_due overdue": (
        Words(
            "La facture {number} attend la DGI depuis {hours} h : le délai de régularisation de 48 h est dépassé.",
            "Invoice {number} has waited {hours} h for the DGI: the 48 h of regularisation are over.",
        ),
        Words(
            "Prévenir la DGI du retard, rétablir la connexion ; l'envoi reprend seul, la plus ancienne d'abord.",
            "Tell the DGI of the delay, restore the connection; sending resumes by itself, the oldest first.",
        ),
    ),
    "pending_near_limit": (
        Words(
            "{pending} demandes sont ouvertes à l'e-MCF, qui en admet {limit}.",
            "{pending} requests are open at the e-MCF, which takes {limit}.",
        ),
        Words(
            "Attendre : elles expirent après 2 minutes. Si cela dure, un autre logiciel emploie-t-il ce jeton ?",
            "Wait: they expire after 2 minutes. If it lasts: does another program use this token?",
        ),
    ),
    "documents_rejected": (
        Words(
            "Factures scellées que la DGI a rejetées en {days} jours : {number}.",
            "Sealed invoices that the DGI has rejected in {days} days: {number}.",
        ),
        Words(
            "Ouvrir chacune, lire son motif et la remplacer par une facture corrigée.",
            "Open each, read its reason and replace it by a corrected invoice.",
        ),
    ),
    "token_expiring": (
        Words("Le jeton de l'e-MCF expire le {day} UTC.", "The e-MCF's token expires on {day} UTC."),
        _REPLACE_TOKEN,
    ),
    "token_expired": (
        Words(
            "Le jeton de l'e-MCF a expiré le {day} UTC : rien ne peut plus être certifié.",
            "The e-MCF's token expired on {day} UTC: nothing can be certified any more.",
        ),
        _REPLACE_TOKEN,
    ),
    "token_unreadable": (
        Words(
            "Le jeton de l'e-MCF ne se déchiffre pas avec les clés du service.",
            "The e-MCF's token does not decrypt under the service's keys.",
        ),
        Words(
            "Vérifier le fichier des clés (SECRETS_KEY_FILE), ou enregistrer le jeton de nouveau.",
            "Check the key file (SECRETS_KEY_FILE), or register the token again.",
        ),
    ),
    "dgi_silent": (
        Words("La DGI ne répond plus depuis le {day} UTC.", "The DGI has not answered since {day} UTC."),
        Words(
            "Vérifier la connexion et l'adresse de la DGI. L'envoi reprend seul dès qu'elle répond.",
            "Check the connection and the DGI's address. Sending resumes by itself as soon as it answers.",
        ),
    ),
    "reference_differs": (
        Words(
            "Codes ou taux de la DGI qui ne sont pas ceux du noyau fiscal : {number}.",
            "Codes or rates of the DGI that are not the fiscal core's: {number}.",
        ),
        Words(
            "Lire GET /api/v1/reference et installer la version du service qui a ces tables.",
            "Read GET /api/v1/reference and install the version of the service that has these tables.",
        ),
    ),
    "mcf_silent": (
        Words(
            "Le MCF {nim} n'a pas joint la DGI depuis le {day} ; factures qu'il ne lui a pas transmises : {backlog}.",
            "The MCF {nim} has not reached the DGI since {day}; invoices that it has not sent to it: {backlog}.",
        ),
        _MEND_MCF_NETWORK,
    ),
    "mcf_silent no contact": (
        Words(
            "Le MCF {nim}, enregistré le {day}, n'a fait état d'aucun contact avec la DGI ; factures qu'il ne lui a "
            "pas transmises : {backlog}.",
            "The MCF {nim}, registered on {day}, has told of no contact with the DGI; invoices that it has not sent to "
            "it: {backlog}.",
        ),
        _MEND_MCF_NETWORK,
    ),
    "mcf_silent no answer": (
        Words(
            "Le MCF {nim}, enregistré le {day}, n'a encore rien dit de sa liaison avec la DGI.",
            "The MCF {nim}, registered on {day}, has not told anything of its link to the DGI yet.",
        ),
        Words(
            "Vérifier que le MCF est allumé et branché au port enregistré, puis : bonopay-signer outlet restart-sync.",
            "Check that the MCF is on and connected to its registered port, then: bonopay-signer outlet restart-sync.",
        ),
    ),
    "totals_differ": (
        Words(
            "Factures bloquées en {days} jours, sans être scellées, car la DGI calcule d'autres totaux : {number}.",
            "Invoices blocked in {days} days, without being sealed, as the DGI computes other totals: {number}.",
        ),
        Words(
            "Comparer les deux calculs, montrés ligne par ligne avec chaque facture bloquée ; actualiser les taux, "
            "recalculer la facture et la renvoyer.",
            "Compare both computations, shown line by line with each blocked invoice; refresh the rates, compute the "
            "invoice and send it again.",
        ),
    ),
    "tickets_missing": (
        Words(
            "Tickets provisoires signés par la caisse {tills} et jamais reçus, signalés en {days} jours : {number}.",
            "Provisional tickets that till {tills} signed and that never came, told in {days} days: {number}.",
        ),
        Words(
            "Retrouver ces ventes sur la caisse ou sur papier et les facturer. La lacune reste inscrite au registre.",
            "Find these sales on the till or on paper and invoice them. The gap stays in the ledger.",
        ),
    ),
    "till_cloned": (
        Words(
            "La clé de la caisse {tills} a servi à deux endroits : elle est copiée, ou une ancienne sauvegarde de "
            "l'appareil a été remise en service.",
            "The key of till {tills} was used at two places: it is copied, or an older backup of the device was put "
            "back to work.",
        ),
        Words(
            "Révoquer cette caisse et l'enregistrer de nouveau avec une clé neuve, puis chercher qui emploie la copie.",
            "Revoke this till and enrol it again with a new key, then find out who uses the copy.",
        ),
    ),
}


def words_of(code: str, case: str, values: Mapping[str, object]) -> tuple[Words, Words]:
    """(message, next step) of an alarm. ``case``: its level, or what else tells its words apart."""
    message, next_step = _WORDS.get(f"{code} {case}") or _WORDS[code]
    return Words(message.fr.format(**values), message.en.format(**values)), next_step
