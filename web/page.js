// The page itself is the wasm beside it; here is what it keeps in this browser, and what only scripts can do.
import init from "./page_glue.js";

// Storage that does not answer (some private windows) is storage that is not there; what is asked later may find it.
const PATIENCE = 10_000;

const opened = new Promise((done, failed) => {
    const request = indexedDB.open("playground", 2); // may be forbidden, which is a failure as any other
    request.onupgradeneeded = () => {
        const { result } = request;
        if (!result.objectStoreNames.contains("runs")) result.createObjectStore("runs", { autoIncrement: true });
        if (!result.objectStoreNames.contains("left")) result.createObjectStore("left");
    };
    request.onerror = () => failed(request.error);
    request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close(); // a later release in another tab
        done(request.result);
    };
});
opened.catch(() => {}); // told to whoever asks
const storage = () => Promise.race([opened, new Promise((_, failed) =>
    setTimeout(() => failed("the browser's storage does not answer"), PATIENCE))]);

const ask = async (store, mode, what) => {
    try {
        const transaction = (await storage()).transaction(store, mode);
        const requests = what(transaction.objectStore(store));
        await new Promise((done, failed) => {
            transaction.oncomplete = done;
            transaction.onabort = () => failed(transaction.error);
        });
        return requests.map(request => request.result);
    } catch (error) {
        throw String(error);
    }
};

// Other tabs hear that the list has changed, and say which run is theirs.
const tabs = new BroadcastChannel("playground");
const mine = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
const living = new Set();
tabs.onmessage = ({ data }) => {
    if (data === "runs") keptRuns.changed?.();
    if (data === "who") tabs.postMessage({ living: mine });
    if (data.living) living.add(data.living);
};

const write = async what => {
    const results = await ask("runs", "readwrite", what);
    tabs.postMessage("runs");
    return results;
};

// Runs that have ended, on the visitor's own machine: texts, by numbers that the database counts.
globalThis.keptRuns = {
    all: () => ask("runs", "readonly", runs => [runs.getAllKeys(), runs.getAll()]),
    add: text => write(runs => [runs.add(text)]),
    put: (number, text) => write(runs => [runs.put(text, number)]),
    forget: (first, last) => write(runs => [runs.delete(IDBKeyRange.bound(first, last))]),
    changed: undefined,
};

// Runs that have not ended, each with its last checkpoint: one a tab.
globalThis.leftRuns = {
    put: (text, bytes) => ask("left", "readwrite", left => [left.put({ text, bytes }, mine)]),
    drop: id => ask("left", "readwrite", left => [left.delete(id ?? mine)]),
    // Those whose tab is not there any more: ids, texts, checkpoints.
    all: async () => {
        const [ids, all] = await ask("left", "readonly", left => [left.getAllKeys(), left.getAll()]);
        if (ids.length > 0) {
            tabs.postMessage("who");
            await new Promise(done => setTimeout(done, 300));
        }
        const lone = ids.map((_, i) => i).filter(i => ids[i] !== mine && !living.has(ids[i]));
        return [lone.map(i => ids[i]), lone.map(i => all[i].text), lone.map(i => all[i].bytes)];
    },
};

// A picture file in shades of gray: [width, height, bytes]. A digit is small: large pictures are made smaller.
globalThis.shadesOf = async bytes => {
    const picture = await createImageBitmap(new Blob([bytes]));
    const scale = Math.min(1, 512 / Math.max(picture.width, picture.height));
    const [width, height] = [picture.width, picture.height].map(side => Math.max(1, Math.round(side * scale)));
    const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    context.fillStyle = "#fff"; // what is transparent is paper
    context.fillRect(0, 0, width, height);
    context.drawImage(picture, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    return [width, height, Uint8Array.from({ length: width * height }, (_, i) => Math.round((data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3))];
};

// A file of the site. A visitor waits for it no longer than ten seconds.
globalThis.textAt = async address => {
    const response = await fetch(address, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw response.status;
    return response.text();
};

try {
    await init();
} catch (error) {
    cannotStart(error);
}
