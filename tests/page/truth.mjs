// The page tells the truth and keeps what was made: what an audit once found otherwise.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";

import { FIREFOX } from "./browser.mjs";
import {
    CHROMIUM_ONLY, SITE, SMALL, break_, browser, downloads, finished, keeps, known, link, put, reaches, site, status, tab, test, told,
    train, visit,
} from "./common.mjs";

const LONG = { ...SMALL, length: { steps: 4000 }, evaluate_every: 100 };
const text = (page, selector) => page.$eval(selector, element => element.innerText);
const says = (page, selector, words) => page.waitForFunction((selector, words) =>
    new RegExp(words).test(document.querySelector(selector)?.innerText), {}, selector, words);

/// Drops a file on the page.
const drop = (page, name, bytes) => page.evaluate((name, bytes) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}, name, [...bytes]);

/// The bytes of the run that is left behind, as the browser keeps them.
const checkpoint = page => page.evaluate(() => new Promise(done => {
    const open = indexedDB.open("playground", 2);
    open.onsuccess = () => {
        const request = open.result.transaction("left").objectStore("left").getAll();
        request.onsuccess = () => done(request.result.map(({ bytes }) => [...bytes]).at(-1));
    };
}));
const is_kept = page => page.waitForFunction(() => new Promise(done => {
    const open = indexedDB.open("playground", 2);
    open.onsuccess = () => {
        const request = open.result.transaction("left").objectStore("left").count();
        request.onsuccess = () => done(request.result > 0);
    };
}), { polling: 100 });

test("the network that is chosen answers before it is trained, and what is drawn, too", async () => {
    const { page, faults, close } = await visit("#engine=cpu");
    await says(page, ".strip .card-aside", "^\\d+ of 24 right");
    assert.ok(parseInt(await text(page, ".strip .card-aside")) < 14, "it guesses");
    assert.match(await text(page, ".strip-foot"), /Not trained yet/);
    await page.click(".sketch-sample");
    await says(page, "#answer", "reads \\d");
    // Another network is another guess; nothing was begun.
    const guess = await text(page, ".strip ol");
    await page.select("select[name=preset]", "mlp");
    await page.waitForFunction(guess => document.querySelector(".strip ol").innerText !== guess, {}, guess);
    assert.match(await status(page), /^Ready/);
    assert.deepEqual(faults, []);
    await close();
});

test("accuracy is said of what it is measured on, and the title follows", async () => {
    const { page, close } = await visit(link(LONG, "cpu"));
    const names = () => page.$$eval(".bar-accuracy dt", all => all.map(name => name.innerText));
    assert.deepEqual(await names(), ["validation", "training"]);
    await page.click("#train");
    await says(page, ".bar-accuracy .validation dd", "\\d");
    assert.deepEqual(await names(), ["validation", "training"]);
    await page.waitForFunction(() => /^\d+\.\d.%/.test(document.title));
    await page.click("#stop");
    await reaches(page, "^Stopped");
    await put(page, "evaluate_every", "100");
    await close();
    const short = await visit(link(SMALL, "cpu"));
    await train(short.page);
    assert.deepEqual(await short.page.$$eval(".bar-accuracy dt", all => all.map(name => name.innerText)), ["test", "training"]);
    await short.close();
});

