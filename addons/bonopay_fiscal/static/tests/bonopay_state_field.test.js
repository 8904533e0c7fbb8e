import { describe, expect, test } from "@odoo/hoot";
import { defineModels, fields, models, mountView } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { colorOfState } from "@bonopay_fiscal/views/bonopay_state/state_color";

class Invoice extends models.Model {
    _name = "invoice";

    name = fields.Char();
    status = fields.Selection({
        selection: [
            ["to_seal", "Waiting to be sealed"],
            ["certified", "Normalised invoice"],
            ["dead", "Blocked: needs attention"],
        ],
    });

    _records = [
        { id: 1, name: "waiting", status: "to_seal" },
        { id: 2, name: "normalised", status: "certified" },
        { id: 3, name: "blocked", status: "dead" },
        { id: 4, name: "draft", status: false },
    ];
}

defineMailModels();
defineModels([Invoice]);
describe.current.tags("desktop");

test("only a normalised invoice is green", () => {
    expect(colorOfState("certified")).toBe("success");
    for (const state of ["to_seal", "sealed", "unknown", "invalid", "rejected", "dead"]) {
        expect(colorOfState(state)).not.toBe("success");
    }
});

test("what needs a person is red, and an unknown state has no colour of its own", () => {
    for (const state of ["invalid", "rejected", "dead"]) {
        expect(colorOfState(state)).toBe("danger");
    }
    expect(colorOfState(false)).toBe("secondary");
    expect(colorOfState("of a later version")).toBe("secondary");
});

test("the badge carries the words of the state, and none without a state", async () => {
    await mountView({
        type: "list",
        resModel: "invoice",
        arch: `<list><field name="name"/><field name="status" widget="bonopay_state"/></list>`,
    });
    expect(".o_data_row:eq(0) .badge").toHaveText("Waiting to be sealed");
    expect(".o_data_row:eq(0) .badge").toHaveClass("text-bg-warning");
    expect(".o_data_row:eq(1) .badge").toHaveText("Normalised invoice");
    expect(".o_data_row:eq(1) .badge").toHaveClass("text-bg-success");
    expect(".o_data_row:eq(2) .badge").toHaveClass("text-bg-danger");
    expect(".o_data_row:eq(3) .badge").toHaveCount(0);
});
