import { utf8 } from "./bytes";

/**
 * The canonical bytes of a value (RFC 8785), for the values that contracts of ours hold: objects, arrays, texts, whole
 * numbers, booleans and null. Amounts are texts, so no other number has a spelling here.
 *
 * @param {any} value
 * @returns {Uint8Array}
 * @throws {TypeError} for what has no canonical form: a fraction, `undefined`, half of a surrogate pair
 */
export function canonicalBytes(value) {
    return utf8(canonicalText(value));
}

/** @param {any} value @returns {string} */
export function canonicalText(value) {
    if (value === null || typeof value === "boolean") {
        return String(value);
    }
    if (typeof value === "string") {
        return quoted(value);
    }
    if (Number.isSafeInteger(value)) {
        return String(value);
    }
    if (Array.isArray(value)) {
        return `[${value.map(canonicalText).join(",")}]`;
    }
    if (value && Object.getPrototypeOf(value) === Object.prototype) {
        // the default order of JavaScript's sort is that of UTF-16 code units, which RFC 8785 §3.2.3 asks for
        const members = Object.keys(value).sort();
        return `{${members.map((name) => `${quoted(name)}:${canonicalText(value[name])}`).join(",")}}`;
    }
    throw new TypeError(`no canonical form: ${typeof value} ${value}`);
}

function quoted(text) {
    if (!text.isWellFormed()) {
        throw new TypeError("no canonical form: a text with half of a surrogate pair");
    }
    return JSON.stringify(text);
}
