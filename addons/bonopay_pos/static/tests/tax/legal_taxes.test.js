import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { accountTaxHelpers } from "@account/helpers/account_tax";
import { allowTranslations } from "@web/../tests/web_test_helpers";
import "@bonopay_pos/tax/legal_taxes";
import { VECTORS } from "./legal_vectors";

// the labels of the summary of an order are translated
beforeEach(allowTranslations);

const CDF = { id: 1, rounding: 0.01, decimal_places: 2 };
const FISCAL = {
    id: 1,
    currency_id: CDF,
    bonopay_active: true,
    tax_calculation_rounding_method: "round_globally",
};
const NOT_FISCAL = { ...FISCAL, bonopay_active: false };

const TAXES = VECTORS.taxes.map((tax) => ({
    ...tax,
    children_tax_ids: [],
    tax_group_id: { id: tax.id, sequence: tax.id, name: String(tax.id) },
}));
const taxOf = (values) =>
    TAXES.find((tax) => Object.entries(values).every(([name, value]) => tax[name] === value));
const TAX_B = taxOf({ bonopay_group: "B", price_include: false });
const TAX_B_TTC = taxOf({ bonopay_group: "B", price_include: true });
const BY_LINE = taxOf({ bonopay_specific: "amount" });

const toCentimes = (francs) => Math.round(francs * 100) + 0;

function baseLine([price_unit, quantity, discount, ...taxes], values = {}) {
    return accountTaxHelpers.prepare_base_line_for_taxes_computation(
        {},
        {
            price_unit,
            quantity,
            discount,
            tax_ids: taxes.filter(Boolean),
            currency_id: CDF,
            rate: 1,
            is_refund: price_unit * quantity < 0,
            ...values,
        },
    );
}

/** What the till does with an order: base lines with their details, and the summary of them. */
function computed(lines, company = FISCAL) {
    accountTaxHelpers.add_tax_details_in_base_lines(lines, company);
    accountTaxHelpers.round_base_lines_tax_details(lines, company);
    const summary = accountTaxHelpers.get_tax_totals_summary(lines, CDF, company);
    return { lines, summary };
}

const order = (lines, company) =>
    computed(
        lines.map((line) => baseLine(line)),
        company,
    );

/** Net amount, all taxes and total of an order, in the currency of the order or of the company; in centimes. */
function totals({ summary }, suffix = "") {
    const names = ["base_amount", "tax_amount", "total_amount"];
    return names.map((name) => toCentimes(summary[`${name}${suffix}`]));
}

/** Net amount, what rounding adds to it, specific tax, tax and total of a line; in centimes. */
function share(line, suffix = "") {
    const details = line.tax_details;
    const ofGroup = details.taxes_data.at(-1);
    const ofSpecific = details.taxes_data.slice(0, -1);
    return [
        details[`total_excluded${suffix}`],
        details[`delta_total_excluded${suffix}`],
        ofSpecific.reduce((sum, taxData) => sum + taxData[`tax_amount${suffix}`], 0),
        ofGroup[`tax_amount${suffix}`],
        details[`total_included${suffix}`],
    ].map(toCentimes);
}

function vectorLines(vector, sign = 1) {
    return vector.lines.map(([price, quantity, discount, tax, specific]) => [
        price,
        sign * quantity,
        discount,
        TAXES[tax - 1],
        TAXES[specific - 1],
    ]);
}

const negated = (numbers) => numbers.map((number) => 0 - number);

describe("the till comes to what the server comes to", () => {
    test("SFE 1.5: totals of random orders are those of the payload, to the centime", () => {
        expect(VECTORS.orders.length).toBe(200);
        for (const vector of VECTORS.orders) {
            const found = order(vectorLines(vector));
            expect(totals(found)).toEqual(vector.totals);
            expect(totals(found, "_currency")).toEqual(vector.totals);
        }
    });

    test("each line is the server's line, to the centime", () => {
        for (const vector of VECTORS.orders) {
            const { lines } = order(vectorLines(vector));
            expect(lines.map((line) => share(line))).toEqual(vector.shares);
            expect(lines.map((line) => share(line, "_currency"))).toEqual(vector.shares);
        }
    });

    test("the order that returns a sale is the sale's mirror image, line by line", () => {
        for (const vector of VECTORS.orders) {
            const found = order(vectorLines(vector, -1));
            expect(totals(found)).toEqual(negated(vector.totals));
            expect(found.lines.map((line) => share(line))).toEqual(vector.shares.map(negated));
        }
    });

    test("base amounts of a group's tax are net amounts and specific taxes", () => {
        for (const vector of VECTORS.orders) {
            const { lines } = order(vectorLines(vector));
            const bases = lines.map((line) => line.tax_details.taxes_data.at(-1).base_amount);
            const [net, tax] = vector.totals;
            const specific = vector.shares.reduce((sum, amounts) => sum + amounts[2], 0);
            const base = toCentimes(bases.reduce((sum, amount) => sum + amount, 0));
            expect([base, tax]).toEqual([net + specific, tax]);
        }
    });
});

