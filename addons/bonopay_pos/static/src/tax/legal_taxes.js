import { accountTaxHelpers } from "@account/helpers/account_tax";
import { patch } from "@web/core/utils/patch";
import {
    groupAmounts,
    lineAmount,
    millionths,
    netUnitPrice,
    roundQuantity,
    specificTaxAmount,
} from "./arithmetic";
import { spread } from "./spread";

/**
 * The till computes as the law does, for companies with a fiscal outlet (SFE §1.5): what the server's
 * `account_tax_rounding.py` and `account_tax_specific.py` do, in francs, which is all that a till counts in. A base line
 * that follows the law has in its details `bonopay_line_amount` and `bonopay_specific_amount`, in whole centimes.
 */

const SUFFIXES = ["_currency", ""];
const SPECIAL = ["special_mode", "special_type", "filter_tax_function"];

const toCentimes = (francs) => Math.round(francs * 100);
const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

// ------------------------------------------------------------------------------------------------------------------
// One line
// ------------------------------------------------------------------------------------------------------------------

/** Whether a tax is one that the law's arithmetic is for. */
function isLegal(tax) {
    return (
        tax.type_tax_use === "sale" &&
        Boolean(tax.bonopay_group) &&
        ["percent", "division"].includes(tax.amount_type) &&
        !tax.has_negative_factor
    );
}

/** The taxes that a DGI group is for, and the specific ones; groups of taxes count by their parts. */
function splitTaxes(taxes) {
    const parts = accountTaxHelpers.flatten_taxes_and_sort_them(taxes).sorted_taxes;
    const unique = [...new Map(parts.map((tax) => [tax.id, tax])).values()];
    return [
        unique.filter((tax) => !tax.bonopay_specific),
        unique.filter((tax) => tax.bonopay_specific),
    ];
}

/** What the law reckons a base line with: the tax of its group, its specific tax or none; `null` where it does not. */
function legalTaxes(baseLine, company) {
    const inFrancs = baseLine.currency_id.id === company.currency_id.id;
    if (!company.bonopay_active || !inFrancs || SPECIAL.some((key) => baseLine[key])) {
        return null;
    }
    const [ofGroup, specific] = splitTaxes(baseLine.tax_ids);
    if (ofGroup.length !== 1 || specific.length > 1 || !isLegal(ofGroup[0])) {
        return null;
    }
    return { groupTax: ofGroup[0], specificTax: specific[0] };
}

/** Amount of a base line and its specific tax, which has the same sign: centimes, as BigInt. */
function legalAmounts(baseLine, specificTax) {
    const quantity = roundQuantity(millionths(baseLine.quantity));
    const netPrice = netUnitPrice(millionths(baseLine.price_unit), millionths(baseLine.discount));
    const amount = lineAmount(netPrice, quantity);
    if (!specificTax) {
        return { amount, specific: 0n };
    }
    const sizes = [quantity, amount].map((number) => (number < 0n ? -number : number));
    const value = millionths(specificTax.amount);
    const size = specificTaxAmount(specificTax.bonopay_specific, value, ...sizes);
    // what was given away bears its tax as well: that it comes back is in its quantity only
    const isBack = amount ? amount < 0n : baseLine.quantity < 0;
    return { amount, specific: isBack ? -size : size };
}

/** Put a specific tax, so many francs, before the tax of the group, whose base it is part of (SFE §1.5.10). */
function addSpecificTax(baseLine, tax, francs) {
    const details = baseLine.tax_details;
    const [ofGroup] = details.taxes_data;
    const groupTax = ofGroup.tax;
    const { group_per_tax } = accountTaxHelpers.flatten_taxes_and_sort_them(baseLine.tax_ids);
    const ofSpecific = {
        ...ofGroup,
        tax,
        taxes: groupTax.is_base_affected ? [groupTax] : [],
        group: group_per_tax[tax.id],
        batch: [tax],
        price_include: false,
        tax_amount: francs,
    };
    const rate = groupTax.amount / 100;
    for (const suffix of SUFFIXES) {
        ofSpecific[`raw_tax_amount${suffix}`] = francs;
        ofGroup[`raw_base_amount${suffix}`] += francs;
        ofGroup[`raw_tax_amount${suffix}`] += francs * rate;
        details[`raw_total_included${suffix}`] += francs * (1 + rate);
    }
    ofGroup.base_amount += francs;
    ofGroup.tax_amount += francs * rate;
    details.taxes_data = [ofSpecific, ofGroup];
}

// ------------------------------------------------------------------------------------------------------------------
// Rounding, once per group
// ------------------------------------------------------------------------------------------------------------------

/** Base lines that follow the law, and the others. */
function split(baseLines, mode) {
    const isLegalLine = (line) => mode === "mixed" && "bonopay_line_amount" in line.tax_details;
    return [baseLines.filter(isLegalLine), baseLines.filter((line) => !isLegalLine(line))];
}

