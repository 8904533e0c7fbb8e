import { answerTo, transact } from "./database";

/**
 * Odoo's till keeps two things in localStorage that it cannot start or number its orders without; a browser that dies
 * loses what it wrote there in its last seconds, or all of it. They are kept a second time beside the sales, with each
 * sale, and put back before Odoo looks for them.
 */

/** @param {IDBDatabase} database @returns {Promise<Object>} what was kept, by the keys of localStorage */
export async function mirrored(database) {
    const kept = await transact(database, "readonly", ({ till }) => answerTo(till.get("mirror")));
    return kept || {};
}

/** @param {Storage} storage @param {string[]} keys @returns {Object} what is to be kept */
export function mirrorOf(storage, keys) {
    const present = keys.map((key) => [key, storage.getItem(key)]);
    return Object.fromEntries(present.filter(([, value]) => value !== null));
}

/** @param {IDBDatabase} database @param {Object} mirror as {@link mirrorOf} gives */
export function keepMirror(database, mirror) {
    return transact(database, "readwrite", ({ till }) => answerTo(till.put(mirror, "mirror")));
}

/**
 * Put back what is missing, and never let a counter of orders go back.
 *
 * @param {Storage} storage
 * @param {Object} mirror
 * @param {string} sequenceKey the key of Odoo's device identifier and its counter
 */
export function restore(storage, mirror, sequenceKey) {
    for (const [key, value] of Object.entries(mirror)) {
        const present = storage.getItem(key);
        if (present === null) {
            storage.setItem(key, value);
        } else if (key === sequenceKey) {
            storage.setItem(key, later(present, value));
        }
    }
}

/** Of two states of one device's counter the one that has counted further; of two devices the present one. */
function later(present, mirrored) {
    const [one, other] = [present, mirrored].map((text) => JSON.parse(text));
    if (one.device_identifier !== other.device_identifier) {
        return present;
    }
    if (one.next_number !== other.next_number) {
        return one.next_number > other.next_number ? present : mirrored;
    }
    // what either of them gave out again is taken
    const free = new Set(other.unsynced_number_stack);
    const both = one.unsynced_number_stack.filter((number) => free.has(number));
    return JSON.stringify({ ...one, unsynced_number_stack: both });
}