test("charts have axes, marks and values, by pointer and by key", async () => {
    const { page, close } = await visit(link(LONG, "cpu"));
    await page.click("#train");
    await page.waitForFunction(() => /step [1-9]/.test(document.querySelector("#status").innerText));
    await put(page, "schedule.rate", "0.001");
    await page.waitForFunction(() => document.querySelectorAll(".plot .mark text").length > 0);
    await says(page, ".bar-accuracy .validation dd", "\\d");
    await page.click("#stop");
    await reaches(page, "^Stopped");
    await page.waitForFunction(() => [...document.querySelectorAll(".plot .mark title")].some(title => title.textContent === "stopped"));
    const marks = await page.$$eval(".plot", all => all.map(plot => [...plot.querySelectorAll(".mark title")].map(title => title.textContent)));
    assert.ok(marks[0].some(mark => /^rate 0.0010/.test(mark)) && marks[0].includes("stopped"), marks.join());
    const [axis] = await page.$$eval(".plot .axis", all => all.map(axis => axis.textContent));
    assert.match(axis, /step/);
    assert.match(axis, /loss/);
    assert.ok(await page.$$eval(".plot:first-of-type .axis text", all => all.length) > 7, "ticks on both axes");
    assert.deepEqual(await page.$$eval(".plot .name", names => [...new Set(names.map(name => name.textContent))].sort()), ["training", "validation"]);
    // Both charts show the values of one step.
    const plot = await page.$(".plot");
    await plot.evaluate(element => element.scrollIntoView({ block: "center" }));
    await page.evaluate(() => document.querySelector(".plot").focus());
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelectorAll(".values").length === 2);
    const steps = await page.$$eval(".values li:first-child", all => all.map(step => step.innerText));
    assert.match(steps[0], /^step \d/);
    assert.equal(steps[0], steps[1]);
    await page.keyboard.press("End");
    await page.waitForFunction(first => document.querySelector(".values li").innerText !== first, {}, steps[0]);
    assert.match(await text(page, ".values"), /training\s*0\.\d+/);
    assert.match(await page.$eval(".plot [role=status]", element => element.textContent), /^step \d+: .*training 0\./);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelectorAll(".values").length === 0);
    // For those who cannot see it there is a table.
    await page.click(".chart-table summary");
    await page.waitForFunction(() => document.querySelectorAll(".chart-table tbody tr").length > 5);
    await close();
});

test("runs that are left by a reload or by Back go on to the same end", async () => {
    const config = { ...LONG, length: { steps: 3000 } };
    const whole = await visit(link(config, "cpu"));
    const end = await train(whole.page);
    await whole.close();
    const { page, faults, close } = await visit(link(config, "cpu"));
    await page.click("#train");
    await is_kept(page);
    await page.reload();
    await page.waitForSelector("#go-on");
    assert.match(await told(page), /A run of mlp was left at step \d.* of 3.000/);
    assert.deepEqual(await finished(page), []);
    await page.click("#go-on");
    await page.waitForFunction(() => !document.querySelector("#go-on"));
    await is_kept(page);
    // And once more, by leaving the page and coming back.
    await page.goto(`${site.url}bench.html`);
    // Firefox may bring the page back as it was, without loading it, which its driver does not notice.
    await page.evaluate(() => setTimeout(() => history.back(), 100));
    await new Promise(done => setTimeout(done, 2000));
    await page.waitForFunction(() => document.querySelector("#go-on") || /^Done/.test(document.querySelector("#status")?.innerText));
    if (await page.$("#go-on")) await page.click("#go-on");
    await reaches(page, "^Done");
    await keeps(page, 1);
    const [again] = await finished(page);
    assert.deepEqual(again.test, end.test);
    assert.deepEqual(again.validation, end.validation);
    assert.equal(again.loss.first, 0, "its curves are whole");
    await page.reload();
    await page.waitForSelector("#train");
    await new Promise(done => setTimeout(done, 1000));
    assert.equal(await page.$("#go-on"), null, "it has ended");
    // On its way Firefox shows a document of nobody's, which has no storage for what the tests put there.
    assert.deepEqual(faults.filter(fault => !fault.includes("SecurityError")), []);
    await close();
});

test("a run that was left can be given up; a run in another tab is not offered", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await is_kept(page);
    const other = await page.browserContext().newPage();
    await other.goto(site.url);
    await other.waitForSelector("#train");
    await new Promise(done => setTimeout(done, 1500));
    assert.equal(await other.$("#go-on"), null);
    // Its list follows what ends here.
    await tab(other, "runs");
    await page.bringToFront();
    await page.click("#stop");
    await reaches(page, "^Stopped");
    await other.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 1);
    assert.match(await other.$eval(".runs tbody tr", row => row.textContent), /stopped/);
    await other.close();
    await page.click("#train");
    await is_kept(page);
    await page.reload();
    await page.waitForSelector("#give-up");
    await page.click("#give-up");
    await keeps(page, 2);
    await page.waitForFunction(() => !document.querySelector("#give-up"));
    await close();
});

