import { sha256, toBase64, toHex } from "./bytes";
import { answerTo, transact } from "./database";
import { ZERO_HASH } from "./ticket";

/**
 * The till as a device: a key pair that never leaves the browser, and what the signer enrolled it as.
 *
 * `extractable: false` keeps the key from every script, not from being used by one, nor from whoever copies the whole
 * profile. The signer's check of the chain finds a copy; nothing here could.
 */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };

/**
 * @param {IDBDatabase} database
 * @returns {Promise<Object>} {deviceId, keyId, publicKey (base64, SubjectPublicKeyInfo), privateKey, credential | null},
 * made when there is none yet
 */
export async function deviceOf(database) {
    const known = await transact(database, "readonly", ({ till }) => answerTo(till.get("device")));
    return known || stored(database, await newDevice());
}

async function newDevice() {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
    return {
        deviceId: crypto.randomUUID(),
        keyId: toHex(await sha256(publicKey)).slice(0, 16),
        publicKey: toBase64(publicKey),
        privateKey: pair.privateKey,
        credential: null,
    };
}

/** Two tabs may make one at the same time: the first that is stored is the till's. */
function stored(database, device) {
    return transact(database, "readwrite", async ({ till }) => {
        const known = await answerTo(till.get("device"));
        if (known) {
            return known;
        }
        await answerTo(till.put(device, "device"));
        await answerTo(till.put({ counter: 0, hash: ZERO_HASH }, "head"));
        return device;
    });
}

/**
 * Keep what the signer gave the device: its first credential, or the next one.
 *
 * @param {IDBDatabase} database
 * @param {Object} credential {credentialId, authority, merchantNif, outletId, terminal, keyId, counterFrom, counterTo,
 * notBefore, notAfter, publicUrl}
 * @throws {Error} when it is another key's
 */
export function keepCredential(database, credential) {
    return transact(database, "readwrite", async ({ till }) => {
        const device = await answerTo(till.get("device"));
        if (credential.keyId !== device?.keyId) {
            throw new Error(`the credential is for the key ${credential.keyId}, not for this till`);
        }
        await answerTo(till.put({ ...device, credential }, "device"));
    });
}

/** @param {Object} device @param {Uint8Array} octets @returns {Promise<Uint8Array>} 64 octets, r‖s */
export async function sign(device, octets) {
    return new Uint8Array(await crypto.subtle.sign(SIGNING, device.privateKey, octets));
}
