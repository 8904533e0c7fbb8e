"""Messages on the form of a payload: JSON, members, spellings."""

from .message import Message

JSON = {
    "json.encoding": Message(
        "Le document n'est pas en UTF-8 (octet {actual}). L'encoder en UTF-8.",
        "The document is not UTF-8 (byte {actual}). Encode it as UTF-8.",
    ),
    "json.syntax": Message(
        "Le document n'est pas du JSON (ligne et colonne {actual}). Le produire avec une bibliothèque JSON.",
        "The document is not JSON (line and column {actual}). Produce it with a JSON library.",
    ),
    "json.constant": Message(
        "{actual} n'est pas une valeur JSON. Écrire les nombres comme des chaînes.",
        "{actual} is not a JSON value. Write numbers as strings.",
    ),
    "json.too_deep": Message(
        "Le document est imbriqué trop profondément. Suivre le schéma bonopay.invoice/1.",
        "The document is nested too deeply. Follow the schema bonopay.invoice/1.",
    ),
    "json.duplicate": Message(
        "Le membre « {name} » figure plusieurs fois. Ne le donner qu'une fois.",
        "Member “{name}” is given more than once. Give it once.",
    ),
    "json.not_canonical": Message(
        "Le document ne respecte pas le schéma ({actual}). Suivre le schéma bonopay.invoice/1.",
        "The document breaks the schema ({actual}). Follow the schema bonopay.invoice/1.",
    ),
    "findings.truncated": Message(
        "D'autres fautes suivent. Corriger celles-ci et renvoyer le document.",
        "There are more faults. Correct these and send the document again.",
    ),
}

MEMBERS = {
    "member.missing": Message(
        "Le membre « {name} » manque. Tous les membres sont obligatoires : mettre null si le schéma le permet.",
        "Member “{name}” is missing. Every member is required: give null where the schema allows it.",
    ),
    "member.unknown": Message(
        "Le membre « {name} » n'existe pas dans le schéma. Le retirer ou corriger son nom.",
        "Member “{name}” is not in the schema. Remove it or correct its name.",
    ),
    "type.wrong": Message(
        "Une valeur JSON de type « {expected} » est attendue ici, et non « {actual} ». Corriger le type.",
        "A JSON value of type “{expected}” is expected here, not “{actual}”. Correct the type.",
    ),
    "type.null": Message(
        "Une valeur est obligatoire ici (type « {expected} »). La renseigner.",
        "A value is compulsory here (type “{expected}”). Give it.",
    ),
    "type.number": Message(
        "Un nombre s'écrit ici comme une chaîne, entre guillemets, par exemple « {expected} ».",
        "A number is written as a string here, in quotes, for example “{expected}”.",
    ),
    "code.unknown": Message(
        "« {actual} » n'est pas un code admis. Choisir parmi : {expected}.",
        "“{actual}” is not an accepted code. Choose among: {expected}.",
    ),
}

FORMS = {
    "form.money": Message(
        "Un montant s'écrit avec deux décimales exactement, sans signe ni zéro initial, 15 chiffres au plus avant le "
        "point, par exemple « {expected} ».",
        "An amount has exactly two decimals, no sign, no leading zero and at most 15 digits before the point, "
        "for example “{expected}”.",
    ),
    "form.quantity": Message(
        "Une quantité a trois décimales au plus, sans zéro final ni initial, par exemple « {expected} ».",
        "A quantity has at most three decimals, no trailing or leading zero, for example “{expected}”.",
    ),
    "form.percent": Message(
        "Un taux en pourcentage a deux décimales au plus, sans zéro final, par exemple « {expected} ».",
        "A percentage has at most two decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.rate": Message(
        "Un cours de change a six décimales au plus, sans zéro final, par exemple « {expected} ».",
        "An exchange rate has at most six decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.factor": Message(
        "Une valeur de taxe spécifique a six décimales au plus, sans zéro final, par exemple « {expected} ».",
        "The value of a specific tax has at most six decimals, no trailing zero, for example “{expected}”.",
    ),
    "form.negative": Message(
        "Une valeur n'est jamais négative. Pour corriger une vente, établir une facture d'avoir (FA ou EA) avec des "
        "valeurs positives.",
        "A value is never negative. To correct a sale, issue a credit note (FA or EA) with positive values.",
    ),
    "form.time": Message(
        "La date et l'heure s'écrivent en UTC, à la seconde, et doivent exister, par exemple « {expected} ».",
        "A time is UTC, in whole seconds, and must exist, for example “{expected}”.",
    ),
    "form.date": Message(
        "Une date s'écrit année-mois-jour et doit exister, par exemple « {expected} ».",
        "A date is year-month-day and must exist, for example “{expected}”.",
    ),
    "form.document_id": Message(
        "L'identifiant du document est un UUID en minuscules, par exemple « {expected} ».",
        "The document id is a UUID in lower case, for example “{expected}”.",
    ),
    "form.merchant_nif": Message(
        "Un NIF compte 5 à 20 lettres majuscules et chiffres, sans espace, par exemple « {expected} ».",
        "A NIF has 5 to 20 capital letters and digits, no space, for example “{expected}”.",
    ),
    "form.outlet_id": Message(
        "Le code du point de vente compte 3 à 12 lettres majuscules et chiffres, par exemple « {expected} ».",
        "An outlet id has 3 to 12 capital letters and digits, for example “{expected}”.",
    ),
    "form.fiscal_number": Message(
        "Un numéro fiscal s'écrit comme « {expected} ». Le recopier de la facture d'origine.",
        "A fiscal number is written as “{expected}”. Copy it from the original invoice.",
    ),
    "text.empty": Message(
        "Un texte n'est jamais vide. Le renseigner, ou mettre null si le schéma le permet.",
        "A text is never empty. Give it, or null where the schema allows it.",
    ),
    "text.too_long": Message(
        "Un texte compte 200 caractères au plus ; celui-ci en a {actual}. Le raccourcir.",
        "A text has at most 200 characters; this one has {actual}. Shorten it.",
    ),
    "text.untrimmed": Message(
        "Un texte ne commence ni ne finit par un espace. Retirer les espaces aux extrémités.",
        "A text neither starts nor ends with white space. Trim it.",
    ),
    "text.control": Message(
        "Un texte ne contient ni caractère de contrôle (saut de ligne, tabulation…) ni code Unicode réservé : "
        "{actual}. Le retirer.",
        "A text holds no control character (line feed, tab…) and no reserved Unicode code point: {actual}. Remove it.",
    ),
}
