"""Every problem the API answers, in one place: status, whether to try again, words in French and English."""

from dataclasses import dataclass

RETRY_AFTER_SECONDS = 5


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
        "too_large",
        413,
        False,
        "Payload too large",
        "Le document dépasse 1 Mio. Le répartir sur plusieurs factures.",
        "The document is above 1 MiB. Split it into several invoices.",
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
        "internal_error",
        500,
        True,
        "Internal error",
        "Erreur interne du service. Renvoyer le même document plus tard et prévenir l'exploitant.",
        "Internal error of the service. Send the same document again later and tell the operator.",
    ),
)

PROBLEMS = {problem.code: problem for problem in _ALL}