test("what was left is not lost where it cannot go on, nor where it is stopped at once", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await is_kept(page);
    await page.click("#train"); // pauses, and what is paused is kept as it stands
    await reaches(page, "^Paused");
    const step = (await status(page)).match(/step ([\d\s]+) of/)[1].replace(/\D/g, "");
    await page.waitForFunction(step => new Promise(done => {
        const open = indexedDB.open("playground", 2);
        open.onsuccess = () => {
            const request = open.result.transaction("left").objectStore("left").getAll();
            request.onsuccess = () => done(request.result.some(({ text }) => JSON.parse(text).state.step === +step));
        };
    }), { polling: 100 }, step);
    await page.reload();
    await page.waitForSelector("#go-on");
    await page.click("#go-on");
    await reaches(page, `^Paused at step ${step.replace(/(\d)(?=(\d{3})+$)/g, "$1.")} of`);
    await page.click("#stop");
    await keeps(page, 1);
    assert.equal((await finished(page))[0].step, +step);
    await close();
});

test("a run that is live when another is looked at is listed, and nothing is saved of what is past", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await train(page);
    await put(page, "length.steps", "1000000");
    await page.click("#train");
    await is_kept(page);
    await tab(page, "runs");
    await page.$$eval(".run-acts button:first-child", buttons => buttons.at(-1).click());
    await keeps(page, 2);
    await reaches(page, "^Done");
    await tab(page, "files");
    assert.ok(await page.$eval("#save", button => button.disabled));
    await put(page, "batch", "abc");
    await page.waitForFunction(() => document.querySelector("#train").disabled);
    assert.ok(await page.$eval(".settings-wait button", button => button.disabled));
    await close();
});

test("a damaged checkpoint is refused before anything stops", async () => {
    const { page, faults, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await is_kept(page);
    const whole = await checkpoint(page);
    for (const bytes of [whole.slice(0, -100), whole.slice(0, 600), [...whole, 0]]) {
        await drop(page, "half.safetensors", bytes);
        await says(page, ".alerts", "`half.safetensors` ends too early");
        await page.$eval(".notice .quiet", button => button.click());
    }
    await drop(page, "other.safetensors", [1, 2, 3]);
    await says(page, ".alerts", "is neither a checkpoint");
    const step = () => page.$eval("#status", element => parseInt(element.innerText.replace(/\D*([\d\s]+) of.*/s, "$1").replace(/\s/g, "")));
    const before = await step();
    await page.waitForFunction(before => parseInt(document.querySelector("#status").innerText.replace(/\D*([\d\s]+) of[^]*/, "$1").replace(/\s/g, "")) > before, {}, before);
    assert.deepEqual(await finished(page), []);
    assert.deepEqual(faults, []);
    await close();
});

test("a run that another replaces is listed, and can be gone on with", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await is_kept(page);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("t"); // ends nothing
    await new Promise(done => setTimeout(done, 300));
    assert.match(await status(page), /^Training/);
    await put(page, "batch", "32");
    await page.click(".settings-wait button");
    await page.waitForSelector(".notice .undo");
    await keeps(page, 1);
    assert.equal((await finished(page))[0].stage, "Stopped");
    await page.click(".notice .undo");
    await keeps(page, 1); // the one that had taken its place, for a moment
    await reaches(page, "^Training");
    await page.click("#stop");
    await reaches(page, "^Stopped");
    await page.waitForFunction(async () => (await keptRuns.all())[1].map(text => JSON.parse(text).state.start.config.batch).includes(64));
    await close();
});

test("divergence is called so, with a way out", async () => {
    const wild = { ...SMALL, optimizer: { rule: "sgd" }, schedule: { rate: 100 } };
    const { page, close } = await visit(link(wild, "cpu"));
    await page.click("#train");
    await reaches(page, "^(Done|Failed)");
    assert.match(await told(page), /(diverged: the loss began at 2\.\d+ and rose to|answers \d to nearly every image|the steps are too large)[^]*10\b/);
    await page.click(".remedy");
    await page.waitForFunction(() => document.querySelector("[name='schedule.rate']").value === "10");
    await reaches(page, "^(Done|Failed)");
    await close();
    const well = await visit(link(SMALL, "cpu"));
    await train(well.page);
    assert.equal((await told(well.page)).trim(), "");
    await well.close();
});

