/**
 * The till's own IndexedDB, apart from Odoo's: Odoo deletes its own when it thinks that its data are stale.
 *
 * | store    | key    | holds                                                                            |
 * |----------|--------|----------------------------------------------------------------------------------|
 * | `till`   | name   | `device` (the key pair and what it is enrolled as), `head` of the chain, `mirror` |
 * | `sales`  | `uuid` | one paid sale each, with its ticket, what the server needs of it and its seal    |
 *
 * Every write waits for the disk (`durability: "strict"`): what was committed survives a power cut.
 */

const VERSION = 1;
export const TILL = "till";
export const SALES = "sales";

/**
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 * @throws {DOMException} when the browser gives no storage
 */
export function openDatabase(name) {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
        const database = request.result;
        database.createObjectStore(TILL);
        const sales = database.createObjectStore(SALES, { keyPath: "uuid" });
        sales.createIndex("state", ["state", "counter"]);
        sales.createIndex("counter", "counter", { unique: true });
    };
    return answerTo(request).then((database) => {
        // another tab with a newer version of the till may upgrade: this one reads and writes no more
        database.onversionchange = () => database.close();
        return database;
    });
}

/**
 * Run `work` in one transaction; all of what it writes is there afterwards, or nothing.
 *
 * @param {IDBDatabase} database
 * @param {"readonly" | "readwrite"} mode
 * @param {(stores: {till: IDBObjectStore, sales: IDBObjectStore}) => Promise<any>} work waits for nothing but
 * {@link answerTo}: a transaction ends by itself when it is left alone
 * @returns {Promise<any>} what `work` gave, once it is on the disk
 */
export async function transact(database, mode, work) {
    const transaction = database.transaction([TILL, SALES], mode, { durability: "strict" });
    const ended = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () =>
            reject(transaction.error || new DOMException("aborted", "AbortError"));
    });
    const working = work({
        till: transaction.objectStore(TILL),
        sales: transaction.objectStore(SALES),
    });
    try {
        const result = await working;
        await ended;
        return result;
    } catch (error) {
        ended.catch(() => {}); // the same failure, told once
        abort(transaction);
        throw error;
    }
}

function abort(transaction) {
    try {
        transaction.abort();
    } catch (error) {
        if (error.name !== "InvalidStateError") {
            throw error; // else: it has ended already, which is what was wanted
        }
    }
}

/** @param {IDBRequest} request @returns {Promise<any>} its result */
export function answerTo(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}
