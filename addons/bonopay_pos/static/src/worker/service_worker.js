// @odoo-module ignore
/* global VERSION, ASSETS, TILL_HEADER, clients -- the first three are put before this file when it is served */

/**
 * The till without a network: its page at any of its addresses, and all that the page loads.
 *
 * * What is kept was answered well: 200, by the server itself, not after a redirect; a page also says in TILL_HEADER that
 *   it is the till, and of which version. A gateway's 502, the way to the login or the welcome of a Wi-Fi portal never
 *   takes the place of the till.
 * * A page and the files that it names are of one version: kept together, replaced together. While one of the new files
 *   cannot be had, the version before goes on.
 * * Data is not kept here: that is the till's own business.
 */

const PREFIX = "bonopay-pos-";
const CACHE = `${PREFIX}v-${VERSION}`;
const IMAGES = `${PREFIX}images`;
const CORES = "odoo-pos-cache";
const MOST_IMAGES = 3000;
/** Milliseconds after which a server that does not answer is taken for away, where something is at hand. */
const PATIENCE = { page: 4000, image: 1500 };

self.addEventListener("install", (event) => event.waitUntil(takeOver()));
self.addEventListener("activate", (event) => event.waitUntil(begin()));
self.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== self.location.origin) {
        return;
    }
    const key = pageKey(url);
    if (event.request.mode === "navigate" && key) {
        event.respondWith(page(event, key));
    } else if (/^\/(web\/assets\/[0-9a-f]{7,}|[a-z0-9_]+\/static)\//.test(url.pathname)) {
        event.respondWith(file(event.request));
    } else if (/^\/web\/(image|bundle)\b/.test(url.pathname)) {
        event.respondWith(changing(event));
    } else if (url.pathname === "/web/webclient/translations") {
        event.respondWith(words(event.request, url.searchParams.get("hash")));
    }
});
self.addEventListener("message", (event) => {
    if (event.data?.urlsToCache) {
        event.waitUntil(keepAll(event.data.urlsToCache));
    }
});

// --- versions

async function takeOver() {
    const cache = await caches.open(CACHE);
    const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
    const open = new Set(windows.map(({ url }) => pageKey(new URL(url))).filter(Boolean));
    await Promise.all([
        ...ASSETS.map((url) => keep(cache, url, isGood)),
        ...[...open].map((key) => keep(cache, key, isTill)),
    ]);
    await self.skipWaiting();
}

async function begin() {
    await caches.delete(CORES);
    await dropSuperseded();
    await trimImages();
    await clients.claim();
}

/** A page that this version has goes from those before it; a version without pages goes whole. */
async function dropSuperseded() {
    const current = await caches.open(CACHE);
    const superseded = (await pagesIn(current)).map(({ url }) => url);
    const others = (await caches.keys()).filter(
        (name) => name.startsWith(`${PREFIX}v-`) && name !== CACHE,
    );
    for (const name of others) {
        const cache = await caches.open(name);
        await Promise.all(superseded.map((url) => cache.delete(url)));
        if (!(await pagesIn(cache)).length) {
            await caches.delete(name);
        }
    }
}

async function pagesIn(cache) {
    return (await cache.keys()).filter(({ url }) => pageKey(new URL(url)));
}

async function trimImages() {
    const cache = await caches.open(IMAGES);
    const oldest = (await cache.keys()).slice(0, -MOST_IMAGES);
    await Promise.all(oldest.map((request) => cache.delete(request)));
}

/** What the page asks to keep of its own accord; one that fails does not keep the others from it. */
async function keepAll(urls) {
    const cache = await caches.open(CACHE);
    const pages = new Set();
    for (const address of urls) {
        const url = new URL(address, self.location);
        const key = pageKey(url);
        if (key && pages.has(key)) {
            continue; // core names a page twice: also as it is when one comes from the back office
        }
        pages.add(key);
        try {
            await keep(cache, key || url.href, key ? isTill : isGood);
        } catch (error) {
            console.info("not kept", address, error);
        }
    }
}

async function keep(cache, url, isRight) {
    const response = await fetch(url, { credentials: "same-origin", cache: "no-cache" });
    if (!isRight(response)) {
        throw new Error(`${url} was answered with ${response.status}`);
    }
    await cache.put(url, response);
}

// --- answers

/** Of the server when it is there; else the page that was kept, whatever comes behind its number. */
async function page(event, key) {
    const answer = fetch(event.request);
    const asked = new URL(event.request.url);
    event.waitUntil(
        answer.then((response) => keepPage(response.clone(), asked, key)).catch(() => {}),
    );
    const known = (await (await caches.open(CACHE)).match(key)) || (await caches.match(key));
    if (!known) {
        return answer;
    }
    const response = await soon(answer, PATIENCE.page);
    return response && response.status < 500 ? response : known;
}

/** The plain page only: what its address adds is of the moment. */
async function keepPage(response, asked, key) {
    if (isTill(response) && asked.search === "") {
        const cache = await caches.open(CACHE);
        await cache.put(key, response);
    }
}

/** The address of such a file changes with its content, or with the version. */
async function file(request) {
    const known = await caches.match(request);
    if (known) {
        return known;
    }
    const response = await fetch(request);
    if (isGood(response)) {
        const cache = await caches.open(CACHE);
        await cache.put(request, response.clone());
    }
    return response;
}

async function changing(event) {
    const cache = await caches.open(IMAGES);
    const known = await cache.match(event.request);
    const answer = fetch(event.request);
    event.waitUntil(
        answer
            .then((response) => isGood(response) && cache.put(event.request, response.clone()))
            .catch(() => {}),
    );
    if (!known) {
        return answer;
    }
    const response = await soon(answer, PATIENCE.image);
    return response && response.ok ? response : known;
}

/** The page keeps its words itself, and asks with their hash whether there are others: there are none for now. */
async function words(request, hash) {
    const answer = fetch(request);
    const response = hash ? await answer.catch(() => {}) : await answer;
    return response && response.status < 500 ? response : new Response(JSON.stringify({ hash }));
}

/** @returns {Promise<Response | undefined>} nothing when there is no answer, or none within these milliseconds */
function soon(answer, milliseconds) {
    const late = new Promise((resolve) => setTimeout(resolve, milliseconds));
    return Promise.race([answer.catch(() => {}), late]);
}

function isGood(response) {
    return response.status === 200 && response.type === "basic" && !response.redirected;
}

function isTill(response) {
    return isGood(response) && response.headers.get(TILL_HEADER) === VERSION;
}

/** @returns {string | null} one address for all of one till's, or nothing where a till is not the answer */
function pageKey(url) {
    const inPath = /^\/pos\/ui\/(\d+)(\/|$)/.exec(url.pathname);
    const isOld = /^\/pos\/(ui|web)\/?$/.test(url.pathname);
    const config = inPath ? inPath[1] : isOld && url.searchParams.get("config_id");
    return config ? `/pos/ui/${config}` : null;
}