/**
 * Lines of each DGI group, and the shares of its legal amount in centimes: the articles net of all taxes, the specific
 * taxes, and the tax on both. Prices with and without tax are never added up, nor are sales and returns.
 */
function groupsOf(baseLines) {
    const groups = new Map();
    for (const line of baseLines) {
        const [[tax]] = splitTaxes(line.tax_ids);
        const key = [tax.bonopay_group, tax.amount, tax.price_include, Boolean(line.is_refund)];
        const group = groups.get(key.join()) || { tax, lines: [] };
        groups.set(key.join(), group);
        group.lines.push(line);
    }
    return [...groups.values()].map(({ tax, lines }) => ({ lines, ...sharesOf(tax, lines) }));
}

function sharesOf(tax, lines) {
    const sum = (name) => BigInt(total(lines.map((line) => line.tax_details[name])));
    const specific = sum("bonopay_specific_amount");
    const amounts = groupAmounts(
        tax.bonopay_group,
        millionths(tax.amount),
        tax.price_include ? "ttc" : "ht",
        sum("bonopay_line_amount"),
        specific,
    );
    return {
        net: Number(amounts.base - specific),
        specific: Number(specific),
        tax: Number(amounts.tax),
    };
}

/** Spread the difference between the sum of the parts and the legal amount, in centimes, over the parts. */
function reach(parts, field, target, deltaField = field) {
    const missing = target - total(parts.map((part) => toCentimes(part[field])));
    const weights = parts.map((part) => part[`raw_${field}`]);
    for (const [place, centimes] of spread(missing, weights).entries()) {
        parts[place][deltaField] = (toCentimes(parts[place][deltaField]) + centimes) / 100;
    }
}

function reachTaxes({ lines, net, specific, tax }) {
    const taxesData = lines.flatMap((line) => line.tax_details.taxes_data);
    const ofGroup = taxesData.filter((taxData) => !taxData.tax.bonopay_specific);
    const ofArticles = taxesData.filter((taxData) => taxData.tax.bonopay_specific);
    for (const suffix of SUFFIXES) {
        reach(ofGroup, `tax_amount${suffix}`, tax);
        reach(ofGroup, `base_amount${suffix}`, net + specific);
        reach(ofArticles, `tax_amount${suffix}`, specific);
    }
}

function reachTotals({ lines, net }) {
    const details = lines.map((line) => line.tax_details);
    for (const suffix of SUFFIXES) {
        const name = `total_excluded${suffix}`;
        reach(details, name, net, `delta_${name}`);
        for (const detail of details) {
            const taxes = detail.taxes_data.map((taxData) => taxData[`tax_amount${suffix}`]);
            const amounts = [detail[name], detail[`delta_${name}`], ...taxes];
            detail[`total_included${suffix}`] = total(amounts.map(toCentimes)) / 100;
        }
    }
}

patch(accountTaxHelpers, {
    add_tax_details_in_base_line(base_line, company, options = {}) {
        const legal = legalTaxes(base_line, company);
        if (!legal) {
            return super.add_tax_details_in_base_line(base_line, company, options);
        }
        const { groupTax, specificTax } = legal;
        const { amount, specific } = legalAmounts(base_line, specificTax);
        const asked = {
            ...base_line,
            price_unit: Number(amount) / 100,
            quantity: 1,
            discount: 0,
            rate: 1,
            filter_tax_function: (tax) => tax.id === groupTax.id,
        };
        // the tax of the line stays unrounded: it is rounded with its group
        super.add_tax_details_in_base_line(asked, company, { rounding_method: "round_globally" });
        base_line.tax_details = {
            ...asked.tax_details,
            bonopay_line_amount: Number(amount),
            bonopay_specific_amount: Number(specific),
        };
        if (specificTax) {
            addSpecificTax(base_line, specificTax, Number(specific) / 100);
        }
    },

    round_tax_details_tax_amounts(base_lines, company, { mode = "mixed" } = {}) {
        const [legal, others] = split(base_lines, mode);
        super.round_tax_details_tax_amounts(others, company, { mode });
        groupsOf(legal).forEach(reachTaxes);
    },

    round_tax_details_base_lines(base_lines, company, { mode = "mixed" } = {}) {
        const [legal, others] = split(base_lines, mode);
        super.round_tax_details_base_lines(others, company, { mode });
        groupsOf(legal).forEach(reachTotals);
    },

    eval_tax_amount_fixed_amount(tax, batch, raw_base, evaluation_context) {
        // wherever the law's arithmetic is not asked for, an amount for the line is still not one by unit
        if (tax.bonopay_specific === "amount") {
            return raw_base < 0 ? -tax.amount : tax.amount;
        }
        return super.eval_tax_amount_fixed_amount(tax, batch, raw_base, evaluation_context);
    },
});
