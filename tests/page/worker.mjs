// The worker as the page asks it, without the page: messages go to it and come from it as they are.
import assert from "node:assert/strict";
import path from "node:path";
import * as runner from "node:test";

import { FIREFOX, launch } from "./browser.mjs";
import { serve } from "./site.mjs";

const { SITE, BROWSER } = process.env;
// Small enough for a slow machine, on digits that the worker draws itself; it does not end by itself.
const SMALL = {
    model: { preset: "mlp" },
    dataset: { name: "digits", digits: 2000, split: { standard: { validation: 200 } } },
    optimizer: { rule: { adam: {} } },
    schedule: { rate: 0.002 },
    length: { steps: 1_000_000 },
};

runner.describe(`the worker [${BROWSER}]`, () => {
    let site, browser;
    runner.before(async () => {
        site = await serve(path.resolve(SITE));
        browser = await launch();
    });
    runner.after(async () => {
        await browser.close();
        site.server.close();
    });

    /// A worker of its own. `said` waits for a reply of this kind that holds what is wanted, `all` returns what was said.
    const open = async () => {
        const context = await browser.createBrowserContext();
        const page = await context.newPage();
        await page.goto(`${site.url}bench.html`);
        await page.evaluate(() => {
            const worker = new Worker(document.querySelector("link[data-worker]").href, { type: "module" });
            self.replies = [];
            worker.onmessage = ({ data: [text, ...buffers] }) => {
                self.buffer = buffers[0] ?? self.buffer;
                self.replies.push({ at: performance.now(), ...JSON.parse(text) });
            };
            self.ask = (request, ...buffers) => worker.postMessage([JSON.stringify(request), ...buffers], buffers);
        });
        const said = (kind, wanted = {}) => page.waitForFunction((kind, wanted) => {
            const holds = reply => Object.entries(wanted).every(([key, value]) => reply[key] === value);
            return self.replies.map(reply => reply[kind]).find(reply => reply && holds(reply));
        }, { timeout: 60_000, polling: 20 }, kind, wanted).then(found => found.jsonValue());
        const event = (run, kind) => page.waitForFunction((run, kind) => {
            const told = self.replies.filter(reply => reply.run?.run === run).flatMap(reply => reply.run.events);
            return told.map(event => event[kind]).find(Boolean);
        }, { timeout: 60_000, polling: 20 }, run, kind).then(found => found.jsonValue());
        return {
            page, said, event,
            ask: request => page.evaluate(request => self.ask(request), request),
            start: (run, config, more = {}) => page.evaluate(request => self.ask(request), {
                start: { run, config: { version: 1, ...config }, target: { engine: "cpu" }, checkpoint: false, paused: false, ...more },
            }),
            all: () => page.evaluate(() => self.replies),
            forget: () => page.evaluate(() => { self.replies = []; }),
            close: () => context.close(),
        };
    };
    /// What kind of failure it is, without its values.
    const kind = ({ cause }) => typeof cause === "object" ? Object.keys(cause)[0] : cause;
    const steps = replies => replies.flatMap(({ run }) => run?.events ?? []).map(({ steps }) => steps).filter(Boolean);

    runner.test("a run that cannot begin leaves the one that there is alone", async () => {
        const { page, said, event, ask, start, all, forget, close } = await open();
        await start("first", SMALL);
        await event("first", "steps");
        await ask({ save: { request: 1 } });
        await said("saved", { request: 1 });
        // A checkpoint in pieces, one of another network, images that nobody has, and layers that do not fit.
        const resume = (run, config, bytes) => page.evaluate((request, bytes) => {
            self.ask(request, self.buffer.slice(0, bytes));
        }, { start: { run, config: { version: 1, ...config }, target: { engine: "cpu" }, checkpoint: true, paused: false } }, bytes);
        await resume("torn", SMALL, 1000);
        await resume("other", { ...SMALL, model: { preset: "softmax" } }, undefined);
        await start("nowhere", { ...SMALL, dataset: { name: "nowhere" } });
        await start("misfit", { ...SMALL, model: { network: { layers: [{ dense: { units: 10 } }] } } });
        const causes = [["torn", "not_a_checkpoint"], ["other", "other_network"], ["nowhere", "no_data_set"], ["misfit", "network"]];
        for (const [run, cause] of causes) {
            assert.equal(kind((await said("not_started", { run })).failure), cause, run);
        }
        await forget();
        await event("first", "steps");
        await start("second", SMALL);
        await event("second", "started");
        await forget();
        await event("second", "steps");
        assert.deepEqual([...new Set((await all()).map(({ run }) => run?.run))], ["second"]);
        await close();
    });

    runner.test("what a run makes is told of once a frame, and all of it", async () => {
        const { event, ask, start, all, forget, close } = await open();
        await start("quick", { ...SMALL, model: { preset: "softmax" }, batch: 16 });
        await event("quick", "steps");
        await forget();
        await new Promise(done => setTimeout(done, 2000));
        await ask({ run: "pause" });
        const last = await event("quick", "paused");
        const replies = await all();
        const times = replies.filter(({ run }) => run).map(({ at }) => at);
        const rate = 1000 * (times.length - 1) / (times.at(-1) - times[0]);
        console.log(`${rate.toFixed(1)} messages a second`);
        assert.ok(times.length > 10 && rate < 33, `${times.length} messages, ${rate} a second`);
        const told = steps(replies);
        assert.equal(told.at(-1).step, last.step);
        told.slice(1).forEach(({ step, losses, hits }, i) => {
            assert.equal(step - losses.length, told[i].step);
            assert.equal(losses.length, hits.length);
        });
        // A single step is told of though nothing follows it.
        await forget();
        await ask({ run: "step" });
        assert.equal((await event("quick", "steps")).step, last.step + 1);
        await close();
    });

    runner.test("all seconds sum to the wall's, however much is asked", async () => {
        const { page, event, start, close } = await open();
        await start("asked", { ...SMALL, length: { steps: 600 } });
        await event("asked", "started");
        const { wall, summary, started } = await page.evaluate(async () => {
            const events = () => self.replies.flatMap(({ run }) => run?.events ?? []);
            const end = () => events().find(event => event.finished);
            const begun = self.replies.find(({ run }) => run?.events[0].started).at;
            for (let request = 100; !end(); request += 2) {
                self.ask({ predict: { request, count: 24 } }, new Uint8Array(24 * 784).buffer);
                self.ask({ images: { request: request + 1, part: "training", near: true, first: 0, count: 8 } }, new Uint8Array(784).buffer);
                await new Promise(done => setTimeout(done, 20));
            }
            const { at } = self.replies.find(({ run }) => run?.events.some(event => event.finished));
            const { started } = events()[0];
            return { wall: (at - begun) / 1000, summary: end().finished, started: started.seconds };
        });
        const sum = seconds => Object.values(seconds).reduce((sum, part) => sum + part, 0);
        const told = sum(summary.seconds) - sum(started);
        console.log(`${told.toFixed(3)} s of ${wall.toFixed(3)} s, ${summary.seconds.aside.toFixed(3)} s of these aside`);
        assert.ok(Math.abs(told / wall - 1) < 0.02, `${told} s of ${wall} s: ${JSON.stringify(summary.seconds)}`);
        assert.ok(summary.seconds.aside > 0);
        await close();
    });

    runner.test("a device that computes wrongly is told from one that computes rightly", async () => {
        const check = async () => {
            const { said, ask, close } = await open();
            await ask({ check: { request: 1 } });
            const { report } = await said("checked", { request: 1 });
            await close();
            console.log(JSON.stringify(report));
            return report;
        };
        const right = await check();
        assert.ok(right.gap < right.bound / 5, `${right.gap}`);
        assert.ok(right.gflop_per_second > 0 && right.device.name);
        // Firefox looks only every 100 ms whether a device is done.
        assert.ok(right.dispatch_microseconds > 0 || FIREFOX);
        site.options.without = "rightness";
        const wrong = await check();
        site.options.without = "nothing";
        assert.ok(!(wrong.gap <= wrong.bound), `${wrong.gap}`);
    });

    runner.test("images that are not there are told from images out of reach", async () => {
        const { said, event, start, close } = await open();
        const config = name => ({ ...SMALL, dataset: { ...SMALL.dataset, name } });
        for (const [data, cause, words] of [
            ["absent", "no_data_set", /^there is no data set `mnist` here \(whoever runs this site sets PLAYGROUND_DATA/],
            ["out of reach", "unreachable", /^the data set `mnist` does not come from this site \(.+\).* online/],
        ]) {
            site.options.data = data;
            await start(data, config("mnist"));
            const { failure } = await said("not_started", { run: data });
            assert.equal(kind(failure), cause);
            assert.match(failure.message, words);
            // What is chosen where nobody has chosen is named.
            await start(`auto, ${data}`, config("auto"));
            const { data: taken, config: written } = await event(`auto, ${data}`, "started");
            assert.deepEqual([taken.name, written.dataset.name, taken.training], ["digits", "digits", 1800]);
        }
        site.options.data = "there";
        await close();
    });

    runner.test("a network is looked at before it trains, and then asked what is drawn", async () => {
        const { page, said, event, ask, start, forget, close } = await open();
        const predict = request => page.evaluate(request => {
            self.ask({ predict: { request, count: 2 } }, new Uint8Array(2 * 784).fill(9).buffer);
        }, request);
        const preview = (request, config, count) => ask({ preview: { request, config: { version: 1, ...SMALL, ...config }, count } });
        await predict(1);
        assert.equal((await said("refused", { request: 1 })).failure.cause, "no_run");
        await preview(2, {}, 24);
        const { labels, size, scores } = await said("preview", { request: 2 });
        assert.deepEqual([labels.length, size, scores.length], [24, [28, 28], 24]);
        assert.equal(await page.evaluate(() => self.buffer.byteLength), 24 * 784);
        await predict(3);
        const drawn = (await said("prediction", { request: 3 })).scores;
        await preview(4, { seed: 2 }, 1000);
        const other = await said("preview", { request: 4 });
        assert.equal(other.labels.length, 512);
        assert.deepEqual(other.labels.slice(0, 24), labels);
        assert.notDeepEqual(other.scores[0], scores[0]);
        await preview(5, {}, 24);
        assert.deepEqual((await said("preview", { request: 5 })).scores, scores);
        await preview(6, { model: { network: { layers: ["flatten", { dense: { units: 3000 } }, { dense: { units: 10 } }] } } }, 24);
        assert.match((await said("refused", { request: 6 })).failure.message, /2385010 parameters/);
        // A run that waits before its first step is the same network, and makes that step at once when it is told to.
        await start("waits", SMALL, { paused: true });
        await event("waits", "started");
        await predict(7);
        assert.deepEqual((await said("prediction", { request: 7 })).scores, drawn);
        await ask({ run: "step" });
        assert.equal((await event("waits", "steps")).step, 1);
        await preview(8, {}, 24);
        assert.deepEqual((await said("preview", { request: 8 })).scores, scores);
        await predict(9);
        assert.notDeepEqual((await said("prediction", { request: 9 })).scores, drawn);
        await ask({ run: "resume" });
        await forget();
        await event("waits", "steps");
        await close();
    });
});
