import { advanceTime, animationFrame, describe, expect, test } from "@odoo/hoot";
import {
    contains,
    mockService,
    mountWithCleanup,
    onRpc,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { Component, useState, xml } from "@odoo/owl";
import { user } from "@web/core/user";
import { session } from "@web/session";
import { DgiBanner } from "@bonopay_fiscal/views/dgi_banner/dgi_banner";
import { TestBadge } from "@bonopay_fiscal/views/test_badge/test_badge";
import { testCompanies } from "@bonopay_fiscal/views/test_badge/test_companies";

const ALARM = {
    outlet_id: 7,
    outlet: "[KIN001] Gombe",
    level: "overdue",
    level_words: "Deadline exceeded",
    message: "Three documents wait for more than 48 hours.",
    next_step: "Restore the connection.",
};

/** A screen that is read again, as a list is by each search: the banner gets other props. */
class Screen extends Component {
    static template = xml`<div><DgiBanner list="state.search"/></div>`;
    static components = { DgiBanner };
    static props = { "*": true };

    setup() {
        this.state = useState({ search: 1 });
    }
}

defineMailModels();
describe.current.tags("desktop");

function serverTells(alarms) {
    onRpc("bonopay.outlet", "dgi_banner", () => {
        expect.step("asked");
        return typeof alarms === "function" ? alarms() : alarms;
    });
}

test("urgent alarms stand above the screen, each with its outlet and what to do", async () => {
    serverTells([ALARM, { ...ALARM, level: "warning", next_step: "" }]);
    await mountWithCleanup(Screen);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_bonopay_dgi_banner .alert").toHaveCount(2);
    expect(".alert:eq(0)").toHaveClass("alert-danger");
    expect(".alert:eq(0)").toHaveText(/Deadline exceeded – \[KIN001\] Gombe/);
    expect(".alert:eq(0)").toHaveText(/Restore the connection/);
    expect(".alert:eq(1)").toHaveClass("alert-warning");
});

test("no alarm, no banner", async () => {
    serverTells([]);
    await mountWithCleanup(Screen);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_bonopay_dgi_banner").toHaveCount(0);
});

test("a server that cannot tell leaves the screen alone", async () => {
    serverTells(() => {
        throw new Error("no");
    });
    await mountWithCleanup(Screen);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_bonopay_dgi_banner").toHaveCount(0);
    expect(".o_error_dialog").toHaveCount(0);
});

test("searching again asks again once a minute at most", async () => {
    serverTells([ALARM]);
    const screen = await mountWithCleanup(Screen);
    await animationFrame();
    screen.state.search = 2;
    await animationFrame();
    expect.verifySteps(["asked"]);
    await advanceTime(61000);
    screen.state.search = 3;
    await animationFrame();
    expect.verifySteps(["asked"]);
});

test("the button opens the outlet of the alarm", async () => {
    serverTells([ALARM]);
    mockService("action", {
        doAction(action) {
            expect.step(`${action.res_model} ${action.res_id}`);
        },
    });
    await mountWithCleanup(Screen);
    await animationFrame();
    await contains(".o_bonopay_dgi_banner button").click();
    expect.verifySteps(["asked", "bonopay.outlet 7"]);
});

/** A user who looks at two companies, of which the server says that some are in test. */
function selectCompanies(inTest) {
    patchWithCleanup(session, { bonopay_test_companies: inTest });
    patchWithCleanup(user, {
        get activeCompanies() {
            return [
                { id: 1, name: "Live SARL" },
                { id: 2, name: "Essai SARL" },
            ];
        },
    });
}

test("the screens of a test company say so, beside its alarms", async () => {
    serverTells([ALARM]);
    selectCompanies([2, 3]);
    await mountWithCleanup(Screen);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_bonopay_test_banner").toHaveText(/Essai SARL.*no fiscal value/);
    expect(".o_bonopay_test_banner").not.toHaveText(/Live SARL/);
    expect(".o_bonopay_dgi_banner .alert").toHaveCount(1);
});

test("a live company has no test banner and no badge", async () => {
    serverTells([]);
    selectCompanies([3]);
    await mountWithCleanup(Screen);
    await animationFrame();
    expect.verifySteps(["asked"]);
    expect(".o_bonopay_test_banner").toHaveCount(0);
    expect(testCompanies()).toEqual([]);
});

test("the badge of the menu bar names the test company and leads to its outlets", async () => {
    selectCompanies([2]);
    mockService("action", {
        doAction(action) {
            expect.step(action);
        },
    });
    await mountWithCleanup(TestBadge);
    expect(".o_bonopay_test_badge").toHaveText("TEST");
    expect(".o_bonopay_test_badge").toHaveAttribute("title", "Essai SARL");
    await contains(".o_bonopay_test_badge").click();
    expect.verifySteps(["bonopay_fiscal.bonopay_outlet_action"]);
});
