import { sha256, toBase64Url, toHex } from "./bytes";
import { answerTo, transact } from "./database";
import { sign } from "./device";
import { signedOctets, statementOf, ticketNumber } from "./ticket";

/**
 * What was sold at this till, from the moment it is paid until its receipt is of no more use.
 *
 *               server has it         sealed
 *   committed ─────────────▶ posted ──────────▶ sealed ──▶ (forgotten after some days)
 *     │  ▲
 *     ▼  │ tried again by hand
 *   refused                     (the server can do nothing with it: a person has to look)
 *
 * Nothing leaves this store before it is sealed.
 */
export const COMMITTED = "committed";
export const POSTED = "posted";
export const REFUSED = "refused";
export const SEALED = "sealed";
export const OPEN_STATES = [COMMITTED, POSTED, REFUSED];

const DAY = 86_400_000;

export class NotEnrolledError extends Error {
    constructor() {
        super("This till was never enrolled: its sales cannot be signed.");
        this.name = "NotEnrolledError";
    }
}

export class Outbox {
    /**
     * @param {IDBDatabase} database
     * @param {() => number} now milliseconds since 1970
     */
    constructor(database, now = Date.now) {
        this.database = database;
        this.now = now;
    }

    /**
     * Number, chain, sign and store a paid sale. Once this has resolved the sale is safe; before, it is not paid.
     *
     * @param {Object} sale {uuid, documentType, issuedAt, total, tax, payload, snapshot, mirror}: `payload` is what the
     * ticket states of the sale, `snapshot` what the server needs to have the same order, `mirror` what of localStorage
     * is kept with it
     * @returns {Promise<Object>} its record; the one that is there already when the sale is committed twice
     * @throws {NotEnrolledError}
     */
    commit(sale) {
        // one chain, however many tabs are open
        return navigator.locks.request(`bonopay-chain-${this.database.name}`, () =>
            this._commit(sale),
        );
    }

    async _commit(sale) {
        const { known, device, head } = await transact(
            this.database,
            "readonly",
            async ({ till, sales }) => ({
                known: await answerTo(sales.get(sale.uuid)),
                device: await answerTo(till.get("device")),
                head: await answerTo(till.get("head")),
            }),
        );
        if (known) {
            return known;
        }
        if (!device?.credential) {
            throw new NotEnrolledError();
        }
        const record = await this._chained(sale, device, head);
        await transact(this.database, "readwrite", async ({ till, sales }) => {
            await answerTo(sales.add(record));
            await answerTo(till.put({ counter: record.counter, hash: record.hash }, "head"));
            if (sale.mirror) {
                await answerTo(till.put(sale.mirror, "mirror"));
            }
        });
        return record;
    }

    async _chained(sale, device, head) {
        const { credential, keyId } = device;
        const counter = head.counter + 1;
        const statement = await statementOf(
            { ...credential, keyId },
            { ...sale, documentId: sale.uuid },
            counter,
        );
        const octets = await signedOctets(statement, head.hash);
        return {
            uuid: sale.uuid,
            counter,
            ticket: ticketNumber(credential.outletId, credential.terminal, counter),
            state: COMMITTED,
            committedAt: this.now(),
            statement,
            payload: sale.payload,
            previousHash: head.hash,
            hash: toHex(await sha256(octets)),
            signature: toBase64Url(await sign(device, octets)),
            publicUrl: credential.publicUrl,
            snapshot: sale.snapshot,
            attempts: 0,
            refusal: null,
            seal: null,
        };
    }

    /** @param {string} uuid @returns {Promise<Object | undefined>} */
    get(uuid) {
        return transact(this.database, "readonly", ({ sales }) => answerTo(sales.get(uuid)));
    }

    /** @param {string} state @param {number} limit @returns {Promise<Object[]>} oldest first */
    inState(state, limit = Infinity) {
        const range = IDBKeyRange.bound([state, 0], [state, Infinity]);
        const most = Number.isFinite(limit) ? limit : undefined;
        return transact(this.database, "readonly", ({ sales }) =>
            answerTo(sales.index("state").getAll(range, most)),
        );
    }

    /** @param {string} uuid the server has the order, for good */
    posted(uuid) {
        return this._change(uuid, [COMMITTED, REFUSED], { state: POSTED, refusal: null });
    }

    /** @param {string} uuid @param {Object} seal what the receipt shows: of the last answer, which may say more */
    sealed(uuid, seal) {
        return this._change(uuid, [COMMITTED, REFUSED, POSTED, SEALED], {
            state: SEALED,
            refusal: null,
            seal,
        });
    }

    /** @param {string} uuid @param {string} reason for the cashier's screen */
    refused(uuid, reason) {
        return this._change(uuid, [COMMITTED], { state: REFUSED, refusal: reason });
    }

    /** @param {string} uuid try again what was refused */
    again(uuid) {
        return this._change(uuid, [REFUSED], { state: COMMITTED, refusal: null });
    }

    /** @returns {Promise<boolean>} whether the sale was in one of the states */
    _change(uuid, states, members) {
        return transact(this.database, "readwrite", async ({ sales }) => {
            const record = await answerTo(sales.get(uuid));
            if (!record || !states.includes(record.state)) {
                return false;
            }
            await answerTo(sales.put({ ...record, ...members }));
            return true;
        });
    }

    /** @returns {Promise<Object>} {committed, posted, refused, sealed, oldest}: counts; `oldest` is when the oldest sale
     * that is not sealed was committed, or null */
    async counts() {
        return transact(this.database, "readonly", async ({ sales }) => {
            const index = sales.index("state");
            const found = { oldest: null };
            for (const state of [...OPEN_STATES, SEALED]) {
                const range = IDBKeyRange.bound([state, 0], [state, Infinity]);
                found[state] = await answerTo(index.count(range));
                const first =
                    found[state] && state !== SEALED && (await answerTo(index.get(range)));
                if (first) {
                    found.oldest = Math.min(found.oldest ?? Infinity, first.committedAt);
                }
            }
            return found;
        });
    }

    /** @param {number} days forget sealed sales that are older @returns {Promise<number>} how many */
    async forget(days) {
        const before = this.now() - days * DAY;
        const old = (await this.inState(SEALED)).filter((record) => record.committedAt < before);
        await transact(this.database, "readwrite", ({ sales }) =>
            Promise.all(old.map((record) => answerTo(sales.delete(record.uuid)))),
        );
        return old.length;
    }
}
