// WebKit, by the protocol that its driver speaks (https://www.w3.org/TR/webdriver2): puppeteer has no way to it. The driver is
// the one of WebKitGTK, whose windows are on a display that nobody sees.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE = 120_000;
// Under which key the protocol refers to an element.
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

async function freePort() {
    const server = net.createServer().listen(0, "127.0.0.1");
    await new Promise(ready => server.once("listening", ready));
    const { port } = server.address();
    await new Promise(done => server.close(done));
    return port;
}

/// Starts the driver, which ends with this process. `open` is a browser of a visitor who has not been here before; there is one
/// at a time.
export async function start() {
    const port = await freePort();
    // In the C locale a visitor reads English.
    const env = { ...process.env, LC_ALL: "C" };
    const driver = spawn("xvfb-run", ["-a", "WebKitWebDriver", `--port=${port}`], { detached: true, stdio: "ignore", env });
    const call = async (method, path, body) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
        const { value } = await response.json();
        if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
        return value;
    };
    driver.unref();
    process.once("exit", () => process.kill(-driver.pid)); // with its display and its browser
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
    for (let i = 0; !await call("GET", "/status").catch(() => false); i++) {
        if (i === 100) throw new Error("WebKitWebDriver does not answer");
        await sleep(100);
    }
    return { open: url => open(call, url) };
}

async function open(call, url) {
    const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: { timeouts: { script: PATIENCE } } } });
    const path = `/session/${sessionId}`;
    const post = (what, body = {}) => call("POST", path + what, body);
    const find = async selector => (await post("/element", { using: "css selector", value: selector }))[ELEMENT];
    const act = (type, actions) => post("/actions", { actions: [{ type, id: type, actions }] });
    /// Calls a function in the page, and awaits what it promises.
    const run = async (what, ...values) => {
        const script = `const [done, ...values] = [...arguments].reverse();
            (async () => (${what})(...values.reverse()))().then(value => done({ value }), error => done({ error: String(error) }));`;
        const { value, error } = await post("/execute/async", { script, args: values });
        if (error) throw new Error(error);
        return value;
    };
    await post("/url", { url });
    return {
        run,
        /// Calls it until it returns something true; while a page comes and goes it may fail.
        until: async (what, ...values) => {
            for (const end = Date.now() + PATIENCE; !await run(what, ...values).catch(() => false); await sleep(100)) {
                if (Date.now() > end) throw new Error(`in vain: ${what} ${values}`);
            }
        },
        click: async selector => post(`/element/${await find(selector)}/click`),
        press: key => act("key", [{ type: "keyDown", value: key }, { type: "keyUp", value: key }]),
        /// Draws a line on an element, from point to point, in parts of its size from its middle.
        draw: async (selector, points) => {
            const id = await find(selector);
            await run(selector => document.querySelector(selector).scrollIntoView({ block: "center" }), selector);
            const { width, height } = await call("GET", `${path}/element/${id}/rect`);
            const moves = points.map(([x, y]) =>
                ({ type: "pointerMove", origin: { [ELEMENT]: id }, x: Math.round(x * width), y: Math.round(y * height), duration: 20 }));
            const [down, up] = ["pointerDown", "pointerUp"].map(type => ({ type, button: 0 }));
            await act("pointer", [moves[0], down, ...moves.slice(1), up]);
        },
        reload: () => post("/refresh"),
        picture: async file => fs.writeFileSync(file, await call("GET", `${path}/screenshot`), "base64"),
        close: () => call("DELETE", path),
    };
}
