/**
 * The law's arithmetic (SFE §1.5), as the server has it in `bonopay_fiscal/core/arithmetic.py`: decimal, half up, tax
 * per group and never per line. Whole numbers only: prices, rates and sizes of taxes in millionths, quantities in
 * thousandths, amounts in centimes of a franc, all of them BigInt.
 */

const HUNDRED_PERCENT = 100_000_000n; // in millionths of a percent
const SPECIFIC_VAT_GROUP = "N";

/**
 * The decimal that a float stands for, at most six places, not its binary neighbour.
 *
 * @param {number} number
 * @returns {bigint} millionths: of `1.005`, `1005000n`
 * @throws {RangeError} not finite, or from 1e21 on
 */
export function millionths(number) {
    const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(sixPlaces(number)));
    if (!parts) {
        throw new RangeError(`not a price, a quantity or a rate below 1e21: ${number}`);
    }
    const [, sign, whole, fraction = ""] = parts;
    const size = BigInt(whole + fraction.padEnd(6, "0"));
    return sign ? -size : size;
}

/** The float nearest to six places; what is half way between two goes to the even one, as in Python. */
function sixPlaces(number) {
    // only odd multiples of 1/128 lie half way: they have seven places, and the last is a 5
    if (Math.abs(number * 128) % 2 !== 1) {
        return Number(number.toFixed(6));
    }
    const below = BigInt(number.toFixed(7).replace(".", "")) / 10n;
    const away = number < 0 ? -1n : 1n;
    return Number(`${below % 2n ? below + away : below}e-6`);
}

/** Quotient of two whole numbers to the nearest one, half away from zero (SFE §1.5.2); the divisor is above zero. */
function divide(dividend, divisor) {
    const size = ((dividend < 0n ? -dividend : dividend) * 2n + divisor) / (divisor * 2n);
    return dividend < 0n ? -size : size;
}

/** @param {bigint} quantity in millionths @returns {bigint} thousandths (SFE §1.5.1) */
export function roundQuantity(quantity) {
    return divide(quantity, 1000n);
}

/**
 * Unit price after a discount.
 *
 * @param {bigint} unitPrice in millionths
 * @param {bigint} discount in millionths of a percent
 * @returns {bigint} centimes
 */
export function netUnitPrice(unitPrice, discount) {
    return divide(unitPrice * (HUNDRED_PERCENT - discount), 10_000n * HUNDRED_PERCENT);
}

/** @param {bigint} netPrice in centimes @param {bigint} quantity in thousandths @returns {bigint} centimes */
export function lineAmount(netPrice, quantity) {
    return divide(netPrice * quantity, 1000n);
}

/**
 * A specific tax of a line (SFE §1.13).
 *
 * @param {string} basis `amount`: `value` francs for the line; `quantity`: francs a unit; `percent`: of `line`
 * @param {bigint} value in millionths
 * @param {bigint} quantity in thousandths
 * @param {bigint} line in centimes, without this tax
 * @returns {bigint} centimes
 */
export function specificTaxAmount(basis, value, quantity, line) {
    if (basis === "amount") {
        return divide(value, 10_000n);
    }
    return basis === "quantity"
        ? divide(value * quantity, 10_000_000n)
        : divide(line * value, HUNDRED_PERCENT);
}

/**
 * Amounts of a group from the sums of its lines and specific taxes (SFE §1.5.6–10), all in centimes. A specific tax
 * bears VAT and is never inside the price, also where VAT is.
 *
 * @param {string} code letter of the group
 * @param {bigint} rate in millionths of a percent
 * @param {"ht" | "ttc"} priceMode what the lines are
 * @param {bigint} lines
 * @param {bigint} specific
 * @returns {{ base: bigint, tax: bigint, total: bigint }}
 */
export function groupAmounts(code, rate, priceMode, lines, specific = 0n) {
    if (code === SPECIFIC_VAT_GROUP) {
        return { base: 0n, tax: lines, total: lines };
    }
    const factor = HUNDRED_PERCENT + rate;
    if (priceMode === "ttc") {
        const base = divide(lines * HUNDRED_PERCENT, factor) + specific;
        const total = lines + divide(specific * factor, HUNDRED_PERCENT);
        return { base, tax: total - base, total };
    }
    const base = lines + specific;
    const total = divide(base * factor, HUNDRED_PERCENT);
    return { base, tax: total - base, total };
}
