import { afterEach, beforeEach, expect, test } from "@odoo/hoot";
import { keepMirror, mirrored, mirrorOf, restore } from "@bonopay_pos/core/mirror";
import { Outbox } from "@bonopay_pos/core/outbox";
import { drop, enrol, newDatabase, sale } from "./enrolled_till";

const SEQUENCE = "token-unique_device_identifier";
const PARAMS = "pos_data_params_1";
let database;

beforeEach(async () => (database = await newDatabase()));
afterEach(() => drop(database));

class MemoryStorage {
    items = new Map();
    getItem(key) {
        return this.items.get(key) ?? null;
    }
    setItem(key, value) {
        this.items.set(key, value);
    }
}

function storageWith(items) {
    const storage = new MemoryStorage();
    Object.entries(items).forEach(([key, value]) => storage.setItem(key, value));
    return storage;
}

function counter(next_number, unsynced_number_stack = [], device_identifier = "A") {
    return JSON.stringify({ device_identifier, next_number, unsynced_number_stack });
}

function restored(present, kept) {
    const storage = storageWith(present === null ? {} : { [SEQUENCE]: present });
    restore(storage, { [SEQUENCE]: kept }, SEQUENCE);
    return JSON.parse(storage.getItem(SEQUENCE));
}

test("what the browser lost is put back, and nothing else is touched", async () => {
    await keepMirror(
        database,
        mirrorOf(storageWith({ [PARAMS]: "{}", other: "x" }), [PARAMS, SEQUENCE]),
    );
    expect(await mirrored(database)).toEqual({ [PARAMS]: "{}" });
    const storage = storageWith({ other: "y" });
    restore(storage, await mirrored(database), SEQUENCE);
    expect([storage.getItem(PARAMS), storage.getItem("other")]).toEqual(["{}", "y"]);
});

test("a counter never goes back, whichever of the two is behind", () => {
    expect(restored(counter(4), counter(9)).next_number).toBe(9);
    expect(restored(counter(9), counter(4)).next_number).toBe(9);
    expect(restored(null, counter(4)).next_number).toBe(4);
});

test("a number that was given out again is not given out a third time", () => {
    expect(restored(counter(9, [3, 5]), counter(9, [5])).unsynced_number_stack).toEqual([5]);
    expect(restored(counter(8, [3]), counter(9, [])).unsynced_number_stack).toEqual([]);
});

test("a till that was registered anew keeps its new identifier", () => {
    expect(restored(counter(1, [], "B"), counter(9, [], "A"))).toEqual({
        device_identifier: "B",
        next_number: 1,
        unsynced_number_stack: [],
    });
});

test("the counter is kept together with each sale", async () => {
    await enrol(database);
    const mirror = { [SEQUENCE]: counter(7) };
    await new Outbox(database).commit({ ...sale(), mirror });
    expect(await mirrored(database)).toEqual(mirror);
});
