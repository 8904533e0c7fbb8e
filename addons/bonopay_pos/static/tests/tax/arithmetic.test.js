import { describe, expect, test } from "@odoo/hoot";
import {
    groupAmounts,
    lineAmount,
    millionths,
    netUnitPrice,
    roundQuantity,
    specificTaxAmount,
} from "@bonopay_pos/tax/arithmetic";
import { spread } from "@bonopay_pos/tax/spread";
import { VECTORS } from "./legal_vectors";

/** Vectors whose last members are not what `found` gives for the ones before, with what it gives. */
function wrong(vectors, count, found) {
    return vectors
        .map((vector) => [vector, found(...vector.slice(0, -count)).map(Number)])
        .filter(([vector, numbers]) => String(vector.slice(-count)) !== String(numbers));
}

describe("the law's arithmetic is the server's", () => {
    test("a float is read as the decimal that it stands for", () => {
        expect(VECTORS.numbers.length).toBe(302);
        for (const [number, text] of VECTORS.numbers) {
            expect(String(millionths(number))).toBe(text);
        }
    });

    test("SFE 1.5.1–1.5.5: price after discount, quantity and line are rounded half up", () => {
        expect(VECTORS.lines.length).toBe(1015);
        const found = (price, sold, discount) => {
            const net = netUnitPrice(millionths(price), millionths(discount));
            return [net, lineAmount(net, roundQuantity(millionths(sold)))];
        };
        expect(wrong(VECTORS.lines, 2, found)).toEqual([]);
    });

    test("SFE 1.13: a specific tax is an amount, by quantity or a percentage", () => {
        expect(VECTORS.specific_taxes.length).toBe(400);
        const found = (basis, value, sold, line) => [
            specificTaxAmount(
                basis,
                millionths(value),
                roundQuantity(millionths(sold)),
                BigInt(line),
            ),
        ];
        expect(wrong(VECTORS.specific_taxes, 1, found)).toEqual([]);
    });

    test("SFE 1.5.6–1.5.10: base, tax and total of a group", () => {
        expect(VECTORS.groups.length).toBe(611);
        const found = (code, rate, mode, lines, specific) =>
            Object.values(
                groupAmounts(code, millionths(rate), mode, BigInt(lines), BigInt(specific)),
            );
        expect(wrong(VECTORS.groups, 3, found)).toEqual([]);
    });

    test("what rounding leaves over goes to the parts that the server gives it to", () => {
        expect(VECTORS.spreads.length).toBe(200);
        const found = (centimes, weights) => [spread(centimes, weights)];
        for (const [centimes, weights, shares] of VECTORS.spreads) {
            expect(found(centimes, weights)).toEqual([shares]);
        }
    });
});

describe("what the vectors cannot say", () => {
    test("a number that is none is refused by name", () => {
        for (const number of [NaN, Infinity, -Infinity, 1e21]) {
            expect(() => millionths(number)).toThrow(RangeError);
        }
        expect(() => millionths(NaN)).toThrow(/quantity or a rate below 1e21: NaN/);
    });

    test("nothing is left over when nothing was to be spread, and no part takes nothing", () => {
        expect(spread(0, [1, 2])).toEqual([0, 0]);
        expect(spread(5, [])).toEqual([]);
    });
});
