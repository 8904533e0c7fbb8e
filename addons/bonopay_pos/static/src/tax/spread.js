/** To the nearest whole number, half to the even one, as Python's `round` does. */
function roundHalfEven(number) {
    const below = Math.floor(number);
    const isHalf = number - below === 0.5;
    return isHalf ? below + (below % 2) : Math.round(number);
}

/**
 * Spread what rounding has left over the parts that it is of, the largest first. Odoo does so on both sides, but a half
 * is rounded otherwise in a browser than on the server: this does it as the server, so that lines agree as well.
 *
 * @param {number} centimes a whole number, of either sign
 * @param {number[]} weights of the parts; their signs do not matter
 * @returns {number[]} whole centimes for each part; together they are what was to be spread
 */
export function spread(centimes, weights) {
    const sizes = weights.map(Math.abs);
    const bySize = [...sizes.keys()].sort((one, other) => sizes[other] - sizes[one]);
    const whole = bySize.reduce((sum, place) => sum + sizes[place], 0);
    const all = Math.abs(centimes);
    const sign = Math.sign(centimes);
    const shares = weights.map(() => 0);
    let left = all;
    for (const place of bySize) {
        const factor = whole ? sizes[place] / whole : 1 / sizes.length;
        const share = Math.min(roundHalfEven(factor * all), left);
        shares[place] += sign * share;
        left -= share;
    }
    for (const place of bySize.slice(0, left)) {
        shares[place] += sign;
    }
    return shares;
}