for (const [language, words] of [["en-US", { batch: "must be 1 to 8192", number: "a number is needed", whole: "whole number", why: /Batch: “0” cannot be used/ }],
    ["zh-CN", { batch: "必须为 1 到 8192", number: "需要一个数字", whole: "整数", why: /批大小：“0”不可用/ }]]) {
    test(`what is typed is understood or refused in words, and nothing else is trained meanwhile: ${language}`, async () => {
        const { page, close } = await visit(link(SMALL, "cpu"), { language });
        const refused = async (name, value, reason) => {
            await put(page, name, value);
            await says(page, `[id="refused-${name}"]`, reason);
            assert.equal(await page.$eval(`.settings [name="${name}"]`, input => input.value), value, "it stays as it was typed");
            assert.ok(await page.$eval("#train", button => button.disabled));
        };
        await refused("batch", "3.7", words.whole);
        await refused("batch", "ten", words.number);
        await refused("batch", "", words.number);
        await refused("batch", "0", words.batch);
        assert.match(await text(page, "#why-not"), words.why);
        await page.evaluate(() => document.activeElement.blur());
        await page.keyboard.press("t");
        await new Promise(done => setTimeout(done, 200));
        assert.equal(await page.$eval("#train", button => button.disabled), true);
        await put(page, "batch", "32");
        await put(page, "schedule.rate", "0,01");
        await page.waitForFunction(() => !document.querySelector("#train").disabled);
        assert.equal(await page.$eval("[name='schedule.rate']", input => input.value), "0.01");
        await page.click("#train");
        await keeps(page, 1);
        const [{ start }] = await finished(page);
        assert.deepEqual([start.config.batch, start.config.schedule.rate], [32, 0.01]);
        // A preset takes away what was refused.
        await put(page, "batch", "0");
        await page.waitForFunction(() => document.querySelector("#train").disabled);
        await page.select("select[name=preset]", "softmax");
        await page.waitForFunction(() => !document.querySelector("#train").disabled && document.querySelector("[name=batch]").value !== "0");
        await close();
    });
}

test("a link that wants WebGPU offers the CPU by name where there is none", async () => {
    site.options.without = "webgpu";
    const { page, close } = await visit(link(SMALL, "wgpu"));
    await page.click("#train");
    await reaches(page, "^Failed");
    const words = await told(page);
    assert.doesNotMatch(words, /wgpu/);
    assert.match(words, /cannot be used in this browser[^]*Train on the CPU/);
    await page.click(".remedy");
    await reaches(page, "^Done");
    await keeps(page, 1);
    assert.equal((await finished(page))[0].start.device.engine, "cpu");
    site.options.without = "nothing";
    await close();
});

test("a GPU that computes wrongly is refused in words, a right one is asked once", async () => {
    const fragment = link({ ...SMALL, model: { preset: "softmax" }, length: { steps: 20 } }, "wgpu");
    const right = await visit(fragment);
    await train(right.page);
    await tab(right.page, "device");
    assert.match(await text(right.page, ".check-report"), /right: [\d.]+e-\d+ apart[^]*GFLOP\/s/);
    const kept = () => right.page.evaluate(() => Object.keys(localStorage).filter(key => key.startsWith("checked")).length);
    assert.equal(await kept(), 1);
    await right.close();
    site.options.without = "rightness";
    const wrong = await visit(fragment);
    await wrong.page.click("#train");
    await says(wrong.page, ".alerts", "computes wrongly");
    assert.match(await status(wrong.page), /^Ready/);
    await tab(wrong.page, "device");
    assert.match(await text(wrong.page, ".check-report"), /wrong/);
    await wrong.page.click(".remedy");
    await reaches(wrong.page, "^Done");
    site.options.without = "nothing";
    await wrong.close();
});

