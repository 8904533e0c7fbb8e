import { backoff } from "./backoff";
import { COMMITTED, POSTED } from "./outbox";

/** Sales whose seal is asked for in one beat: to read them is cheap, and none may starve behind others. */
const MOST_ASKED = 500;

/** No answer came: the network, the proxy or the server is away. Says nothing of the sales. */
export class UnreachableError extends Error {
    name = "UnreachableError";
}

/**
 * Brings what the outbox holds to the server and its seals back, beside the cashier's work.
 *
 * * A beat every few seconds asks the server itself: a browser that has Wi-Fi calls itself online, whatever lies behind.
 * * Oldest first, in batches; one sale is under way once at a time, whoever wants it sent.
 * * The sale that the cashier just validated goes ahead of all that waits, in a request of its own.
 *
 * `server` is {ping(), post(records), seal(uuids)}; each throws UnreachableError when there was no answer.
 * `post` gives [{uuid, refusal}], `refusal` being null when the server has the order; `seal` gives [{uuid, seal}],
 * `seal` being null as long as there is none.
 */
export class SyncEngine {
    /**
     * @param {Object} parts {outbox, server}
     * @param {Object} options {batch, beat (ms), chance() from 0 to 1, onChange(status)}
     */
    constructor({ outbox, server }, options = {}) {
        this.outbox = outbox;
        this.server = server;
        this.options = {
            batch: 10,
            beat: 5000,
            chance: Math.random,
            onChange: () => {},
            ...options,
        };
        this.status = { reachable: null, draining: false, failures: 0 };
        this.underWay = new Map();
        this.beating = null;
        this.timer = null;
        this.stopped = true;
    }

    start() {
        this.stopped = false;
        return this.wake();
    }

    stop() {
        this.stopped = true;
        clearTimeout(this.timer);
    }

    /** Something is new, or may be possible again: do not wait for the next beat. */
    wake() {
        clearTimeout(this.timer);
        this.beating ??= this._beat().finally(() => {
            this.beating = null;
            if (!this.stopped) {
                this.timer = setTimeout(() => this.wake(), this._pause());
            }
        });
        return this.beating;
    }

    /**
     * Send one sale now.
     *
     * @param {string} uuid
     * @param {number} patience milliseconds that somebody waits
     * @returns {Promise<Object | undefined>} its record as it is then, whatever came of it: the rest is the beat's
     */
    async deliver(uuid, patience) {
        const record = await this.outbox.get(uuid);
        if (record && this.status.reachable !== false) {
            const sending = this.underWay.get(uuid) || this._claim([record]);
            await Promise.race([sending.catch(() => this.wake()), pause(patience)]);
        }
        return this.outbox.get(uuid);
    }

    _pause() {
        const { beat, chance } = this.options;
        return this.status.failures
            ? backoff(this.status.failures, chance(), { first: beat })
            : beat;
    }

    async _beat() {
        try {
            await this.server.ping();
            this._tell({ reachable: true });
            await this._drain();
            this._tell({ failures: 0, draining: false });
        } catch (error) {
            const reachable = !(error instanceof UnreachableError);
            this._tell({ reachable, failures: this.status.failures + 1, draining: false });
            if (reachable) {
                console.error("The till could not send its sales", error);
            }
        }
    }

    async _drain() {
        for (;;) {
            const batch = await this._waiting(COMMITTED);
            if (!batch.length) {
                break;
            }
            this._tell({ draining: true });
            await this._claim(batch);
        }
        await this._seal(await this._waiting(POSTED, MOST_ASKED));
    }

    /** The oldest of a state that nobody has under way; at most as many are, so that many more need to be looked at. */
    async _waiting(state, limit = this.options.batch) {
        const oldest = await this.outbox.inState(state, limit + this.underWay.size);
        return oldest.filter((record) => !this.underWay.has(record.uuid)).slice(0, limit);
    }

    /** Send records that are nobody else's meanwhile. */
    _claim(records) {
        const sending = this._send(records).finally(() => {
            records.forEach((record) => this.underWay.delete(record.uuid));
            this._tell({});
        });
        records.forEach((record) => this.underWay.set(record.uuid, sending));
        return sending;
    }

    async _send(records) {
        const unposted = records.filter((record) => record.state === COMMITTED);
        const refused = unposted.length ? await this._post(unposted) : new Set();
        await this._seal(records.filter((record) => !refused.has(record.uuid)));
    }

    /** @returns {Promise<Set<string>>} those that the server refused */
    async _post(records) {
        const answers = new Map(
            (await this.server.post(records)).map(({ uuid, refusal }) => [uuid, refusal]),
        );
        const refused = new Set();
        for (const { uuid } of records) {
            const refusal = answers.get(uuid);
            if (refusal === undefined) {
                throw new Error(`The server did not say what it made of ${uuid}`);
            }
            if (refusal === null) {
                await this.outbox.posted(uuid);
            } else {
                refused.add(uuid);
                await this.outbox.refused(uuid, refusal);
            }
        }
        return refused;
    }

    async _seal(records) {
        if (!records.length) {
            return;
        }
        for (const { uuid, seal } of await this.server.seal(records.map(({ uuid }) => uuid))) {
            if (seal) {
                await this.outbox.sealed(uuid, seal);
            }
        }
    }

    _tell(changes) {
        Object.assign(this.status, changes);
        this.options.onChange(this.status);
    }
}

function pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
