import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { concat, fromHex, sha256, toHex, utf8 } from "@bonopay_pos/core/bytes";
import { canonicalText } from "@bonopay_pos/core/canonical";
import { signedOctets, statementOf, ticketNumber } from "@bonopay_pos/core/ticket";
import { ticketQr } from "@bonopay_pos/core/ticket_qr";
import { useRealCrypto } from "./enrolled_till";
import { VECTORS } from "./ticket_vectors";

/** Signer and till share no code: what both come to is what is published. */

beforeEach(useRealCrypto);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

function publicKey() {
    const body = VECTORS.keys[0].pem.replace(/-----[A-Z ]+-----|\s/g, "");
    const der = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    return crypto.subtle.importKey("spki", der, ALGORITHM, false, ["verify"]);
}

async function verifies(octets, signature) {
    const key = await publicKey();
    return crypto.subtle.verify({ ...ALGORITHM, hash: "SHA-256" }, key, signature, octets);
}

/** What the till is enrolled as, and what it sells, by the members of a statement. */
function told(statement, payload) {
    const till = {
        authority: statement.authority,
        merchantNif: statement.merchant_nif,
        outletId: statement.outlet_id,
        terminal: statement.terminal,
        keyId: statement.key_id,
        credentialId: statement.credential_id,
    };
    const sale = {
        documentId: statement.document_id,
        documentType: statement.document_type,
        issuedAt: statement.issued_at,
        total: statement.total,
        tax: statement.tax,
        payload,
    };
    return [till, sale, statement.counter];
}

describe("the published tickets", () => {
    for (const vector of VECTORS.vectors) {
        test(vector.name, async () => {
            expect(canonicalText(vector.payload)).toBe(vector.canonical);
            const statement = await statementOf(...told(vector.statement, vector.payload));
            expect(statement).toEqual(vector.statement);
            expect(canonicalText(statement)).toBe(vector.statement_canonical);
            const octets = await signedOctets(statement, vector.previous_hash);
            expect(toHex(octets)).toBe(vector.preimage);
            expect(toHex(await sha256(octets))).toBe(vector.ticket_hash);
            const signature = fromHex(vector.signature);
            expect(await verifies(octets, signature)).toBe(true);
            const { outlet_id, terminal, counter } = statement;
            expect(ticketNumber(outlet_id, terminal, counter)).toBe(vector.number);
            const qr = ticketQr(VECTORS.public_url, statement, vector.previous_hash, signature);
            expect(qr).toBe(vector.qr);
        });
    }

    test("a changed ticket does not verify", async () => {
        const [vector] = VECTORS.vectors;
        const signature = fromHex(vector.signature);
        const changed = { ...vector.statement, total: "1.00" };
        expect(await verifies(await signedOctets(changed, vector.previous_hash), signature)).toBe(
            false,
        );
        const entry = concat(
            utf8("bonopay/entry/1\n"),
            fromHex(vector.previous_hash),
            await sha256(utf8(vector.statement_canonical)),
        );
        expect(await verifies(entry, signature)).toBe(false);
    });
});
