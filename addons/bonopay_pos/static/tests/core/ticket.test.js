import { describe, expect, test } from "@odoo/hoot";
import { toBase32, utf8 } from "@bonopay_pos/core/bytes";
import { canonicalText } from "@bonopay_pos/core/canonical";
import { centimes, money, quantity } from "@bonopay_pos/core/money";
import { ticketQr } from "@bonopay_pos/core/ticket_qr";

describe("canonical form", () => {
    test("members are sorted by UTF-16 code units, as RFC 8785 §3.2.3 shows", () => {
        const members = { "€": 1, "\r": 2, "\ufb33": 3, 1: 4, "😀": 5, "\u0080": 6, ö: 7 };
        expect(canonicalText(members)).toBe(
            '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
        );
    });

    test("what has no canonical form is refused", () => {
        for (const value of [
            0.5,
            NaN,
            undefined,
            2 ** 53,
            "\ud800",
            new Date(),
            () => {},
            { a: undefined },
        ]) {
            expect(() => canonicalText(value)).toThrow(TypeError);
        }
    });
});

describe("amounts", () => {
    test("have two decimals and no sign", () => {
        expect([0, 0.1 + 0.2, 104400, 1.005, 99999999.99].map(money)).toEqual([
            "0.00",
            "0.30",
            "104400.00",
            "1.00",
            "99999999.99",
        ]);
        expect(centimes("104400.05")).toBe(10440005);
        for (const amount of [-1, NaN, Infinity, 1e15]) {
            expect(() => money(amount)).toThrow(RangeError);
        }
        expect(() => centimes("1.5")).toThrow(RangeError);
    });

    test("quantities have three decimals at most and are more than nothing", () => {
        expect([1, 0.5, 2.125, 0.1 + 0.2].map(quantity)).toEqual(["1", "0.5", "2.125", "0.3"]);
        for (const value of [0, -1, 0.0001, NaN, 1e21]) {
            expect(() => quantity(value)).toThrow(RangeError);
        }
    });
});

describe("the QR of a provisional ticket", () => {
    const STATEMENT = {
        v: 1,
        document_type: "FV",
        authority: "BONO-CD-TEST",
        merchant_nif: "A1234567B",
        outlet_id: "KIN001",
        terminal: "T1",
        counter: 300,
        issued_at: "2026-11-21T08:30:00Z",
        total: "104400.00",
        tax: "14400.00",
        document_id: "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11",
        payload_hash: "ab".repeat(32),
        key_id: "0123456789abcdef",
        credential_id: 7,
    };
    const qr = (members = {}) =>
        ticketQr(
            "https://verify.example.cd/",
            { ...STATEMENT, ...members },
            "00".repeat(32),
            new Uint8Array(64),
        );

    test("stays within QR's alphanumeric alphabet and fits a receipt of 58 mm", () => {
        expect(qr()).toMatch(/^HTTPS:\/\/VERIFY\.EXAMPLE\.CD\/P\/[A-Z2-7]+$/);
        // version 14 of a QR, level M: 73 modules, five dots each within the 384 of a 58 mm printer
        expect(qr({ counter: 999999, total: "999999999.99" }).length).toBeLessThan(529);
    });

    test("what has no place in it is refused", () => {
        expect(() => qr({ document_type: "XX" })).toThrow(RangeError);
        expect(() => qr({ outlet_id: "É" })).toThrow(RangeError);
        expect(() => qr({ counter: -1 })).toThrow(RangeError);
    });

    test("base 32 is that of RFC 4648 §10, without padding", () => {
        const vectors = {
            "": "",
            f: "MY",
            fo: "MZXQ",
            foo: "MZXW6",
            foob: "MZXW6YQ",
            foobar: "MZXW6YTBOI",
        };
        for (const [text, expected] of Object.entries(vectors)) {
            expect(toBase32(utf8(text))).toBe(expected);
        }
    });
});