test("runs are told apart: named, opened again, saved and read, never by what was not measured", async () => {
    const { page, faults, close } = await visit(link(SMALL, "cpu"));
    await train(page);
    await put(page, "seed", "7");
    await page.click("#train");
    await keeps(page, 2);
    await tab(page, "runs");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 2);
    const heads = () => page.$$eval(".runs thead th", all => all.map(head => head.innerText));
    assert.ok((await heads()).includes("Seed") && !(await heads()).includes("Batch"), (await heads()).join());
    await page.$eval(".run-name", input => {
        input.value = "seven";
        input.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await page.waitForFunction(async () => (await keptRuns.all())[1].some(text => JSON.parse(text).name === "seven"));
    const saved = await page.evaluate(async () => `[${(await keptRuns.all())[1].join(",")}]`);
    await page.reload();
    await page.waitForSelector("#train");
    await tab(page, "runs");
    await page.waitForFunction(() => [...document.querySelectorAll(".run-name")].some(input => input.value === "seven"));
    // The earlier one again, with its curves and settings.
    await page.$$eval(".run-acts button:first-child", buttons => buttons.at(-1).click());
    await reaches(page, "^Done");
    await page.waitForFunction(() => document.querySelector("[name=seed]").value === "1");
    await page.waitForFunction(() => document.querySelectorAll(".plot .training .line").length === 2);
    assert.ok(await page.$eval("#rewind", button => button.disabled), "it is only looked at");
    // What was saved is read again; what the command line tells of a failed run, too.
    await drop(page, "runs.json", Buffer.from(saved));
    await says(page, ".alerts", "2 run");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 4);
    const started = { ...(await finished(page))[0].start, versions: [], choices: {}, seconds: { data: 0, compile: 0, upload: 0, steps: 0, readback: 0, evaluation: 0 } };
    const lines = [
        { version: 1, run: "a", event: "started", ...started },
        { version: 1, run: "a", event: "failed", failure: { message: "the loss became NaN in step 3" }, step: 3 },
    ].map(line => JSON.stringify(line)).join("\n");
    await drop(page, "events.jsonl", Buffer.from(lines));
    await says(page, ".alerts", "went wrong: the loss became NaN in step 3");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 5);
    const row = await page.$$eval(".runs tbody tr:first-child td", cells => cells.map(cell => [cell.dataset.name, cell.innerText.trim()]));
    assert.equal(Object.fromEntries(row)["Images/s"], "–");
    assert.match(Object.fromEntries(row).Device ?? row[0][1], /from a file/);
    assert.deepEqual(faults, []);
    await close();
});

test("devices are compared with their conditions in the sentence", async () => {
    const { page, close } = await visit(link({ ...SMALL, model: { preset: "softmax" } }));
    await tab(page, "runs");
    await page.waitForFunction(() => !document.querySelector("#compare").disabled);
    await page.click("#compare");
    await keeps(page, 2);
    await says(page, ".runs-differ", "times as many images a second");
    assert.match(await text(page, ".runs-differ"), /WebGPU \(software, this browser\)[^]*one run each/);
    // Each run has a colour and a name of its own in the charts.
    await page.$$eval(".runs input[type=checkbox]", boxes => boxes.forEach(box => box.checked || box.click()));
    await page.waitForFunction(() => document.querySelector(".plot").querySelectorAll(".other .line").length === 2);
    const looks = await page.$eval(".plot", plot => [...plot.querySelectorAll(".other .line")].map(line => getComputedStyle(line).strokeDasharray + getComputedStyle(line).color));
    assert.notEqual(looks[0], looks[1]);
    const names = await page.$$eval(".plot .name", names => names.map(name => name.textContent));
    assert.ok(names.includes("run 1") && names.includes("run 2"), names.join());
    await close();
});

test("the parts of the time add up to the time that passed", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 6000 } }, "cpu"));
    await page.click(".sketch-sample");
    const begun = await page.evaluate(() => performance.now());
    const run = await train(page);
    const passed = (await page.evaluate(() => performance.now()) - begun) / 1000;
    const { download = 0, data, compile, upload, steps, readback, evaluation, aside = 0, asleep = 0 } = run.seconds;
    const sum = download + data + compile + upload + steps + readback + evaluation + aside + asleep;
    assert.ok(sum <= passed && sum > 0.9 * passed, `${sum} of ${passed} s`);
    assert.ok(aside > 0, "questions have a row");
    await close();
});

test("keys: other layouts, capitals, and none where they are switched off", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    const press = (key, code) => page.evaluate((key, code) => {
        document.activeElement.blur();
        window.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true }));
    }, key, code);
    await known(page);
    await press("е", "KeyT"); // Russian
    await reaches(page, "^Training");
    await press("P", "KeyP"); // CapsLock
    await reaches(page, "^Paused");
    await press("ｐ", "KeyP"); // full width
    await reaches(page, "^Training");
    await press("χ", "KeyX"); // Greek
    await reaches(page, "^Stopped");
    await page.click("#help-button");
    await page.waitForSelector("#keys");
    await page.click("#keys");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("#help"));
    await press("t", "KeyT");
    await new Promise(done => setTimeout(done, 500));
    assert.match(await status(page), /^Stopped/);
    await close();
});

