// The page itself is the wasm beside it.
import init from "./page_glue.js";

const opened = new Promise((done, failed) => {
    const request = indexedDB.open("playground", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("runs", { autoIncrement: true });
    request.onerror = () => failed(request.error);
    request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close(); // a later release in another tab
        done(request.result);
    };
});
opened.catch(() => {}); // told to whoever asks

const ask = async (mode, what) => {
    try {
        const transaction = (await opened).transaction("runs", mode);
        const requests = what(transaction.objectStore("runs"));
        await new Promise((done, failed) => {
            transaction.oncomplete = done;
            transaction.onabort = () => failed(transaction.error);
        });
        return requests.map(request => request.result);
    } catch (error) {
        throw String(error);
    }
};

// Finished runs on the visitor's own machine: texts, by numbers that the database counts.
globalThis.keptRuns = {
    all: () => ask("readonly", runs => [runs.getAllKeys(), runs.getAll()]),
    add: text => ask("readwrite", runs => [runs.add(text)]),
    forget: last => ask("readwrite", runs => [runs.delete(IDBKeyRange.upperBound(last))]),
};

await init();
