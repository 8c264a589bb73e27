// How fast the page answers while it trains on the CPU, in Chromium: node speed.mjs THROTTLE, with SITE and BROWSER as in
// browser.mjs. Its own thread is THROTTLE times as slow as this machine; the worker's is not, to which Chromium offers no way.
import path from "node:path";

import { launch } from "./browser.mjs";
import { serve } from "./site.mjs";
import { SMALL, link } from "./small.mjs";
import { longestTask } from "./tasks.mjs";

const REPETITIONS = 5;
const MEASURED = 3000; // milliseconds
const MOVES = 15; // of a stroke, between a press and a release
const ENDLESS = { ...SMALL, length: { steps: 1_000_000 }, evaluate_every: 100 };

/// Runs in the page before its own scripts: counts, and notes times in milliseconds since the navigation.
function watch() {
    localStorage.setItem("tour", "seen");
    const counts = { frames: 0, messages: 0, redraws: 0, mostMessages: 0, mostRedraws: 0 };
    let before = { ...counts };
    requestAnimationFrame(function tick() {
        counts.frames += 1;
        counts.mostMessages = Math.max(counts.mostMessages, counts.messages - before.messages);
        counts.mostRedraws = Math.max(counts.mostRedraws, counts.redraws - before.redraws);
        before = { ...counts };
        requestAnimationFrame(tick);
    });

    // What is said of which drawing, and when. It is asked about behind the test digits that are in view.
    const TESTS = 24;
    const asked = new Map();
    const answers = [];
    const { set } = Object.getOwnPropertyDescriptor(Worker.prototype, "onmessage");
    Object.defineProperty(Worker.prototype, "onmessage", { set(hear) {
        set.call(this, event => {
            counts.messages += 1;
            hear(event);
            const [, request] = /^\{"prediction":\{"request":(\d+)/.exec(event.data[0]) ?? [];
            const drawing = asked.get(Number(request));
            if (drawing) answers.push({ drawing, at: performance.now() });
        });
    } });
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
        const { predict } = JSON.parse(message[0]);
        if (predict?.count === TESTS + 1) asked.set(predict.request, new Uint8Array(message[1]).slice(-784).join());
        return postMessage.call(this, message, ...rest);
    };

    const times = {};
    const note = (name, is) => {
        if (is) times[name] ??= performance.now();
    };
    new MutationObserver(records => {
        // Both charts are redrawn at once: one speaks for them.
        const plot = document.querySelector(".plot-svg");
        counts.redraws += records.filter(({ target }) => target === plot).length;
        const [button, status] = ["#train", "#status"].map(name => document.querySelector(name));
        note("step", /step [1-9]/.test(status?.textContent));
        note("paused", /^Paused/.test(status?.textContent));
        if (times.button || !button || button.disabled) return;
        note("button", true);
        button.click(); // as a visitor who has waited for it
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    for (const [type, name] of [["pointerdown", "down"], ["pointerup", "up"], ["click", "pressed"]]) {
        addEventListener(type, ({ timeStamp }) => times[name] = timeStamp, true);
    }
    Object.assign(self, { counts, times, answers });
}

/// One visit: what was measured, by name.
async function measure(browser, url, throttle) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    await page.emulateCPUThrottling(throttle);
    await page.evaluateOnNewDocument(watch);
    const reaches = words => page.waitForFunction(words => new RegExp(words).test(document.querySelector("#status")?.textContent), { polling: 50 }, words);
    const results = {};
    const longest = async (name, during) => results[`longest task, ${name}: ms`] = await longestTask(page, during);

    await page.goto(url);
    await reaches("step [1-9]");
    const { button, step } = await page.evaluate(() => times);
    results["navigation to button: ms"] = button;
    results["navigation to first step: ms"] = step;
    await page.click("#stop");
    await reaches("^Stopped");

    await longest("a run begins", async () => {
        await page.click("#train");
        await reaches("^Training");
    });
    await longest("training", async () => {
        const before = await page.evaluate(() => ({ ...counts, at: performance.now() }));
        await new Promise(done => setTimeout(done, MEASURED));
        const after = await page.evaluate(() => ({ ...counts, at: performance.now() }));
        for (const name of ["frames", "messages", "redraws"]) {
            results[`${name} a second`] = 1000 * (after[name] - before[name]) / (after.at - before.at);
        }
        results["messages in one frame, at most"] = after.mostMessages;
        results["redraws in one frame, at most"] = after.mostRedraws;
    });
    await longest("drawing", async () => {
        const board = await page.$("#board");
        await board.scrollIntoView();
        const { x, y, width, height } = await board.boundingBox();
        const at = part => [x + width / 2, y + height * part];
        await page.mouse.move(...at(0.2));
        await page.mouse.down();
        await page.mouse.move(...at(0.8), { steps: MOVES });
        await page.mouse.up();
    });
    const { down, up, answered } = await page.evaluate(() =>
        ({ ...times, answered: answers.find(({ drawing }) => drawing === answers.at(-1).drawing).at }));
    results["a stroke is drawn: ms"] = up - down;
    results["from its end to its answer: ms"] = answered - up;

    await page.evaluate(() => scrollTo(0, 0));
    await page.click("#train");
    await reaches("^Paused");
    const { pressed, paused } = await page.evaluate(() => times);
    results["Pause to paused: ms"] = paused - pressed;
    await context.close();
    return results;
}

const throttle = Number(process.argv[2]);
const site = await serve(path.resolve(process.env.SITE));
const browser = await launch();
const all = [];
for (let i = 0; i < REPETITIONS; i++) all.push(await measure(browser, site.url + link(ENDLESS, "cpu"), throttle));
await browser.close();
site.server.close();

const line = (name, median, values) => console.log(`${name.padEnd(36)} ${median.padStart(8)}  ${values}`);
line(`the page's own thread ${throttle} × slower`, "median", "all");
for (const name of Object.keys(all[0])) {
    const values = all.map(results => results[name]);
    const median = values.toSorted((a, b) => a - b)[Math.floor(REPETITIONS / 2)];
    line(name, median.toFixed(1), values.map(value => value.toFixed(1)).join(" "));
}
