/**
 * Decimal texts of amounts, as contracts spell them. Odoo's till counts in binary fractions: an amount is turned into
 * whole centimes once, and from there on nothing is rounded.
 */

/**
 * @param {number} amount of a currency with two decimals
 * @returns {string} two decimals, no sign: `"104400.00"`
 * @throws {RangeError} below zero, not finite, or too large to be exact
 */
export function money(amount) {
    const centimes = Math.round(amount * 100);
    if (!(centimes >= 0) || !Number.isSafeInteger(centimes)) {
        throw new RangeError(`not an amount: ${amount}`);
    }
    return `${Math.floor(centimes / 100)}.${String(centimes % 100).padStart(2, "0")}`;
}

/** @param {string} text as {@link money} gives @returns {number} whole centimes */
export function centimes(text) {
    const parts = /^(\d+)\.(\d\d)$/.exec(text);
    if (!parts) {
        throw new RangeError(`not an amount: ${text}`);
    }
    return Number(parts[1]) * 100 + Number(parts[2]);
}

/**
 * @param {number} value more than zero
 * @returns {string} at most three decimals, no trailing zero: `"0.5"`
 * @throws {RangeError} for what is not more than zero when so rounded
 */
export function quantity(value) {
    const text = String(Math.round(value * 1000) / 1000);
    if (!(value > 0) || !/^\d+(\.\d+)?$/.test(text) || text === "0") {
        throw new RangeError(`not a quantity: ${value}`);
    }
    return text;
}
