import { canonicalBytes } from "./canonical";
import { concat, fromHex, sha256, toHex, utf8 } from "./bytes";

/**
 * What a till signs of a sale, and how its sales are chained (docs/contracts.md §7):
 *
 *     ticket_hash = SHA-256( "bonopay/ticket/1\n" ‖ previous_hash ‖ SHA-256(statement) )
 *     signature   = ECDSA P-256 over ticket_hash, 64 bytes r‖s
 *
 * The same shape as an entry of the signer's ledger, under another domain: neither can be taken for the other.
 */

const TICKET_DOMAIN = utf8("bonopay/ticket/1\n");
export const ZERO_HASH = "0".repeat(64);

/**
 * @param {string} outletId
 * @param {string} terminal the till's short name, unique in its outlet
 * @param {number} counter from 1
 * @returns {string} `P-KIN001-T1-000123`: "P" as in provisional, for no legal number begins so
 */
export function ticketNumber(outletId, terminal, counter) {
    return `P-${outletId}-${terminal}-${String(counter).padStart(6, "0")}`;
}

/**
 * @param {Object} till {authority, merchantNif, outletId, terminal, keyId, credentialId}
 * @param {Object} sale {documentId, documentType, issuedAt (UTC, whole seconds), total, tax, payload}
 * @param {number} counter
 * @returns {Promise<Object>} the statement's members; `payload_hash` covers the sale in full
 */
export async function statementOf(till, sale, counter) {
    return {
        v: 1,
        kind: "provisional",
        authority: till.authority,
        merchant_nif: till.merchantNif,
        outlet_id: till.outletId,
        terminal: till.terminal,
        counter,
        document_id: sale.documentId,
        document_type: sale.documentType,
        issued_at: sale.issuedAt,
        total: sale.total,
        tax: sale.tax,
        currency: "CDF",
        payload_hash: toHex(await sha256(canonicalBytes(sale.payload))),
        key_id: till.keyId,
        credential_id: till.credentialId,
    };
}

/**
 * @param {Object} statement
 * @param {string} previousHash 64 hexadecimal digits
 * @returns {Promise<Uint8Array>} the octets that are signed; their SHA-256 is the ticket's hash
 */
export async function signedOctets(statement, previousHash) {
    return concat(TICKET_DOMAIN, fromHex(previousHash), await sha256(canonicalBytes(statement)));
}
