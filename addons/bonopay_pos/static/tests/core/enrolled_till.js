import { after } from "@odoo/hoot";
import { patchWithCleanup } from "@web/../tests/web_test_helpers";
import { openDatabase } from "@bonopay_pos/core/database";
import { deviceOf, keepCredential } from "@bonopay_pos/core/device";

/** HOOT's stand-in for WebCrypto knows no keys of P-256: for this test, the browser's own. */
export function useRealCrypto() {
    const frame = document.createElement("iframe");
    document.head.append(frame);
    after(() => frame.remove());
    patchWithCleanup(crypto, { subtle: frame.contentWindow.crypto.subtle });
}

/** @returns {Promise<IDBDatabase>} one of its own for each test */
export function newDatabase() {
    useRealCrypto();
    return openDatabase(`bonopay-test-${crypto.randomUUID()}`);
}

export function drop(database) {
    database.close();
    indexedDB.deleteDatabase(database.name);
}

/** What the signer gives a till. */
export async function enrol(database) {
    const { keyId } = await deviceOf(database);
    await keepCredential(database, {
        credentialId: 7,
        authority: "BONO-CD-TEST",
        merchantNif: "A1234567B",
        outletId: "KIN001",
        terminal: "T1",
        keyId,
        publicUrl: "https://verify.example.cd",
    });
}

/** A sale as the till commits it. */
export function sale(uuid = crypto.randomUUID()) {
    return {
        uuid,
        documentType: "FV",
        issuedAt: "2026-11-21T08:30:00Z",
        total: "11600.00",
        tax: "1600.00",
        payload: { lines: [{ code: "RIZ", quantity: "1" }] },
        snapshot: { uuid, amount_total: 11600.5 },
    };
}