test("help is in one place and follows the focus", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await page.click("#help-button");
    await page.waitForSelector("#help");
    await page.focus("[name=batch]");
    await says(page, ".help-now", "^Batch[^]*Images a step");
    await page.focus("select[name=optimizer]");
    await says(page, ".help-now", "^Optimizer");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("#help"));
    // No tab stop is only there to explain another.
    assert.equal(await page.$$eval("button, summary", all => all.filter(one => one.innerText.trim() === "?" && one.id !== "help-button").length), 0);
    await close();
});

test("a tap draws, the right button does not, and strokes are taken back", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await says(page, ".strip .card-aside", "of 24 right");
    const { x, y, width, height } = await (await page.$("#board")).boundingBox();
    const ink = () => page.$eval("#board", board => board.getContext("2d").getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b));
    await page.mouse.click(x + width / 2, y + height / 2, { button: "right" });
    await new Promise(done => setTimeout(done, 200));
    assert.equal(await ink(), 0);
    await page.mouse.click(x + width / 2, y + height / 2);
    await says(page, "#answer", "Too small");
    assert.ok(await ink() > 0);
    // A stroke that begins beside the board comes onto it.
    await page.mouse.move(x - 10, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width - 20, y + height / 2, { steps: 8 });
    await page.mouse.up();
    await says(page, "#answer", "reads \\d");
    const both = await ink();
    await page.click(".sketch-undo");
    await page.waitForFunction(both => document.querySelector("#board").getContext("2d").getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b) < both, {}, both);
    await page.click(".sketch-undo");
    await says(page, "#answer", "nothing drawn");
    // Another language leaves the drawing as it is.
    await page.mouse.move(x + width / 2, y + 20);
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + height - 20, { steps: 8 });
    await page.mouse.up();
    await says(page, "#answer", "reads \\d");
    const drawn = await ink();
    await page.select("#language", "zh-Hans");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await page.waitForFunction(drawn => document.querySelector("#board").getContext("2d").getImageData(0, 0, 280, 280).data.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b) === drawn, {}, drawn);
    await close();
});

test("a picture of a digit goes to the board, and text where it is dropped", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await says(page, ".strip .card-aside", "of 24 right");
    const png = await page.evaluate(async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 60, height: 60 });
        const context = canvas.getContext("2d");
        context.fillStyle = "#fff";
        context.fillRect(0, 0, 60, 60);
        context.fillStyle = "#000";
        context.fillRect(27, 10, 7, 40);
        const blob = await new Promise(done => canvas.toBlob(done));
        return [...new Uint8Array(await blob.arrayBuffer())];
    });
    await drop(page, "one.png", png);
    await says(page, "#answer", "reads \\d");
    await drop(page, "none.png", [1, 2, 3]);
    await says(page, ".alerts", "`none.png` shows no digit");
    const prevented = await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.setData("text/plain", "{}");
        return !document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    });
    assert.equal(prevented, false);
    await close();
});

test("links are read as mail programs and chats mangle them", async () => {
    const whole = link({ ...SMALL, seed: 77 }, undefined).slice(1);
    for (const mangled of [`#${whole}).`, `#${encodeURIComponent(whole)}`, `#%23${whole}`, `#${whole.replace("run=", "RUN=")}`]) {
        const { page, close } = await visit(mangled);
        assert.equal(await page.$eval("[name=seed]", input => input.value), "77", mangled);
        await close();
    }
    const short = await visit("#preset=mlp&engine=cpu&hide=settings,runs");
    assert.equal(await short.page.$("#tab-runs"), null);
    assert.ok(await short.page.$eval("#settings", element => element.hidden));
    await short.close();
});

test("storage that never answers costs nothing but the list", async () => {
    const { page, close } = await visit(link({ ...SMALL, length: { steps: 30 } }, "cpu"));
    await page.evaluateOnNewDocument(() => {
        indexedDB.open = () => ({});
    });
    await page.reload();
    await page.waitForSelector("#train");
    await page.click("#train");
    await reaches(page, "^Done");
    await tab(page, "runs");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 1);
    await says(page, ".alerts", "does not keep the list of runs");
    await close();
});

