// What all tests of the page need: a browser, a served site, and a few words for what a visitor does.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import * as runner from "node:test";

import axe from "axe-core";

import { FIREFOX, PATIENCE, launch } from "./browser.mjs";
import { serve } from "./site.mjs";

export { SMALL, link } from "./small.mjs";

export const { SITE, CLI, BROWSER } = process.env;
// What WebDriver BiDi, by which Firefox is driven, cannot do.
export const CHROMIUM_ONLY = { skip: FIREFOX && "needs Chromium's own protocol" };
const HAS_MNIST = SITE && fs.existsSync(path.join(SITE, "data/mnist/train-images-idx3-ubyte.gz"));
export const NEEDS_MNIST = { skip: !HAS_MNIST && "needs MNIST: PLAYGROUND_DATA" };
/// A test whose name says in which browser, since both run at the same time.
export const test = (name, ...rest) => runner.test(`${name} [${BROWSER}]`, ...rest);

export let site, browser, downloads;
runner.before(async () => {
    site = await serve(path.resolve(SITE));
    browser = await launch();
    downloads = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
});
// What a test has broken is whole again for the next one, however it ended.
runner.afterEach(() => Object.assign(site.options, { without: "nothing", data: "there", lost: null, missing: undefined }));
runner.after(async () => {
    await browser.close();
    site.server.close();
    fs.rmSync(downloads, { recursive: true });
});

/// A page of a visitor who has not been here before, with all that goes wrong on it.
export async function visit(fragment = "", { width = 1280, theme = "light", language = "en-US", url = site.url, tour = false } = {}) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const faults = [];
    page.on("pageerror", error => faults.push(String(error)));
    page.on("console", message => message.type() === "error" && faults.push(message.text()));
    page.on("request", request => new URL(request.url()).origin !== new URL(url).origin
        && !/^(data|blob):/.test(request.url()) && faults.push(`request to ${request.url()}`));
    await page.setViewport({ width, height: 900 });
    if (!FIREFOX) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    await page.evaluateOnNewDocument((language, tour) => {
        Object.defineProperty(navigator, "languages", { get: () => [language] });
        if (!tour) localStorage.setItem("tour", "seen");
    }, language, tour);
    await page.goto(url + fragment);
    await page.waitForSelector("#train");
    return { page, faults, close: () => context.close() };
}

export const status = page => page.$eval("#status", element => element.innerText);
export const reaches = (page, words) =>
    page.waitForFunction(words => new RegExp(words).test(document.querySelector("#status").innerText), {}, words);
export const told = page => page.$eval(".alerts", element => element.innerText);
/// What the browser keeps of finished runs, the latest first.
export const finished = page => page.evaluate(async () => (await keptRuns.all())[1].map(text => JSON.parse(text).state).reverse());
export const keeps = (page, count) => page.waitForFunction(async count => (await keptRuns.all())[1].length === count, {}, count);

/// Asks the probe in the worker.
export const dispatches = page => page.evaluate(() => new Promise(answer => {
    const channel = new BroadcastChannel("probe");
    channel.onmessage = ({ data }) => answer(data.dispatches);
    channel.postMessage("count");
}));
export const break_ = (page, what) => page.evaluate(what => new BroadcastChannel("probe").postMessage(what), what);

/// Trains to the end, and returns what the browser kept of the run.
export async function train(page) {
    await page.click("#train");
    await reaches(page, "^(Done|Failed|Stopped)");
    assert.match(await status(page), /^Done/, await told(page));
    await page.waitForFunction(async () => (await keptRuns.all())[1].length > 0);
    return (await finished(page))[0];
}

/// Nothing on the page is a serious fault to axe, and nothing makes it scroll sideways.
export async function accessible(page, width, when) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run());
    const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.target).join(" ")}`), [], when);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `${when}: it scrolls sideways`);
}

/// Opens a tab, and waits for what it shows.
export async function tab(page, name) {
    await page.$eval(`#tab-${name}`, button => button.click());
    await page.waitForSelector(`.panel.${name}`);
}
/// The worker has said what it can train on.
export const known = page => page.waitForFunction(() => document.querySelectorAll("select[name=engine] option").length > 1);

/// Puts a value into a field of the settings, as typing it would.
export const put = (page, name, value) => page.$eval(`.settings [name="${name}"]`, (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
}, value);
