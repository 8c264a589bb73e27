// The browser's part of the day: node browser.cjs ROOM probe | bench PEER WORKLOAD | page ENGINE FOLDER
//
// `probe` opens the browser with one set of flags after the other until WebGPU offers a GPU, prints a JSON line for each, and
// leaves those that did in ROOM/flags.json. `bench` prints one line: a workload of ours, jax-js or TF.js, in a browser of its
// own. `page` trains on MNIST as a visitor would, prints what the page says, and takes a picture. With REHEARSAL set a
// software adapter will do, and the training is short.
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

import puppeteer from "puppeteer-core";

const [room, task, ...rest] = process.argv.slice(2);
const REHEARSAL = !!process.env.REHEARSAL;

const GPU = ["--enable-unsafe-webgpu", "--ignore-gpu-blocklist", "--enable-features=Vulkan"];
// In the order in which they are tried.
const FLAGS = [
    [...GPU, "--use-angle=vulkan", "--disable-vulkan-surface"],
    [...GPU, "--use-angle=vulkan", "--disable-vulkan-surface", "--disable-gpu-sandbox"],
    [...GPU, "--use-angle=vulkan", "--disable-vulkan-surface", "--in-process-gpu"],
    [...GPU, "--use-angle=gl-egl"],
    [...GPU, "--use-angle=swiftshader"],
];

const launch = flags => puppeteer.launch({
    executablePath: path.join(room, "chromium/chromium"),
    headless: true,
    protocolTimeout: 200_000,
    args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-dev-shm-usage", ...flags],
});

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/// Serves folders, the first that has the file, isolated as threads need it.
const serve = folders => new Promise(ready => {
    const server = http.createServer((request, response) => {
        const name = path.normalize(new URL(request.url, "http://site").pathname);
        const file = folders.map(folder => path.join(folder, name)).find(file => fs.existsSync(file) && fs.statSync(file).isFile());
        const type = TYPES[path.extname(name)] ?? "application/octet-stream";
        const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
        if (name === "/blank.html") {
            response.writeHead(200, { "content-type": "text/html", ...isolated });
            return response.end(`<!doctype html><link rel=icon href="data:,"><script type=module src="/main.js"></script>`);
        }
        if (!file) return response.writeHead(404).end();
        response.writeHead(200, { "content-type": type, ...isolated });
        fs.createReadStream(file).pipe(response);
    });
    server.listen(0, "127.0.0.1", () => ready({ server, url: `http://127.0.0.1:${server.address().port}` }));
});

const say = line => console.log(JSON.stringify(line));

const probe = async () => {
    const { server, url } = await serve([]);
    for (const flags of FLAGS) {
        let browser, adapter;
        try {
            browser = await launch(flags);
            const page = await browser.newPage();
            await page.goto(`${url}/blank.html`);
            adapter = await page.evaluate(async () => {
                const adapter = await navigator.gpu?.requestAdapter();
                if (!adapter) return { error: navigator.gpu ? "no adapter" : "no WebGPU" };
                const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
                return { vendor, architecture, device, description, isFallbackAdapter, features: [...adapter.features] };
            });
            adapter.version = await browser.version();
        } catch (error) {
            adapter = { error: String(error.message).slice(0, 400) };
        }
        await browser?.close().catch(() => {});
        const about = `${adapter.vendor} ${adapter.architecture} ${adapter.device} ${adapter.description}`;
        const software = adapter.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(about);
        const taken = !adapter.error && (!software || REHEARSAL);
        say({ flags, ...adapter, software, taken });
        if (taken) {
            fs.writeFileSync(path.join(room, "flags.json"), JSON.stringify(flags));
            server.close();
            return;
        }
    }
    throw new Error("WebGPU offers no GPU with any of the flags");
};

const flags = () => JSON.parse(fs.readFileSync(path.join(room, "flags.json"), "utf8"));

const LAUNCHES = 5;

/// The browser with the flags that gave an adapter. Now and then it offers none for some seconds: then it is opened anew, and
/// how often is told.
const open = async url => {
    for (let launches = 1; ; launches++) {
        const browser = await launch(flags());
        const page = await browser.newPage();
        await page.goto(`${url}/blank.html`);
        const offers = await page.evaluate(async () => !!await navigator.gpu?.requestAdapter());
        await page.close();
        if (offers || launches === LAUNCHES) return { browser, launches };
        await browser.close();
        await new Promise(done => setTimeout(done, 1000));
    }
};

const bench = async (peer, workload) => {
    const ours = peer === "ours";
    const { server, url } = await serve([ours ? path.join(room, "site") : path.join(room, "web", `${peer}-webgpu`)]);
    const spec = { peer, backend: "webgpu", workload, seconds: REHEARSAL ? 0.2 : 1, minSteps: REHEARSAL ? 3 : 30, maxMs: REHEARSAL ? 1000 : 4000, warmMs: REHEARSAL ? 500 : 2000 };
    const { browser, launches } = await open(url);
    const page = await browser.newPage();
    const faults = [];
    page.on("pageerror", error => faults.push(String(error.message).slice(0, 300)));
    await page.evaluateOnNewDocument(`globalThis.__SPEC = ${JSON.stringify(spec)};`);
    await page.evaluateOnNewDocument(fs.readFileSync(path.join(room, "web/harness.js"), "utf8"));
    await page.goto(`${url}/${ours ? "bench" : "blank"}.html`);
    await page.waitForFunction("!!(globalThis.__result || globalThis.__bench)", { polling: 50 });
    const result = await page.evaluate(async () =>
        globalThis.__result ? await globalThis.__result : await globalThis.__bench(globalThis.__SPEC.workload, globalThis.__SPEC));
    say({ peer, ...result, workload, launches, load: os.loadavg()[0], faults });
    await browser.close();
    server.close();
    if (result.error) throw new Error(result.error);
};

/// One epoch of the convolutional preset.
const RUN = {
    version: 1,
    model: { preset: "cnn" },
    dataset: { name: "mnist", split: { standard: { validation: 5000 } } },
    optimizer: { rule: { adam: {} } },
    schedule: { rate: 0.002 },
    batch: 64,
    length: REHEARSAL ? { steps: 20 } : { epochs: 1 },
};

const train = async (engine, folder) => {
    const { server, url } = await serve([path.join(room, "site"), room]); // where data/mnist is
    const { browser, launches } = await open(url);
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 1500 });
    await page.evaluateOnNewDocument(() => localStorage.setItem("tour", "seen"));
    await page.goto(`${url}/index.html#run=${encodeURIComponent(JSON.stringify(RUN))}&engine=${engine}`);
    await page.waitForSelector("#train");
    const begin = Date.now();
    await page.click("#train");
    await page.waitForFunction(() => /^Done|failed|cannot/.test(document.querySelector("#status").innerText), { timeout: 150_000, polling: 50 });
    const seconds = (Date.now() - begin) / 1000;
    const status = await page.$eval("#status", status => status.innerText);
    await page.screenshot({ path: path.join(folder, `page-${engine}.png`) });
    say({ engine, launches, seconds, status, page: await page.$eval("main", main => main.innerText) });
    await browser.close();
    server.close();
    if (!status.startsWith("Done")) throw new Error(status);
};

const tasks = { probe, bench, page: train };
tasks[task](...rest).then(() => process.exit(0), error => {
    console.error(error.message);
    process.exit(1);
});
