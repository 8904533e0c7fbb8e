/** Octets and their spellings. Everything here is a `Uint8Array` in and out unless it says otherwise. */

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** @param {string} text @returns {Uint8Array} UTF-8 */
export function utf8(text) {
    return new TextEncoder().encode(text);
}

/** @param {...Uint8Array} parts */
export function concat(...parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let position = 0;
    for (const part of parts) {
        whole.set(part, position);
        position += part.length;
    }
    return whole;
}

/** @param {Uint8Array} bytes @returns {string} lower case */
export function toHex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} hex an even number of hexadecimal digits; throws RangeError otherwise */
export function fromHex(hex) {
    if (!/^(?:[0-9a-f]{2})*$/.test(hex)) {
        throw new RangeError(`not lower-case hexadecimal: ${hex}`);
    }
    return Uint8Array.from({ length: hex.length / 2 }, (_unused, index) =>
        parseInt(hex.slice(index * 2, index * 2 + 2), 16),
    );
}

/** @param {Uint8Array} bytes @returns {string} RFC 4648 §4, with padding */
export function toBase64(bytes) {
    return btoa(String.fromCharCode(...bytes));
}

/** @param {Uint8Array} bytes @returns {string} RFC 4648 §5, without padding */
export function toBase64Url(bytes) {
    return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** @param {Uint8Array} bytes @returns {string} RFC 4648 §6, without padding: within QR's alphanumeric alphabet */
export function toBase32(bytes) {
    let text = "";
    let pending = 0;
    let bits = 0;
    for (const byte of bytes) {
        pending = (pending << 8) | byte;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            text += BASE32[(pending >> bits) & 31];
        }
        pending &= (1 << bits) - 1;
    }
    return bits ? text + BASE32[(pending << (5 - bits)) & 31] : text;
}

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} 32 bytes */
export async function sha256(bytes) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
