// The page in WebKit, the essential visits: node --test webkit.test.mjs, with SITE the folder of a built site.
import assert from "node:assert/strict";
import os from "node:os";
import path from "node:path";
import * as runner from "node:test";

import { serve } from "./site.mjs";
import { SMALL, link } from "./small.mjs";
import { start } from "./webkit.mjs";

let site, browser;
runner.before(async () => {
    site = await serve(path.resolve(process.env.SITE));
    browser = await start();
});
runner.after(() => site.server.close());

/// A visit with this fragment. One that fails leaves a picture.
const test = (name, fragment, visit) => runner.test(`${name} [webkit]`, async t => {
    const page = await browser.open(site.url + fragment);
    try {
        await page.until(() => document.querySelector("#train"));
        await visit(page, t);
    } catch (error) {
        const picture = path.join(os.tmpdir(), "page-in-webkit.png");
        await page.picture(picture).then(() => console.log(`${name}: ${picture}`), () => {}); // the first error is the one to tell
        throw error;
    } finally {
        await page.close();
    }
});

const text = (page, selector) => page.run(selector => document.querySelector(selector).innerText, selector);
const says = (page, selector, words) => page.until((selector, words) =>
    new RegExp(words).test(document.querySelector(selector)?.innerText), selector, words);
const tab = async (page, name) => {
    await page.run(name => document.querySelector(`#tab-${name}`).click(), name);
    await page.until(name => document.querySelector(`.panel.${name}`), name);
};
const finished = page => page.run(async () => (await keptRuns.all())[1].map(text => JSON.parse(text).state));
const train = async page => {
    await page.click("#train");
    await says(page, "#status", "^(Done|Failed|Stopped)");
    assert.match(await text(page, "#status"), /^Done/, await text(page, ".alerts"));
    await page.until(async () => (await keptRuns.all())[1].length > 0);
    return (await finished(page)).at(-1);
};
const hasWebGpu = page => page.run(() => Boolean(navigator.gpu));

test("one button trains a network that reads what is drawn", link(SMALL, "cpu"), async page => {
    assert.match(await text(page, "#status"), /^Ready/);
    const run = await train(page);
    assert.ok(run.test.accuracy > 0.9, `accuracy ${run.test.accuracy}`);
    assert.equal(run.start.device.engine, "cpu");
    await page.draw("#board", Array.from({ length: 11 }, (_, i) => [0, 0.06 * i - 0.3]));
    await says(page, "#answer", "reads 1\\b");
});

test("why there is no WebGPU is told, and nothing takes its place", link(SMALL, "wgpu"), async (page, t) => {
    if (await hasWebGpu(page)) return t.skip("this WebKit has WebGPU");
    await tab(page, "device");
    await says(page, ".panel.device", "This browser has no WebGPU");
    await page.click("#train");
    await says(page, "#status", "^(Failed|Training|Done)");
    assert.match(await text(page, "#status"), /^Failed/);
    assert.notEqual((await text(page, ".alerts")).trim(), "");
});

test("it trains on WebGPU", link(SMALL, "wgpu"), async (page, t) => {
    if (!await hasWebGpu(page)) return t.skip("this WebKit has no WebGPU");
    assert.equal((await train(page)).start.device.engine, "wgpu");
});

test("every tab opens", link(SMALL, "cpu"), async page => {
    await train(page);
    for (const name of ["mistakes", "confusion", "nearest", "images", "network", "timing", "runs", "files", "device"]) {
        await tab(page, name);
        await page.until(name => document.querySelector(`.panel.${name}`).innerText.trim() !== "", name);
        assert.equal(await page.run(() => document.querySelector("#tab-panel [role=alert]")?.innerText), null, name);
    }
    assert.equal(await page.run(() => document.querySelectorAll(".plot .training .line").length), 2, "curves");
});

test("finished runs stay in the browser", link(SMALL, "cpu"), async page => {
    const run = await train(page);
    await page.reload();
    await page.until(() => document.querySelector("#train"));
    await tab(page, "runs");
    await page.until(() => document.querySelectorAll(".runs tbody tr").length === 1);
    assert.deepEqual(await finished(page), [run]);
});

const LONG = { ...SMALL, length: { steps: 3000 }, evaluate_every: 100 };
test("a run that is left by a reload goes on to the same end", link(LONG, "cpu"), async page => {
    const whole = await train(page);
    await page.click("#train");
    await page.until(() => new Promise(done => {
        const open = indexedDB.open("playground", 2);
        open.onsuccess = () => {
            const request = open.result.transaction("left").objectStore("left").count();
            request.onsuccess = () => done(request.result > 0);
        };
    }));
    await page.reload();
    await page.until(() => document.querySelector("#go-on"));
    assert.match(await text(page, ".alerts"), /A run of mlp was left at step \d.* of 3.000/);
    await page.click("#go-on");
    await page.until(async () => (await keptRuns.all())[1].length === 2);
    const again = (await finished(page)).at(-1);
    assert.ok(again.start.first_step > 0, "it went on");
    assert.deepEqual([again.test, again.validation], [whole.test, whole.validation]);
});

test("the tour shows itself, until a key ends it", "", async page => {
    await page.until(() => document.querySelector("dialog[open]"));
    await page.press("\uE00C"); // Escape
    await page.until(() => !document.querySelector("dialog"));
    await page.reload();
    await page.until(() => document.querySelector("#train"));
    assert.equal(await page.run(() => document.querySelector("dialog")), null);
});

test("it speaks another language when that is chosen, and after a reload", "", async page => {
    const shown = () => page.run(() => [document.documentElement.lang, document.title]);
    assert.deepEqual(await shown(), ["en", "Training playground"]);
    await page.run(() => {
        const select = document.querySelector(".header-switches label:first-of-type select");
        select.value = "zh-Hans";
        select.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await page.until(() => document.title === "训练乐园");
    await page.reload();
    await page.until(() => document.querySelector("#train"));
    assert.deepEqual(await shown(), ["zh-Hans", "训练乐园"]);
});
