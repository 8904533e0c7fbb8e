import { afterEach, beforeEach, describe, expect, test } from "@odoo/hoot";
import { backoff } from "@bonopay_pos/core/backoff";
import { Outbox } from "@bonopay_pos/core/outbox";
import { SyncEngine, UnreachableError } from "@bonopay_pos/core/sync_engine";
import { drop, enrol, newDatabase, sale } from "./enrolled_till";

/** A server that remembers; each test says how it fails. */
class Server {
    reachable = true;
    sealing = true;
    refusals = new Map();
    orders = new Map();
    posts = [];

    async ping() {
        this._answer();
    }

    async post(records) {
        this._answer();
        this.posts.push(records.map(({ uuid }) => uuid));
        await this.beforeAnswer?.();
        const answers = records.map(({ uuid, counter }) => {
            const refusal = this.refusals.get(uuid) ?? null;
            if (refusal === null) {
                this.orders.set(uuid, counter);
            }
            return { uuid, refusal };
        });
        if (this.losesAnswers) {
            throw new UnreachableError();
        }
        return answers;
    }

    async seal(uuids) {
        this._answer();
        const seal = (uuid) => ({ fiscal_number: `BONO-${this.orders.get(uuid)}` });
        return uuids.map((uuid) => ({ uuid, seal: this.sealing ? seal(uuid) : null }));
    }

    _answer() {
        if (!this.reachable) {
            throw new UnreachableError();
        }
    }
}

let database, outbox, server, engine;

beforeEach(async () => {
    database = await newDatabase();
    await enrol(database);
    outbox = new Outbox(database);
    server = new Server();
    engine = new SyncEngine({ outbox, server }, { batch: 10, beat: 20, chance: () => 0 });
});

afterEach(async () => {
    engine.stop();
    await engine.beating;
    drop(database);
});

async function sell(count) {
    const uuids = [];
    for (let number = 0; number < count; number++) {
        uuids.push((await outbox.commit(sale())).uuid);
    }
    return uuids;
}

async function until(condition) {
    const deadline = Date.now() + 5000;
    while (!(await condition())) {
        if (Date.now() > deadline) {
            throw new Error(`not within 5 s: ${condition}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

describe("the queue", () => {
    test("is drained oldest first, in batches, each sale posted once", async () => {
        const uuids = await sell(25);
        await engine.wake();
        expect(server.posts.map((batch) => batch.length)).toEqual([10, 10, 5]);
        expect(server.posts.flat()).toEqual(uuids);
        expect((await outbox.counts()).sealed).toBe(25);
    });

    test("starts again by itself when the server is back, which no event tells", async () => {
        server.reachable = false;
        await sell(3);
        engine.start();
        await until(() => engine.status.failures >= 2);
        expect(engine.status.reachable).toBe(false);
        server.reachable = true;
        await until(async () => (await outbox.counts()).sealed === 3);
        expect(engine.status).toEqual({ reachable: true, draining: false, failures: 0 });
    });

    test("posts again what it does not know to be there, and the server has it once", async () => {
        await sell(4);
        server.losesAnswers = true;
        await engine.wake();
        expect((await outbox.counts()).committed).toBe(4);
        expect(server.orders.size).toBe(4);
        server.losesAnswers = false;
        await engine.wake();
        expect(server.orders.size).toBe(4);
        expect((await outbox.counts()).sealed).toBe(4);
    });
});

describe("what the server answers", () => {
    test("a sale that is refused does not hold up those behind it", async () => {
        const uuids = await sell(12);
        server.refusals.set(uuids[0], "The product was deleted.");
        await engine.wake();
        const { refused, sealed } = await outbox.counts();
        expect([refused, sealed]).toEqual([1, 11]);
        expect((await outbox.get(uuids[0])).refusal).toBe("The product was deleted.");
    });

    test("what the server said nothing of is not lost", async () => {
        await sell(2);
        server.post = async (records) => [{ uuid: records[0].uuid, refusal: null }];
        await engine.wake();
        const { committed, posted } = await outbox.counts();
        expect([committed, posted]).toEqual([1, 1]);
        expect(engine.status.failures).toBe(1);
    });

    test("a seal that takes its time is asked for again", async () => {
        server.sealing = false;
        await sell(2);
        await engine.wake();
        expect((await outbox.counts()).posted).toBe(2);
        server.sealing = true;
        await engine.wake();
        expect((await outbox.counts()).sealed).toBe(2);
        expect(server.posts.length).toBe(1);
    });
});

describe("the sale that was just validated", () => {
    test("does not wait for the queue", async () => {
        const uuids = await sell(30);
        let release;
        server.beforeAnswer = () => new Promise((resolve) => (release = resolve));
        const draining = engine.wake();
        await until(() => server.posts.length === 1);
        server.beforeAnswer = null;
        const [uuid] = await sell(1);
        const record = await engine.deliver(uuid, 1000);
        expect(record.state).toBe("sealed");
        expect(server.orders.has(uuids[29])).toBe(false);
        release();
        await draining;
        expect(server.posts.flat().filter((posted) => posted === uuid).length).toBe(1);
    });

    test("is posted once although the queue took it at the same moment", async () => {
        const [uuid] = await sell(1);
        await Promise.all([engine.wake(), engine.deliver(uuid, 1000), engine.deliver(uuid, 1000)]);
        expect(server.posts.flat()).toEqual([uuid]);
    });

    test("waits no longer than somebody has patience", async () => {
        const [uuid] = await sell(1);
        let release;
        server.beforeAnswer = () => new Promise((resolve) => (release = resolve));
        const record = await engine.deliver(uuid, 30);
        expect(record.state).toBe("committed");
        release();
        await until(async () => (await outbox.get(uuid)).state === "sealed");
    });

    test("costs nothing while the server is known to be away", async () => {
        server.reachable = false;
        await engine.wake();
        const [uuid] = await sell(1);
        const started = performance.now();
        expect((await engine.deliver(uuid, 5000)).state).toBe("committed");
        expect(performance.now() - started).toBeLessThan(1000);
    });
});

test("the pause doubles up to its limit, and no two tills keep the same", () => {
    expect([1, 2, 3, 10, 1000].map((failures) => backoff(failures, 1))).toEqual([
        1000, 2000, 4000, 60000, 60000,
    ]);
    expect(backoff(10, 0)).toBe(30000);
});
