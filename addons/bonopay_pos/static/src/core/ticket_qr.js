import { concat, fromHex, toBase32, utf8 } from "./bytes";
import { centimes } from "./money";

/**
 * The QR of a provisional ticket: `<PUBLIC URL>/P/<base32>`, upper case (docs/contracts.md §7). It holds the whole
 * statement, the previous hash and the signature: whoever has the published keys of the tills checks it without a
 * network. Numbers and texts are spelt as in the QR of a sealed document.
 */

const VERSION = 1;
const DOCUMENT_TYPES = ["FV", "FT", "FA", "EV", "ET", "EA"];
const PUBLIC_URL = /^HTTPS?:\/\/[0-9A-Z$%*+\-./:]+$/;

/**
 * @param {string} publicUrl the signer's public address
 * @param {Object} statement as {@link statementOf} gives
 * @param {string} previousHash hexadecimal
 * @param {Uint8Array} signature 64 octets
 * @returns {string}
 * @throws {RangeError} when the address or a member has no place in it
 */
export function ticketQr(publicUrl, statement, previousHash, signature) {
    const url = publicUrl.toUpperCase().replace(/\/+$/, "");
    if (!PUBLIC_URL.test(url)) {
        throw new RangeError(
            `not an http(s) address within QR's alphanumeric alphabet: ${publicUrl}`,
        );
    }
    if (signature.length !== 64) {
        throw new RangeError(`a signature has 64 octets, not ${signature.length}`);
    }
    return `${url}/P/${toBase32(concat(octetsOf(statement), fromHex(previousHash), signature))}`;
}

function octetsOf(statement) {
    return concat(
        Uint8Array.of(VERSION, documentType(statement.document_type)),
        text(statement.authority),
        text(statement.merchant_nif),
        text(statement.outlet_id),
        text(statement.terminal),
        varint(statement.counter),
        varint(Date.parse(statement.issued_at) / 1000),
        varint(centimes(statement.total)),
        varint(centimes(statement.tax)),
        fromHex(statement.document_id.replaceAll("-", "")),
        fromHex(statement.payload_hash),
        fromHex(statement.key_id),
        varint(statement.credential_id),
    );
}

function documentType(code) {
    const index = DOCUMENT_TYPES.indexOf(code);
    if (index < 0) {
        throw new RangeError(`not a type of invoice: ${code}`);
    }
    return index + 1;
}

function text(value) {
    const octets = utf8(value);
    if (octets.length > 255 || octets.some((octet) => octet > 127)) {
        throw new RangeError(`a text of a QR is ASCII, 255 at most: ${value}`);
    }
    return concat(Uint8Array.of(octets.length), octets);
}

/** Base 128, least significant group first. Beyond 2^31 the bit operators of JavaScript would lose what is above. */
function varint(value) {
    if (!Number.isSafeInteger(value) || value < 0) {
        throw new RangeError(`not a whole number from 0 on: ${value}`);
    }
    const octets = [];
    let rest = value;
    while (rest >= 128) {
        octets.push((rest % 128) + 128);
        rest = Math.floor(rest / 128);
    }
    return Uint8Array.from([...octets, rest]);
}