test("what cannot start says why", async () => {
    const cases = [
        ["page_glue_bg", "could not start", () => {}],
        ["page-", "could not start", () => {}],
        [undefined, "no WebAssembly", () => { delete self.WebAssembly; }],
    ];
    for (const [missing, words, prepare] of cases) {
        site.options.missing = missing;
        const context = await browser.createBrowserContext();
        const page = await context.newPage();
        await page.evaluateOnNewDocument(prepare);
        await page.goto(site.url);
        await says(page, "#loading", words);
        await context.close();
    }
    // The part that trains: its script, and its wasm.
    for (const missing of ["worker-", "worker_"]) {
        site.options.missing = missing;
        const { page, close } = await visit(link(SMALL, "cpu"));
        await says(page, ".alerts", "could not be loaded[^]*Reload");
        await page.click("#train");
        await new Promise(done => setTimeout(done, 300));
        assert.match(await status(page), /^Ready/);
        assert.match(await told(page), /could not be loaded/);
        await close();
    }
    site.options.missing = undefined;
});

test("a new version under an open page is told when its worker dies", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await is_kept(page);
    site.options.missing = "worker";
    await page.setCacheEnabled(false);
    await break_(page, "crash");
    await says(page, ".alerts", "could not be loaded[^]*new version[^]*Reload");
    site.options.missing = undefined;
    await close();
});

test("opened as a file, the page says how it is to be served", CHROMIUM_ONLY, async () => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.goto(`file://${path.resolve(SITE)}/index.html`);
    await says(page, "#loading", "cannot be opened as a file[^]*playground-cli serve");
    await context.close();
});

test("what moves is not translated by the browser, and survives where it is", async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    // As translating browsers do it: text nodes are replaced where translation is allowed.
    await page.evaluate(() => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const nodes = [];
        while (walker.nextNode()) nodes.push(walker.currentNode);
        for (const node of nodes) {
            if (!node.data.trim() || node.parentElement.closest("[translate=no], script, style")) continue;
            const font = document.createElement("font");
            font.textContent = `~${node.data}~`;
            node.replaceWith(font);
        }
    });
    await page.click("#train");
    await reaches(page, "^Training: step [1-9]");
    assert.match(await text(page, "#train"), /Pause/);
    await page.click("#train");
    await reaches(page, "^Paused");
    assert.match(await text(page, "#train"), /Resume/);
    await page.click("#stop");
    await reaches(page, "^Stopped");
    await close();
});

test("the charts are drawn at most once a frame", CHROMIUM_ONLY, async () => {
    const { page, close } = await visit(link({ ...LONG, length: { steps: 1_000_000 } }, "cpu"));
    await page.click("#train");
    await page.waitForFunction(() => document.querySelector(".plot-svg svg"));
    const { frames, drawn } = await page.evaluate(() => new Promise(done => {
        const counts = { frames: 0, drawn: 0 };
        new MutationObserver(() => counts.drawn += 1).observe(document.querySelector(".plot-svg"), { childList: true });
        const frame = () => {
            counts.frames += 1;
            requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
        setTimeout(() => done({ ...counts }), 3000);
    }));
    assert.ok(drawn > 5 && drawn <= frames + 1, `${drawn} drawings in ${frames} frames`);
    await close();
});

for (const width of [320, 640, 1280, 1920]) {
    test(`what trains and how well is in view wherever one scrolls: ${width} px`, async () => {
        const { page, close } = await visit(link(SMALL, "cpu"), { width });
        await train(page);
        for (const place of [0, 0.5, 1]) {
            await page.evaluate(place => scrollTo(0, place * document.documentElement.scrollHeight), place);
            await new Promise(done => setTimeout(done, 100));
            const { top, bottom, height } = await page.evaluate(() => ({ ...document.querySelector("#train").getBoundingClientRect().toJSON(), height: innerHeight }));
            assert.ok(top >= 0 && bottom <= height, `from ${top} to ${bottom} of ${height}`);
        }
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width);
        if (width >= 1280) {
            const inside = await page.$$eval("#board, .answers", all => all.every(one => one.getBoundingClientRect().bottom <= innerHeight));
            assert.ok(inside, "the drawing and its answer are in view");
        }
        await close();
    });
}
