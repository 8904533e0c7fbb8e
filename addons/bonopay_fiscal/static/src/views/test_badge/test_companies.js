import { user } from "@web/core/user";
import { session } from "@web/session";

/**
 * Those of the selected companies whose sales have no fiscal value: they have outlets for tests and none that is live.
 *
 * @returns {{id: number, name: string}[]}
 */
export function testCompanies() {
    const inTest = new Set(session.bonopay_test_companies ?? []);
    return user.activeCompanies.filter((company) => inTest.has(company.id));
}
