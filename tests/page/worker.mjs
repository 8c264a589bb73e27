// The worker as the page asks it, without the page: messages go to it and come from it as they are.
import assert from "node:assert/strict";
import path from "node:path";
import * as runner from "node:test";

import { launch } from "./browser.mjs";
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
        const causes = [["torn", "not_a_checkpoint"], ["other", "other_network"], ["nowhere", "no_data_set"], ["misfit", undefined]];
        for (const [run, cause] of causes) {
            assert.equal((await said("not_started", { run })).failure.cause, cause, run);
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
});
