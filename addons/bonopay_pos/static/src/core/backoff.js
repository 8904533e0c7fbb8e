/**
 * @param {number} failures in a row, from 1
 * @param {number} chance from 0 to 1: tills that lost the same server do not come back at the same moment
 * @param {{first: number, most: number}} limits milliseconds
 * @returns {number} milliseconds until the next try: doubling, between a half and the whole of it
 */
export function backoff(failures, chance, { first = 1000, most = 60_000 } = {}) {
    const whole = Math.min(most, first * 2 ** Math.min(failures - 1, 30));
    return Math.round(whole / 2 + (chance * whole) / 2);
}
