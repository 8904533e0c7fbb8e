// @odoo-module ignore
/* global VERSION, ASSETS, clients -- the first two are put before this file when it is served */

/**
 * The till without a network: its page at any of its addresses, and all that the page loads.
 *
 * * What is kept was answered well: 200, by the server itself, not after a redirect. A gateway's 502 or the way to the
 *   login never takes the place of the till.
 * * A version is taken over whole or not at all: while one of its files cannot be had, the one before goes on.
 */

const CACHE = `bonopay-pos-${VERSION}`;
const IMAGES = "bonopay-pos-images";
const OURS = /^(bonopay-pos-|odoo-pos-cache$)/;
const PAGE = /^\/pos\/ui\/(\d+)(\/|$)/;
/** Milliseconds after which a server that does not answer is taken for away: a page is at hand. */
const PATIENCE = 4000;
/** The server is not there: these come from what stands before it. */
const AWAY = [502, 503, 504];

self.addEventListener("install", (event) => event.waitUntil(takeOver()));
self.addEventListener("activate", (event) => event.waitUntil(begin()));
self.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== self.location.origin) {
        return;
    }
    const config = PAGE.exec(url.pathname);
    if (event.request.mode === "navigate" && config) {
        event.respondWith(page(event.request, config[1]));
    } else if (/^\/(web\/assets|[a-z_]+\/static)\//.test(url.pathname)) {
        event.respondWith(file(event.request));
    } else if (url.pathname.startsWith("/web/image")) {
        event.respondWith(image(event.request));
    }
});
self.addEventListener("message", (event) => {
    if (event.data?.urlsToCache) {
        event.waitUntil(keepAll(event.data.urlsToCache));
    }
});

async function takeOver() {
    const cache = await caches.open(CACHE);
    await Promise.all(ASSETS.map((url) => kept(cache, url)));
    for (const url of await pagesKept()) {
        await kept(cache, url); // the page names its files: it is renewed with them
    }
    await self.skipWaiting();
}

async function begin() {
    const names = await caches.keys();
    const old = names.filter((name) => OURS.test(name) && ![CACHE, IMAGES].includes(name));
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
}

/** The addresses of the pages that any version kept. */
async function pagesKept() {
    const found = new Set();
    for (const name of (await caches.keys()).filter((name) => OURS.test(name))) {
        for (const { url } of await (await caches.open(name)).keys()) {
            const config = PAGE.exec(new URL(url).pathname);
            if (config) {
                found.add(pageKey(config[1]));
            }
        }
    }
    return found;
}

async function page(request, config) {
    const cache = await caches.open(CACHE);
    try {
        const response = await answerWithin(PATIENCE, request);
        if (isGood(response)) {
            await cache.put(pageKey(config), response.clone());
        } else if (AWAY.includes(response.status)) {
            return (await cache.match(pageKey(config))) || response;
        }
        return response; // also the way to the login: whoever is there can take it
    } catch (error) {
        const known = await cache.match(pageKey(config));
        if (known) {
            return known;
        }
        throw error;
    }
}

/** Odoo's own addresses of files change with their content, so what is kept is what the server would give. */
async function file(request) {
    const cache = await caches.open(CACHE);
    const known = await cache.match(request);
    if (known) {
        return known;
    }
    const response = await fetch(request);
    if (isGood(response)) {
        await cache.put(request, response.clone());
    }
    return response;
}

async function image(request) {
    const cache = await caches.open(IMAGES);
    try {
        const response = await fetch(request);
        if (isGood(response)) {
            await cache.put(request, response.clone());
        }
        return response;
    } catch (error) {
        const known = await cache.match(request);
        if (known) {
            return known;
        }
        throw error;
    }
}

/** What the page asks to keep of its own accord; one that fails does not keep the others from it. */
async function keepAll(urls) {
    const cache = await caches.open(CACHE);
    for (const url of urls) {
        const config = PAGE.exec(new URL(url, self.location).pathname);
        try {
            await kept(cache, config ? pageKey(config[1]) : url);
        } catch (error) {
            console.info("not kept", url, error);
        }
    }
}

async function kept(cache, url) {
    const response = await fetch(url, { credentials: "same-origin", cache: "no-cache" });
    if (!isGood(response)) {
        throw new Error(`${url} was answered with ${response.status}`);
    }
    await cache.put(url, response);
}

/** One page for all addresses of a till, whatever comes behind its number. */
function pageKey(config) {
    return `/pos/ui/${config}`;
}

function isGood(response) {
    return response.status === 200 && response.type === "basic" && !response.redirected;
}

async function answerWithin(milliseconds, request) {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), milliseconds);
    try {
        return await fetch(request, { signal: ending.signal });
    } finally {
        clearTimeout(timer);
    }
}
