"""Every problem the API answers, in one place: status, whether to try again, words in French and English."""

from dataclasses import dataclass

RETRY_AFTER = {503: 5}
"""Seconds after which a client may try again, by the status that says so."""


@dataclass(frozen=True)
class ProblemType:
    code: str
    status: int
    retryable: bool
    title: str
    fr: str
    en: str


_ALL = (
    ProblemType(
        "payload_malformed",
        400,
        False,
        "Malformed payload",
        "Le document ne suit pas le schéma. Corriger les points indiqués et le renvoyer.",
        "The document does not follow the schema. Correct the findings and send it again.",
    ),
    ProblemType(
        "parameter_invalid",
        400,
        False,
        "Invalid parameter",
        "Un paramètre de l'adresse manque ou n'est pas valable. Le corriger selon les points indiqués et "
        "/openapi.json.",
        "A parameter of the address is missing or invalid. Correct it as the findings and /openapi.json say.",
    ),
    ProblemType(
        "unauthorized",
        401,
        False,
        "Unauthorized",
        "La clé d'API manque, est inconnue, expirée ou révoquée. Saisir une clé valide dans la configuration.",
        "The API key is missing, unknown, expired or revoked. Configure a valid key.",
    ),
    ProblemType(
        "forbidden",
        403,
        False,
        "Forbidden",
        "Cette clé d'API ne vaut pas pour ce commerçant, ce point de vente ou cette opération. Vérifier le NIF et le "
        "code du point de vente, ou demander une autre clé.",
        "This API key is not for this merchant, outlet or operation. Check the NIF and the outlet code, or ask for "
        "another key.",
    ),
    ProblemType(
        "not_found",
        404,
        False,
        "Not found",
        "Introuvable. Vérifier l'adresse et le numéro.",
        "Not found. Check the address and the number.",
    ),
    ProblemType(
        "method_not_allowed",
        405,
        False,
        "Method not allowed",
        "Cette adresse n'accepte pas cette méthode. Se reporter à /openapi.json.",
        "This address does not take this method. See /openapi.json.",
    ),
    ProblemType(
        "document_conflict",
        409,
        False,
        "Document conflict",
        "Ce document est déjà scellé avec un autre contenu. Établir une facture d'avoir, ou un nouveau document.",
        "This document is sealed already with other content. Issue a credit note, or a new document.",
    ),
    ProblemType(
        "till_conflict",
        409,
        False,
        "Till conflict",
        "Cette caisse ne peut pas être enregistrée ainsi. Suivre l'indication, ou révoquer la caisse et en enregistrer "
        "une autre.",
        "This till cannot be enrolled like this. Follow the detail, or revoke the till and enrol another.",
    ),
    ProblemType(
        "too_large",
        413,
        False,
        "Payload too large",
        "La requête dépasse la taille admise : 1 Mio par facture, 8 Mio par lot. La répartir sur plusieurs envois.",
        "The request is above the size allowed: 1 MiB an invoice, 8 MiB a batch. Split it over several requests.",
    ),
    ProblemType(
        "payload_invalid",
        422,
        False,
        "Invalid invoice",
        "La facture ne respecte pas la réglementation. Corriger les points indiqués et envoyer un nouveau document.",
        "The invoice breaks a rule of the law. Correct the findings and send it under a new document id.",
    ),
    ProblemType(
        "dgi_refused",
        422,
        False,
        "Refused by the DGI",
        "La DGI a refusé la facture ; rien n'est scellé. Corriger selon son message et envoyer un nouveau document.",
        "The DGI refused the invoice; nothing is sealed. Correct it as its words say and send a new document.",
    ),
    ProblemType(
        "dgi_totals_differ",
        422,
        False,
        "Totals differ from the DGI's",
        "Les totaux calculés par la DGI diffèrent ; rien n'est scellé. Actualiser les taux, recalculer la facture et "
        "envoyer un nouveau document.",
        "The DGI computes other totals; nothing is sealed. Refresh the rates, compute the invoice again and send a new "
        "document.",
    ),
    ProblemType(
        "rate_limited",
        429,
        True,
        "Too many requests",
        "Trop de requêtes en peu de temps ; rien n'est scellé. Renvoyer le même document après le délai indiqué.",
        "Too many requests in a short time; nothing is sealed. Send the same document again after the given delay.",
    ),
    ProblemType(
        "dgi_unreachable",
        503,
        True,
        "DGI unreachable",
        "La DGI ne répond pas ; rien n'est scellé. Le même document sera renvoyé plus tard.",
        "The DGI does not answer; nothing is sealed. Send the same document again later.",
    ),
    ProblemType(
        "hsm_unavailable",
        503,
        True,
        "Signature unavailable",
        "Le module de signature ne répond pas ; rien n'est scellé. Le même document sera renvoyé plus tard.",
        "The signing token does not answer; nothing is sealed. Send the same document again later.",
    ),
    ProblemType(
        "ledger_unavailable",
        503,
        True,
        "Ledger unavailable",
        "Le registre ne répond pas. Renvoyer le même document plus tard : il ne sera scellé qu'une fois.",
        "The ledger does not answer. Send the same document again later: it will be sealed once.",
    ),
    ProblemType(
        "overloaded",
        503,
        True,
        "Too many documents wait",
        "Trop de documents attendent ; rien n'est scellé. Le même document sera renvoyé dans quelques secondes.",
        "Too many documents wait; nothing is sealed. Send the same document again in a few seconds.",
    ),
    ProblemType(
        "clock_behind",
        503,
        True,
        "Clock behind the ledger",
        "L'horloge du service retarde sur la dernière facture scellée ; rien n'est scellé. L'exploitant doit remettre "
        "l'horloge à l'heure (NTP) ; le même document sera renvoyé plus tard.",
        "The service's clock is behind the last sealed invoice; nothing is sealed. The operator must set the clock "
        "right (NTP); send the same document again later.",
    ),
    ProblemType(
        "ledger_behind",
        503,
        True,
        "Ledger behind what was answered",
        "Le registre a perdu des factures déjà remises (copie ancienne restaurée) ; rien n'est scellé. L'exploitant "
        "doit restaurer la dernière copie ou ouvrir une nouvelle époque.",
        "The ledger lacks invoices that were answered (an older copy was restored); nothing is sealed. The operator "
        "must restore the newest copy or open a new epoch.",
    ),
    ProblemType(
        "checkpoint_malformed",
        400,
        False,
        "Malformed checkpoint",
        "Ce n'est pas un point de contrôle signé du format C2SP. Rien n'est enregistré.",
        "This is not a signed checkpoint of the C2SP format. Nothing is recorded.",
    ),
    ProblemType(
        "checkpoint_untrusted",
        403,
        False,
        "Untrusted checkpoint",
        "Aucune signature valable d'une clé connue ne figure sur ce point de contrôle. Rien n'est enregistré.",
        "No valid signature of a known key is on this checkpoint. Nothing is recorded.",
    ),
    ProblemType(
        "checkpoint_forked",
        409,
        False,
        "Another checkpoint of this size was published",
        "Un autre point de contrôle de cette taille est publié : deux histoires du registre ont été signées. Conserver "
        "les deux et prévenir l'administration fiscale.",
        "Another checkpoint of this size is published: two histories of the ledger were signed. Keep both and tell the "
        "tax authority.",
    ),
    ProblemType(
        "proof_invalid",
        422,
        False,
        "Invalid proof",
        "La preuve ne montre pas que le journal prolonge ce qui a été cosigné. Rien n'est cosigné.",
        "The proof does not show that the log extends what was cosigned. Nothing is cosigned.",
    ),
    ProblemType(
        "log_behind",
        503,
        True,
        "Not in a checkpoint yet",
        "Cette facture est scellée mais attend le prochain point de contrôle. Réessayer dans quelques secondes.",
        "This invoice is sealed but waits for the next checkpoint. Try again in a few seconds.",
    ),
    ProblemType(
        "log_contradiction",
        503,
        True,
        "The log contradicts itself",
        "Le registre ne correspond plus à ce qui a été signé : quelqu'un l'a modifié. L'exploitant doit lancer "
        "bonopay-signer verify.",
        "The ledger is no longer what was signed: somebody changed it. The operator must run bonopay-signer verify.",
    ),
    ProblemType(
        "internal_error",
        500,
        True,
        "Internal error",
        "Erreur interne du service. Renvoyer le même document plus tard et prévenir l'exploitant.",
        "Internal error of the service. Send the same document again later and tell the operator.",
    ),
)

PROBLEMS = {problem.code: problem for problem in _ALL}