describe("worked examples", () => {
    test("a group is rounded once, not by line", () => {
        const ht = order(Array(7).fill([0.33, 1, 0, TAX_B]));
        expect(totals(ht)).toEqual([231, 37, 268]);
        const ttc = order(Array(3).fill([9.99, 1, 0, TAX_B_TTC]));
        expect(totals(ttc)).toEqual([2584, 413, 2997]);
    });

    test("SFE 1.5.10: a specific tax is outside of the price, and VAT is on both", () => {
        const line = [1160, 1, 0, TAX_B_TTC, { ...BY_LINE, amount: 100 }];
        expect(totals(order([line]))).toEqual([100000, 27600, 127600]);
    });

    test("a specific tax is one more tax to Odoo, before the one whose base it is part of", () => {
        const byLine = { ...BY_LINE, amount: 100 };
        const [{ tax_details: details }] = order([[1160, 1, 0, TAX_B_TTC, byLine]]).lines;
        const [ofSpecific, ofGroup] = details.taxes_data;
        expect([ofSpecific.tax, ofSpecific.batch, ofSpecific.taxes]).toEqual([
            byLine,
            [byLine],
            [TAX_B_TTC],
        ]);
        expect([ofSpecific.price_include, ofGroup.price_include]).toEqual([false, true]);
        for (const suffix of ["", "_currency"]) {
            for (const prefix of ["", "raw_"]) {
                const of = (found, name) => toCentimes(found[`${prefix}${name}${suffix}`]);
                expect([of(ofSpecific, "base_amount"), of(ofSpecific, "tax_amount")]).toEqual([
                    100000, 10000,
                ]);
                expect([of(ofGroup, "base_amount"), of(ofGroup, "tax_amount")]).toEqual([
                    110000, 17600,
                ]);
                expect(of(details, "total_included")).toBe(127600);
            }
        }
    });

    test("before it is rounded, a line bears VAT on its specific tax as well", () => {
        const line = baseLine([1000, 1, 0, TAX_B, { ...BY_LINE, amount: 100 }]);
        accountTaxHelpers.add_tax_details_in_base_line(line, FISCAL);
        const ofGroup = line.tax_details.taxes_data[1];
        expect([ofGroup.base_amount, ofGroup.tax_amount].map(toCentimes)).toEqual([110000, 17600]);
    });

    test("both taxes may come as one group of taxes", () => {
        const both = { ...TAX_B, id: 99, amount_type: "group", children_tax_ids: [TAX_B, BY_LINE] };
        expect(totals(order([[1000, 3, 0, both]]))).toEqual([300000, 53800, 353800]);
        expect(order([[1000, 3, 0, both]]).lines[0].tax_details.taxes_data[0].group).toBe(both);
    });

    test("the price of an article alone, without an order, is the law's as well", () => {
        const values = { is_refund: undefined, discount: undefined };
        const line = baseLine([0.125, 3, 0, TAX_B], values);
        expect(share(computed([line]).lines[0])).toEqual([39, 0, 0, 6, 45]);
    });
});

describe("what is not the law's is Odoo's", () => {
    const line = [0.333, 3, 0, TAX_B];

    test("a company without a fiscal outlet", () => {
        expect(totals(order([line]))[0]).toBe(99);
        expect(totals(order([line], NOT_FISCAL))[0]).toBe(100);
    });

    test("taxes that the law does not know, two of a kind on a line, another currency", () => {
        const unknown = [
            { bonopay_group: false },
            { type_tax_use: "purchase" },
            { amount_type: "fixed" },
            { has_negative_factor: true },
        ];
        const others = [
            ...unknown.map((values) => baseLine([0.333, 3, 0, { ...TAX_B, ...values }])),
            baseLine([0.333, 3, 0, TAX_B, { ...TAX_B, id: 98 }]),
            baseLine([0.333, 3, 0, TAX_B, BY_LINE, { ...BY_LINE, id: 96 }]),
            baseLine(line, { currency_id: { ...CDF, id: 2 } }),
            baseLine(line, { special_mode: "total_excluded" }),
        ];
        for (const other of others) {
            expect(totals(computed([other]))[0]).toBe(100);
        }
    });

    test("it stands beside the law's in one order, and changes none of it", () => {
        const other = baseLine([0.333, 3, 0, { ...TAX_B, id: 97, bonopay_group: false }]);
        const { lines } = computed([baseLine(line), other]);
        expect(lines.map((one) => share(one)[0] + share(one)[1])).toEqual([99, 100]);
    });

    test("an amount for the line is not multiplied there either", () => {
        expect(totals(order([[100, 4, 0, TAX_B, BY_LINE]], NOT_FISCAL))).toEqual([
            40000, 12200, 52200,
        ]);
    });
});
