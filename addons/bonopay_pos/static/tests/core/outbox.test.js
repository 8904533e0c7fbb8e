import { afterEach, beforeEach, describe, expect, test } from "@odoo/hoot";
import { fromHex, sha256, toHex } from "@bonopay_pos/core/bytes";
import { openDatabase, transact, answerTo } from "@bonopay_pos/core/database";
import { deviceOf, keepCredential } from "@bonopay_pos/core/device";
import { COMMITTED, NotEnrolledError, Outbox, POSTED, SEALED } from "@bonopay_pos/core/outbox";
import { signedOctets } from "@bonopay_pos/core/ticket";
import { drop, enrol, newDatabase, sale } from "./enrolled_till";

const DAY = 86_400_000;
let database, outbox, clock;

beforeEach(async () => {
    database = await newDatabase();
    clock = Date.UTC(2026, 10, 21, 8, 30);
    outbox = new Outbox(database, () => clock);
});

afterEach(() => drop(database));

describe("the chain of a till", () => {
    test("sales are numbered, chained and signed by the till's key", async () => {
        await enrol(database);
        const first = await outbox.commit(sale());
        const second = await outbox.commit(sale());
        expect([first.ticket, second.ticket]).toEqual(["P-KIN001-T1-000001", "P-KIN001-T1-000002"]);
        expect(first.previousHash).toBe("0".repeat(64));
        expect(second.previousHash).toBe(first.hash);
        const octets = await signedOctets(second.statement, first.hash);
        expect(toHex(await sha256(octets))).toBe(second.hash);
        const { publicKey } = await deviceOf(database);
        const key = await crypto.subtle.importKey(
            "spki",
            Uint8Array.from(atob(publicKey), (character) => character.charCodeAt(0)),
            { name: "ECDSA", namedCurve: "P-256" },
            true,
            ["verify"],
        );
        const signature = Uint8Array.from(
            atob(second.signature.replace(/-/g, "+").replace(/_/g, "/")),
            (character) => character.charCodeAt(0),
        );
        const verifies = (bytes) =>
            crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, bytes);
        expect(await verifies(octets)).toBe(true);
        expect(await verifies(await signedOctets(first.statement, "0".repeat(64)))).toBe(false);
    });

    test("the key cannot be taken out of the browser", async () => {
        const { privateKey } = await deviceOf(database);
        for (const format of ["jwk", "pkcs8"]) {
            await expect(crypto.subtle.exportKey(format, privateKey)).rejects.toThrow();
        }
    });

    test("two tabs of one till make one chain", async () => {
        await enrol(database);
        const other = new Outbox(await openDatabase(database.name), () => clock);
        const records = await Promise.all(
            Array.from({ length: 20 }, (_unused, index) =>
                (index % 2 ? outbox : other).commit(sale()),
            ),
        );
        other.database.close();
        records.sort((one, another) => one.counter - another.counter);
        expect(records.map((record) => record.counter)).toEqual(
            Array.from({ length: 20 }, (_unused, index) => index + 1),
        );
        for (const [index, record] of records.slice(1).entries()) {
            expect(record.previousHash).toBe(records[index].hash);
        }
    });
});

describe("committing a sale", () => {
    test("a sale that is committed twice is one sale", async () => {
        await enrol(database);
        const same = sale();
        const [once, twice] = await Promise.all([outbox.commit(same), outbox.commit(same)]);
        expect(twice).toEqual(once);
        expect((await outbox.counts()).committed).toBe(1);
    });

    test("a till that was never enrolled sells nothing, and its chain stays where it was", async () => {
        await deviceOf(database);
        await expect(outbox.commit(sale())).rejects.toThrow(NotEnrolledError);
        await enrol(database);
        expect((await outbox.commit(sale())).counter).toBe(1);
    });

    test("another till's credential is refused", async () => {
        await deviceOf(database);
        await expect(keepCredential(database, { keyId: "0".repeat(16) })).rejects.toThrow();
    });

    test("a sale that cannot be stored leaves no trace", async () => {
        await enrol(database);
        const unstorable = { ...sale(), snapshot: { call: () => {} } };
        await expect(outbox.commit(unstorable)).rejects.toThrow();
        expect((await outbox.counts()).committed).toBe(0);
        expect((await outbox.commit(sale())).counter).toBe(1);
    });
});

describe("what becomes of it", () => {
    test("it goes from the till to the server to its seal, and not back", async () => {
        await enrol(database);
        const { uuid } = await outbox.commit(sale());
        expect(await outbox.posted(uuid)).toBe(true);
        expect(await outbox.posted(uuid)).toBe(false);
        expect(await outbox.refused(uuid, "too late")).toBe(false);
        expect(await outbox.sealed(uuid, { fiscal_number: "BONO-KIN001-01-000000001" })).toBe(true);
        expect(await outbox.posted(uuid)).toBe(false);
        const record = await outbox.get(uuid);
        expect(record.state).toBe(SEALED);
        expect(record.seal.fiscal_number).toBe("BONO-KIN001-01-000000001");
    });

    test("what the server refused waits for a person", async () => {
        await enrol(database);
        const { uuid } = await outbox.commit(sale());
        await outbox.refused(uuid, "The session is closed.");
        expect(await outbox.counts()).toEqual({
            committed: 0,
            posted: 0,
            refused: 1,
            sealed: 0,
            oldest: clock,
        });
        await outbox.again(uuid);
        expect((await outbox.get(uuid)).state).toBe(COMMITTED);
        expect((await outbox.get(uuid)).refusal).toBe(null);
    });

    test("the oldest come first", async () => {
        await enrol(database);
        const uuids = [];
        for (let number = 0; number < 12; number++) {
            uuids.push((await outbox.commit(sale())).uuid);
        }
        await outbox.posted(uuids[0]);
        const oldest = await outbox.inState(COMMITTED, 3);
        expect(oldest.map((record) => record.uuid)).toEqual(uuids.slice(1, 4));
        expect((await outbox.inState(POSTED)).map((record) => record.uuid)).toEqual([uuids[0]]);
    });

    test("only sealed sales are forgotten, and only after their days", async () => {
        await enrol(database);
        const sealed = await outbox.commit(sale());
        const open = await outbox.commit(sale());
        await outbox.sealed(sealed.uuid, {});
        clock += 6 * DAY;
        expect(await outbox.forget(7)).toBe(0);
        clock += 2 * DAY;
        expect(await outbox.forget(7)).toBe(1);
        expect(await outbox.get(sealed.uuid)).toBe(undefined);
        expect((await outbox.get(open.uuid)).state).toBe(COMMITTED);
        expect((await outbox.commit(sale())).counter).toBe(3);
    });
});

test("a transaction is all or nothing", async () => {
    await expect(
        transact(database, "readwrite", async ({ till }) => {
            await answerTo(till.put("half", "first"));
            throw new Error("and now");
        }),
    ).rejects.toThrow("and now");
    const kept = await transact(database, "readonly", ({ till }) => answerTo(till.get("first")));
    expect(kept).toBe(undefined);
});

test("hexadecimal has one spelling", () => {
    expect(toHex(fromHex("00ff"))).toBe("00ff");
    expect(() => fromHex("0F")).toThrow(RangeError);
    expect(() => fromHex("abc")).toThrow(RangeError);
});
