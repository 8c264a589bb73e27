// The page as visitors use it: node --test chromium.test.mjs (or firefox.test.mjs), with SITE the folder of a built site, and
// CLI the built playground-cli. `cargo xtask test` does all that.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

import { FIREFOX } from "./browser.mjs";
import {
    CHROMIUM_ONLY, CLI, NEEDS_MNIST, SITE, SMALL, accessible, break_, browser, dispatches, downloads, finished, keeps, known, link, put,
    reaches, site, status, tab, test, told, train, visit,
} from "./common.mjs";
import { longestTask } from "./tasks.mjs";

test("one button trains a network that reads what is drawn", async () => {
    const { page, faults, close } = await visit("#engine=cpu");
    assert.match(await status(page), /^Ready/);
    const run = await train(page);
    assert.ok(run.test.accuracy > 0.9, `accuracy ${run.test.accuracy}`);
    assert.equal(run.start.device.engine, "cpu");
    assert.equal(await dispatches(page), 0);
    assert.match(await page.$eval(".bar [role=status]", element => element.innerText), /^Done.*accuracy/, "what is spoken");
    const board = await page.$("#board");
    await board.scrollIntoView();
    const { x, y, width, height } = await board.boundingBox();
    await page.mouse.move(x + width / 2, y + height / 5);
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + 4 * height / 5, { steps: 10 });
    await page.mouse.up();
    // Half a line may be answered first, as something else; what is said of the whole one stays.
    await page.waitForFunction(() => /reads 1\b/.test(document.querySelector("#answer").innerText));
    await new Promise(done => setTimeout(done, 500));
    assert.match(await page.$eval("#answer", element => element.innerText), /reads 1\b/);
    assert.deepEqual(faults, []);
    await close();
});

test("the nearest training images are shown beside a drawing", async () => {
    const { page, faults, close } = await visit(link({ ...SMALL, length: { steps: 100_000 } }, "cpu"));
    await page.click("#train");
    await reaches(page, "^Training");
    await tab(page, "nearest");
    await page.waitForFunction(() => !document.querySelector(".sketch-sample").disabled);
    await page.click(".sketch-sample");
    await page.waitForFunction(() => document.querySelectorAll(".nearest button").length === 8);
    const { distances, labels, says } = await page.evaluate(() => {
        const gray = canvas => [...canvas.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0);
        const drawing = gray(document.querySelector(".sketch-seen canvas"));
        const near = [...document.querySelectorAll(".nearest button")];
        const distance = pixels => pixels.reduce((sum, value, i) => sum + (value - drawing[i]) ** 2, 0);
        return {
            distances: near.map(button => distance(gray(button.querySelector("canvas")))),
            labels: near.map(button => button.innerText.trim()),
            says: document.querySelector("#nearest").innerText,
        };
    });
    assert.deepEqual(distances, distances.toSorted((a, b) => a - b));
    assert.ok(distances[0] > 0, "a test digit is none of the training images");
    const votes = labels.map(label => labels.filter(other => other === label).length);
    assert.equal(says, `${Math.max(...votes)} of the 8 nearest are a ${labels[votes.indexOf(Math.max(...votes))]}`);
    // One of them on the board is its own nearest neighbour.
    const last = await page.$$eval(".nearest canvas", all => all.at(-1).toDataURL());
    await (await page.$$(".nearest button"))[7].click();
    await page.waitForFunction(last => document.querySelector(".nearest canvas")?.toDataURL() === last, {}, last);
    await page.click(".sketch-clear");
    await page.waitForFunction(() => document.querySelectorAll(".nearest button").length === 0);
    assert.match(await status(page), /^Training/);
    assert.deepEqual(faults, []);
    await close();
});

test("the images of a run can be looked at, class by class", async () => {
    const { page, faults, close } = await visit(link(SMALL, "cpu"));
    const shown = () => page.$$eval(".images .gallery button", all => all.map(button => button.innerText.trim()));
    const press = async name => (await page.$(`.images ::-p-text(${name})`)).click();
    const places = words => page.waitForFunction(words => new RegExp(words).test(document.querySelector(".images [role=status]").innerText), {}, words);
    const counts = () => page.$$eval(".images-classes .value:nth-child(3)", all => all.map(value => Number(value.innerText.replace(/\D/g, ""))));
    await tab(page, "images");
    assert.match(await page.$eval(".images", element => element.innerText), /There is no run/);
    await press("Begin one that waits");
    await reaches(page, "^Paused at step 0 ");
    await places("^1 to 48 of 1.800$");
    assert.equal((await counts()).reduce((a, b) => a + b), 1800);
    const threes = (await counts())[3];
    assert.ok(threes > 100 && threes < 260, `${threes}`);
    await (await page.$$(".images-classes button"))[3].click();
    await places(`^1 to 48 of ${threes}$`);
    await page.waitForFunction(() => [...document.querySelectorAll(".images .gallery button")].every(button => button.innerText.trim() === "3"));
    assert.equal((await shown()).length, 48);
    const picture = () => page.$eval(".images .gallery canvas", canvas => canvas.toDataURL());
    const first = await picture();
    await press("Next");
    await places(`^49 to 96 of ${threes}$`);
    await page.waitForFunction(first => document.querySelector(".images .gallery canvas").toDataURL() !== first, {}, first);
    await press("validation");
    await page.waitForFunction(() => [...document.querySelectorAll(".images-classes .value:nth-child(3)")].reduce((sum, value) => sum + Number(value.innerText), 0) === 200);
    await (await page.$(".images .gallery button")).click();
    await tab(page, "nearest");
    await page.waitForFunction(() => document.querySelectorAll(".nearest button").length === 8); // it was drawn
    assert.deepEqual(faults, []);
    await close();
});

test("layers are edited inside residual blocks, and a mistake is told where it is", async () => {
    const conv = { conv2d: { filters: 4, kernel: 3, padding: 1 } };
    const layers = [conv, { residual: { layers: [conv, "relu"] } }, "flatten", { dense: { units: 10 } }];
    const { page, faults, close } = await visit(link({ ...SMALL, model: { network: { layers } }, length: { steps: 5 } }, "cpu"));
    await tab(page, "network");
    await page.$$eval(".network details", all => all.forEach(details => details.open = true));
    await page.waitForSelector(".editor li");
    const names = () => page.$$eval(".editor li > b", all => all.map(name => name.innerText).join(" "));
    const becomes = wanted => page.waitForFunction(wanted =>
        [...document.querySelectorAll(".editor li > b")].map(name => name.innerText).join(" ") === wanted, {}, wanted);
    const about = name => page.$$eval(".editor li", (all, name) => all.find(item => item.innerText.startsWith(name)).innerText, name);
    assert.equal(await names(), "1. conv 2. residual 2.1. conv 2.2. relu 3. flatten 4. dense");
    assert.match(await about("2.1. conv"), /4 × 28 × 28 · 148 parameters · 22\d.\d{3} FLOPs/);
    await page.select("select[aria-label^='Add a layer inside 2. residual']", "bn");
    await becomes("1. conv 2. residual 2.1. conv 2.2. relu 2.3. bn 3. flatten 4. dense");
    await page.click("[aria-label='Move up: 2.3. bn']");
    await becomes("1. conv 2. residual 2.1. conv 2.2. bn 2.3. relu 3. flatten 4. dense");
    await page.waitForFunction(() => document.activeElement.ariaLabel === "Move up: 2.2. bn"); // the focus follows
    // Twice the filters: the shortcut has to follow, by a convolution of its own.
    await page.$eval(".editor li:nth-child(3) input", input => (input.focus(), input.select()));
    await page.keyboard.type("8");
    await page.keyboard.press("Tab");
    await page.waitForFunction(() => /^2. residual[^]*8 × 28 × 28/.test(document.querySelectorAll(".editor li")[1].innerText));
    assert.equal(await page.evaluate(() => document.activeElement.closest("label")?.innerText), "kernel");
    // The bar at the top may be above what is to be clicked.
    const press = label => page.$eval(`[aria-label="${label}"]`, button => button.click());
    const filters = () => page.$$eval(".editor li", all => all.map(item => item.querySelector("label")?.innerText === "filters" && item.querySelector("input").value).filter(Boolean));
    await page.select("select[aria-label^='Add a layer inside 2. residual']", "conv");
    await becomes("1. conv 2. residual 2.1. conv 2.2. bn 2.3. relu 2.4. conv 3. flatten 4. dense");
    await press("Move up: 2.4. conv");
    await becomes("1. conv 2. residual 2.1. conv 2.2. bn 2.3. conv 2.4. relu 3. flatten 4. dense");
    await press("Move up: 2.3. conv");
    await becomes("1. conv 2. residual 2.1. conv 2.2. conv 2.3. bn 2.4. relu 3. flatten 4. dense");
    assert.deepEqual(await filters(), ["4", "8", "16"]);
    await press("Move down: 2.1. conv"); // and what was typed goes with it
    await page.waitForFunction(() => document.activeElement.ariaLabel === "Move down: 2.2. conv");
    assert.deepEqual(await filters(), ["4", "16", "8"]);
    await press("Remove: 2.1. conv");
    await becomes("1. conv 2. residual 2.1. conv 2.2. bn 2.3. relu 3. flatten 4. dense");
    assert.deepEqual(await filters(), ["4", "8"]);
    await page.select("select[aria-label^='Add a layer inside 2. residual']", "flatten");
    await page.waitForFunction(() => document.querySelectorAll(".editor .problem").length === 1);
    assert.match(await about("2. residual"), /layer 2 \(residual\) gets images \[1,4,28,28\] but needs a path .* ends in \[1,6272\]/);
    await page.click("[aria-label='Remove: 2.4. flatten']");
    await page.waitForFunction(() => document.querySelectorAll(".network .problem:not(:empty)").length === 0);
    const run = await train(page);
    const inside = run.start.config.model.network.layers[1].residual.layers;
    assert.deepEqual(inside.map(layer => layer.conv2d?.filters ?? layer), [8, "batch_norm", "relu"]);
    assert.deepEqual(faults, []);
    await close();
});

test("what is not accepted is told in Chinese, too", async () => {
    const bad = await visit(link({ ...SMALL, batch: 0 }), { language: "zh-CN" });
    assert.match(await told(bad.page), /“batch”为 0，但必须为 1 到 8192/);
    await bad.close();
    const layers = ["flatten", { conv2d: { filters: 4, kernel: 3 } }, { dense: { units: 10 } }];
    const { page, close } = await visit(link({ ...SMALL, model: { network: { layers } } }), { language: "zh-CN" });
    await tab(page, "network");
    await page.waitForFunction(() => /第 2 层（conv）的输入为 \[1,784\]，但需要图像/.test(document.querySelector(".network > .problem").innerText));
    await close();
    const wild = await visit(link({ ...SMALL, optimizer: { rule: "sgd" }, loss: "mean_squared_error", schedule: { rate: 1000 } }, "cpu"), { language: "zh-CN" });
    await wild.page.click("#train");
    await wild.page.waitForFunction(() => /步子太大，请改用学习率 100/.test(document.querySelector(".alerts").innerText));
    await wild.close();
});

test("a language whose texts do not come is told, and can be chosen again", async () => {
    site.options.lost = ".txt";
    const { page, faults, close } = await visit("", { language: "zh-CN" });
    const language = ".header-switches label:first-of-type select";
    const shown = () => page.$eval(language, select => [select.value, document.documentElement.lang, document.title]);
    assert.deepEqual(await shown(), ["en", "en", "Training playground"]);
    assert.match(await told(page), /^The texts in 简体中文 could not be loaded/);
    assert.deepEqual(await page.$$eval(`${language} option`, all => all.map(option => option.innerText)), ["English", "简体中文"]);
    await page.click(".notice button");
    await page.select(language, "zh-Hans");
    await page.waitForSelector(".notice");
    assert.deepEqual(await shown(), ["en", "en", "Training playground"]);
    site.options.lost = null;
    await page.select(language, "zh-Hans");
    await page.waitForFunction(() => document.title === "训练乐园");
    assert.deepEqual(await shown(), ["zh-Hans", "zh-Hans", "训练乐园"]);
    await page.reload();
    await page.waitForSelector("#train");
    assert.deepEqual(await shown(), ["zh-Hans", "zh-Hans", "训练乐园"], "it is remembered");
    assert.deepEqual(faults.filter(fault => !fault.includes("404")), []);
    await close();
});

test("MNIST on the CPU", NEEDS_MNIST, async () => {
    const { page, faults, close } = await visit(link({ model: { preset: "mlp" }, dataset: { name: "mnist" }, length: { epochs: 2 } }, "cpu"));
    const run = await train(page);
    assert.ok(run.test.accuracy >= 0.95, `accuracy ${run.test.accuracy}`);
    assert.equal(run.start.data.training, 55000);
    assert.ok(run.seconds.download > 0 && run.seconds.data > 0, JSON.stringify(run.seconds));
    assert.equal(await dispatches(page), 0);
    assert.deepEqual(faults, []);
    await close();
});

test("MNIST on WebGPU", NEEDS_MNIST, async () => {
    const { page, faults, close } = await visit(link({ model: { preset: "mlp" }, dataset: { name: "mnist" }, length: { steps: 500 } }, "wgpu"));
    const run = await train(page);
    assert.ok(run.test.accuracy >= 0.9, `accuracy ${run.test.accuracy}`);
    assert.equal(run.start.device.engine, "wgpu");
    assert.ok(await dispatches(page) > 500);
    assert.deepEqual(faults, []);
    await close();
});

test("pausing, single steps and rewinding change no number", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    const whole = await train(page);
    await page.click("#rewind");
    await reaches(page, "^Paused at step 0 ");
    await page.click("#step");
    await reaches(page, "^Paused at step 1 ");
    await page.click("#train"); // resumes
    await reaches(page, "^Done");
    await keeps(page, 2);
    const [again] = await finished(page);
    assert.deepEqual(again.test, whole.test);
    assert.deepEqual(again.validation, whole.validation);
    await close();
});

test("the learning rate is drawn before the run, as the run then has it", async () => {
    const { page, close } = await visit(link({ ...SMALL, schedule: { rate: 0.002, shape: "one_cycle" } }, "cpu"));
    const told = () => page.$eval(".course figcaption", element => element.innerText);
    assert.match(await told(), /^120 steps: 8.0e-5 → 0.0020 → 8.0e-9/);
    assert.equal((await page.$eval(".course path", path => path.getAttribute("d"))).split("L").length, 120);
    assert.ok(Math.abs((await train(page)).rate / 8e-9 - 1) < 1e-3);
    await page.select("select[name=schedule]", "exponential");
    await page.waitForFunction(() => /→ 0.0013$/.test(document.querySelector(".course figcaption").innerText)); // 5th epoch
    await close();
});

test("rate and momentum change in the run, until it is rewound", async () => {
    const { page, close } = await visit(link({ ...SMALL, optimizer: { rule: { nesterov: {} } }, schedule: { rate: 0.01 } }, "cpu"));
    const whole = await train(page);
    const change = async (name, value) => {
        await page.$eval(`input[name="${name}"]`, (input, value) => {
            input.value = value;
            input.dispatchEvent(new Event("change", { bubbles: true }));
        }, value);
        assert.ok(await page.$eval(".settings-wait", element => element.hidden), "it applies at once");
    };
    const values = () => page.evaluate(() =>
        ["schedule.rate", "optimizer.rule.nesterov.momentum"].map(name => +document.querySelector(`input[name="${name}"]`).value));
    const runs = async count => {
        await reaches(page, "^Done");
        await keeps(page, count);
        return (await finished(page))[0];
    };
    const again = async () => {
        await page.click("#rewind");
        await reaches(page, "^Paused at step 0 ");
        assert.deepEqual(await values(), [0.01, 0.9]);
        await page.click("#step");
        await reaches(page, "^Paused at step 1 ");
    };
    await again();
    await change("optimizer.rule.nesterov.momentum", 0.25);
    await page.click("#train"); // resumes
    const slow = await runs(2);
    assert.notEqual(slow.test.loss, whole.test.loss);
    await again();
    await change("schedule.rate", 0.02);
    await page.click("#train");
    assert.equal((await runs(3)).rate, 0.02);
    await again();
    await page.click("#train");
    assert.deepEqual((await runs(4)).test, whole.test);
    await close();
});

test("training leaves the page's own thread free", CHROMIUM_ONLY, async () => {
    const { page, close } = await visit(link({ ...SMALL, length: { steps: 1500 } }, "cpu"));
    const idle = await longestTask(page, async () => {
        await page.reload();
        await page.waitForSelector("#train");
        await known(page);
    });
    const run = await train(page);
    // With as many old runs as the page keeps, too.
    await page.evaluate(async run => {
        for (let i = 0; i < 49; i++) await keptRuns.add(JSON.stringify({ version: 1, number: 0, state: run }));
    }, run);
    await page.reload();
    await page.waitForSelector("#train");
    await tab(page, "runs");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 50);
    const training = await longestTask(page, async () => {
        await page.click("#train");
        await reaches(page, "^Done");
    });
    console.log(`longest task: ${idle} ms on the idle page, ${training} ms while training`);
    assert.ok(training > 0 && training <= 2 * idle, `${training} ms while training, ${idle} ms on the idle page`);
    await close();
});

test("where the time goes is told from the first step on", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await tab(page, "timing");
    await page.click("#step"); // the first press makes a step, too
    await reaches(page, "^Paused at step 1 ");
    const parts = await page.$$eval(".timing li", rows => rows.map(row => [...row.children].map(cell => cell.innerText)));
    const told = parts.filter(([, , value]) => /\d/.test(value)).map(([name]) => name);
    // Firefox's clock goes in milliseconds: what takes less than one may not show there.
    const short = FIREFOX ? ["compile", "upload"] : [];
    assert.deepEqual(told.filter(name => !short.includes(name)), ["images", "compile", "upload", "steps"].filter(name => !short.includes(name)));
    assert.doesNotMatch(await page.$eval(".timing", element => element.innerText), /hidden/);
    await page.click("#rewind");
    await reaches(page, "^Paused at step 0 ");
    await page.waitForFunction(() => /images\s+\d/.test(document.querySelector(".timing").innerText));
    await close();
});

test("a link says what to train, and never starts it", async () => {
    const first = await visit(link({ ...SMALL, seed: 7, batch: 32 }, "cpu") + "&hide=runs");
    await new Promise(done => setTimeout(done, 1000));
    assert.match(await status(first.page), /^Ready/);
    const address = await first.page.evaluate(() => location.hash);
    // Without the settings, results take their room.
    const bare = await visit("#hide=settings");
    const width = page => page.$eval("#strip", element => element.clientWidth);
    assert.ok(await width(bare.page) > await width(first.page) + 250, "results are as narrow as beside the settings");
    await bare.close();
    const second = await visit(address);
    assert.equal(await second.page.evaluate(() => location.hash), address);
    const run = await train(second.page);
    assert.deepEqual([run.start.config.seed, run.start.config.batch, run.start.device.engine], [7, 32, "cpu"]);
    const bad = await visit(link({ ...SMALL, batch: 0 }));
    assert.match(await told(bad.page), /`batch` is 0/);
    await Promise.all([first.close(), second.close(), bad.close()]);
});

test("a checkpoint goes from the page to the command line and back", CHROMIUM_ONLY, async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await train(page);
    const session = await page.createCDPSession();
    await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: downloads,
        browserContextId: page.browserContext().id });
    await tab(page, "files");
    await page.click("#save");
    const saved = path.join(downloads, "playground-120.safetensors");
    for (let i = 0; !fs.existsSync(saved) && i < 100; i++) await new Promise(done => setTimeout(done, 100));
    const continued = path.join(downloads, "continued.safetensors");
    const out = execFileSync(CLI, ["train", "--resume", saved, "--steps", "180", "--engine", "cpu", "--save", continued, "--json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const events = out.trim().split("\n").map(line => JSON.parse(line));
    assert.equal(events.find(event => event.event === "started").first_step, 120);
    const summary = events.find(event => event.event === "finished");
    // The page goes on from what the command line wrote, and so ends at once, with the same test.
    const input = await page.$("input[type=file]");
    await input.uploadFile(continued);
    await keeps(page, 2);
    const [run] = await finished(page);
    assert.equal(run.step, 180);
    assert.ok(Math.abs(run.test.accuracy - summary.test_accuracy) < 1e-9);
    // Its events join the comparison.
    const file = path.join(downloads, "events.jsonl");
    fs.writeFileSync(file, out);
    await (await page.$("input[type=file]")).uploadFile(file);
    await keeps(page, 3);
    await close();
});

test("images of the visitor's own are read, packed or not, and damaged ones told", async () => {
    const { page, faults, close } = await visit(link(SMALL, "cpu"));
    await tab(page, "files");
    const words = numbers => Buffer.from(Uint32Array.from(numbers).buffer).swap32();
    const pair = (count, side = 28) => [
        Buffer.concat([words([0x0803, count, side, side]), Buffer.from(Array.from({ length: count * side ** 2 }, (_, i) => i * i % 251))]),
        Buffer.concat([words([0x0801, count]), Buffer.from(Array.from({ length: count }, (_, i) => i % 10))]),
    ];
    const names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images.idx3-ubyte", "t10k-labels-idx1-ubyte"];
    const open = async (contents, expected) => {
        const files = names.map(name => path.join(downloads, name));
        files.forEach((file, i) => fs.writeFileSync(file, contents[i]));
        await (await page.$("input[type=file]")).uploadFile(...files);
        await page.waitForFunction(words => new RegExp(words).test(document.querySelector(".alerts").innerText), {}, expected);
    };
    const [images, labels] = pair(5300);
    const [packed, test] = [gzipSync(images), pair(50)];
    await open([packed.subarray(0, -9), gzipSync(labels), ...test], "train-images-idx3-ubyte: the file cannot be unpacked");
    await open([gzipSync(Buffer.alloc(269 << 20)), gzipSync(labels), ...test], "unpacks to more than 268435472 bytes");
    await open([packed, gzipSync(labels), ...test.reverse()], "the images file is mislabelled");
    await open([...pair(5300, 32), ...pair(50, 32)], "32×32, but this page draws and shows 28×28");
    await open([packed, gzipSync(labels), ...test.reverse()], "5.?300 .*50 ");
    assert.equal((await train(page)).start.config.dataset.name, "own");
    assert.deepEqual(faults, []);
    await close();
});

test("a browser without relaxed SIMD trains in the other module, to nearly the same end", async () => {
    const ends = [];
    for (const [without, vectors] of [["nothing", "relaxed SIMD"], ["relaxed", "SIMD128"]]) {
        site.options.without = without;
        const { page, faults, close } = await visit(link(SMALL, "cpu"));
        const run = await train(page);
        assert.match(run.start.device.name, new RegExp(vectors));
        ends.push(run.test.loss);
        assert.deepEqual(faults, []);
        await close();
    }
    site.options.without = "nothing";
    assert.ok(Math.abs(ends[0] / ends[1] - 1) < 0.01 && ends[0] !== ends[1], `losses ${ends}`);
});

test("each reason for missing WebGPU is told, and nothing takes its place", async () => {
    const reasons = { webgpu: "This browser has no WebGPU", adapter: "offers no graphics adapter", permission: "could not be opened: .*planted refusal" };
    for (const [without, reason] of Object.entries(reasons)) {
        site.options.without = without;
        const { page, close } = await visit(link(SMALL, "wgpu"));
        await tab(page, "device");
        await page.waitForFunction(reason => new RegExp(reason).test(document.body.innerText), {}, reason);
        await page.click("#train");
        await reaches(page, "^(Failed|Training|Done)");
        assert.match(await status(page), /^Failed/, without);
        assert.notEqual((await told(page)).trim(), "", without);
        assert.deepEqual(await finished(page), []);
        await close();
    }
    site.options.without = "nothing";
    const insecure = await visit("", { url: site.url.replace("127.0.0.1", "school.test") });
    await tab(insecure.page, "device");
    await insecure.page.waitForFunction(() => /insecure connection/.test(document.body.innerText));
    await insecure.close();
});

test("finished runs stay in the browser, and nothing else is believed", async () => {
    const { page, faults, close } = await visit(link({ ...SMALL, length: { steps: 30 } }, "cpu"));
    const rows = count => page.waitForFunction(count => document.querySelectorAll(".runs tbody tr").length === count, {}, count);
    const run = await train(page);
    await page.click("#train");
    await keeps(page, 2);
    await page.evaluate(async run => {
        for (const text of ["", "[]", "{}", JSON.stringify(run), JSON.stringify({ version: 2, number: 0, state: run })]) await keptRuns.add(text);
        await keptRuns.add(JSON.stringify({ version: 1, number: 0, state: { ...run, loss: { ...run.loss, width: 0 } } }));
    }, run);
    await page.reload();
    await page.waitForSelector("#train");
    await tab(page, "runs");
    await rows(2);
    assert.deepEqual(await page.$$eval(".run-name", names => names.map(name => name.placeholder)), ["run 2", "run 1"]);
    assert.equal(await page.evaluate(() => localStorage.getItem("runs")), null);
    // An old run is drawn beside a new one, and there is room for fifty.
    await page.click(".runs tbody tr:last-child input[type=checkbox]");
    await page.waitForSelector(".plot .other .line");
    await page.evaluate(async run => {
        for (let i = 0; i < 60; i++) await keptRuns.add(JSON.stringify({ version: 1, number: 0, state: run }));
    }, run);
    await page.reload();
    await page.waitForSelector("#train");
    await tab(page, "runs");
    await rows(50);
    await keeps(page, 50);
    // What is taken off the list can be put back for a while; the next thing that can be undone settles it.
    await page.click(".runs tbody tr:last-child .run-acts button:last-child");
    await rows(49);
    await page.$eval(".runs .files-buttons button:last-child", button => button.click());
    await rows(0);
    await keeps(page, 49);
    await page.click(".notice .undo");
    await rows(49);
    await page.$eval(".runs .files-buttons button:last-child", button => button.click());
    await rows(0);
    await keeps(page, 0); // ten seconds later
    assert.deepEqual(faults, []);
    await close();
});

test("a browser that keeps nothing is not pretended to", async () => {
    const { page, close } = await visit(link({ ...SMALL, length: { steps: 30 } }, "cpu"));
    await page.evaluateOnNewDocument(() => Object.defineProperty(self, "indexedDB", { value: undefined }));
    await page.reload();
    await page.waitForSelector("#train");
    await page.click("#train");
    await page.waitForFunction(() => /does not keep the list of runs/.test(document.querySelector(".alerts").innerText));
    await tab(page, "runs");
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 1);
    await close();
});

test("a run that waits for the devices can be stopped", async () => {
    site.options.without = "haste";
    const { page, close } = await visit(link(SMALL, "cpu"));
    await page.click("#train");
    await reaches(page, "^Looking");
    await put(page, "schedule.rate", "0.01"); // nothing to be told yet
    await page.click("#stop");
    await reaches(page, "^Ready");
    await known(page);
    await new Promise(done => setTimeout(done, 500));
    assert.match(await status(page), /^Ready/);
    assert.equal((await told(page)).trim(), "");
    site.options.without = "nothing";
    assert.equal((await train(page)).start.config.schedule.rate, 0.01);
    await close();
});

test("a run that cannot start does not take the next one with it", async () => {
    const { page, close } = await visit(link({ ...SMALL, dataset: { name: "fashion-mnist" } }, "cpu"));
    await known(page);
    await page.click("#train");
    await reaches(page, "^Failed");
    assert.match(await told(page), /no data set `fashion-mnist` here/);
    await page.evaluate(() => {
        self.said = [];
        const note = () => self.said.push(document.querySelector("#status").innerText);
        document.querySelector("#train").click();
        const field = document.querySelector(".settings [name=data]");
        field.value = "digits";
        field.dispatchEvent(new Event("change", { bubbles: true }));
        document.querySelector("#train").click();
        requestAnimationFrame(() => new MutationObserver(note).observe(document.querySelector("#status"), { subtree: true, characterData: true, childList: true }));
    });
    await reaches(page, "^Training");
    assert.deepEqual((await page.evaluate(() => self.said)).filter(said => said.startsWith("Failed")), []);
    assert.equal((await told(page)).trim(), "");
    await close();
});

test("a comparison goes on after an engine fails", async () => {
    const { page, close } = await visit(link({ ...SMALL, loss: "mean_squared_error", optimizer: { rule: "sgd" }, schedule: { rate: 1000 } }));
    await tab(page, "runs");
    await page.waitForFunction(() => !document.querySelector("#compare").disabled);
    await page.$eval("#compare", button => button.click());
    await page.waitForFunction(() => /WebGPU/.test(document.querySelector("#status").innerText));
    await reaches(page, "^Failed");
    assert.equal((await told(page)).match(/the loss became/g).length, 2);
    await close();
});

test("a worker that dies is replaced, and its run goes on as it was", async () => {
    const { page, close } = await visit(link({ ...SMALL, length: { steps: 6000 }, evaluate_every: 1000 }, "cpu"));
    await page.click("#train");
    // An epoch has 29 steps: there is a checkpoint by then.
    await page.waitForFunction(() => /^Training: step (\d{3}|\d.\d{3}) /.test(document.querySelector("#status").innerText));
    await put(page, "batch", "32"); // for the next run, as is the engine
    await put(page, "engine", "wgpu");
    await break_(page, "crash");
    await page.waitForFunction(() => /crashed \(.*planted.*\)\..*goes on from the last checkpoint/.test(document.querySelector(".alerts").innerText));
    await keeps(page, 1); // without a press of Train
    const [{ start, step, loss }] = await finished(page);
    assert.deepEqual([step, start.config.batch, start.device.engine], [6000, 64, "cpu"]);
    assert.ok(start.first_step >= 29 && start.first_step < 6000, `from step ${start.first_step}`);
    assert.equal(loss.first, 0, "the curves before it are there, too");
    await close();
});

test("a run that starts in a hidden tab waits there, if the visitor wants that; if not, the timing says so", async () => {
    const { page, close } = await visit(link({ ...SMALL, length: { steps: 100_000 } }, "cpu"));
    await page.evaluateOnNewDocument(() => {
        localStorage.setItem("pause-hidden", "true");
        self.away = true;
        Object.defineProperty(document, "hidden", { get: () => self.away });
    });
    await page.reload();
    await page.waitForSelector("#train");
    await page.click("#train");
    await reaches(page, "^Paused at step ");
    await page.evaluate(() => {
        self.away = false;
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    });
    await reaches(page, "^Training");
    await page.evaluate(() => self.away = true);
    await tab(page, "timing");
    await page.waitForFunction(() => /while this tab was hidden/.test(document.querySelector(".timing").innerText));
    await close();
});

test("a lost device is opened again, to the same end", async () => {
    const config = { ...SMALL, model: { preset: "softmax" } };
    const { page, close } = await visit(link(config, "wgpu"));
    const whole = await train(page);
    await page.click("#rewind");
    await reaches(page, "^Paused at step 0 ");
    await page.click("#train");
    await page.waitForFunction(() => /step [1-9]/.test(document.querySelector("#status").innerText));
    await break_(page, "destroy");
    await reaches(page, "^(Done|Failed)");
    assert.match(await told(page), /lost and opened again/);
    await keeps(page, 2);
    const [again] = await finished(page);
    assert.deepEqual(again.test, whole.test);
    await close();
});

test("it works offline once it is loaded", CHROMIUM_ONLY, async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    await page.waitForFunction(() => !/Looking/.test(document.querySelector("#status").innerText));
    await known(page); // the worker has answered
    await page.setOfflineMode(true);
    await train(page);
    await close();
});

test("a part is fetched when it is opened, and anew where that has failed", async () => {
    site.asked.length = 0;
    const { page, faults, close } = await visit(link(SMALL, "cpu"));
    await known(page); // the worker has answered
    const parts = () => site.asked.filter(name => /^split_(?!curves)/.test(name)).map(name => name.replace(/-.*/, ""));
    assert.deepEqual(parts(), []);
    site.options.missing = "split_layers";
    await page.click("#tab-network");
    const told = await page.waitForSelector("#tab-panel [role=alert]");
    assert.match(await told.evaluate(element => element.innerText), /could not be loaded[^]*Try again/);
    assert.equal(await page.$(".panel.network"), null);
    site.options.missing = undefined;
    await (await told.$("button")).click();
    await page.waitForSelector(".panel.network");
    assert.equal(await page.$("#tab-panel [role=alert]"), null);
    assert.deepEqual(parts(), ["split_layers", "split_layers"]);
    // Once fetched it is there, whatever becomes of the network.
    site.options.missing = "split_layers";
    await tab(page, "timing");
    await tab(page, "network");
    // What opens files is told of where messages are.
    await tab(page, "files");
    site.options.missing = "split_open";
    const file = path.join(downloads, "later.json");
    fs.writeFileSync(file, JSON.stringify({ version: 1, ...SMALL, batch: 17 }));
    const open = async () => (await page.$("input[type=file]")).uploadFile(file);
    await open();
    await page.waitForFunction(() => /could not be loaded/.test(document.querySelector(".alerts").innerText));
    site.options.missing = undefined;
    await open();
    await page.waitForFunction(() => document.querySelector("[name=batch]").value === "17");
    assert.ok(faults.every(fault => /503|TypeError|JSHandle@error/.test(fault)), faults.join());
    await close();
});

test("the keyboard is enough", async () => {
    const { page, close } = await visit(link(SMALL, "cpu"));
    let focused = "";
    for (let i = 0; focused !== "train" && i < 20; i++) {
        await page.keyboard.press("Tab");
        focused = await page.evaluate(() => document.activeElement.id);
    }
    assert.equal(focused, "train");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none");
    await page.keyboard.press("Enter");
    await reaches(page, "^Done");
    await page.focus("#board");
    for (const key of [" ", ...Array(16).fill("ArrowDown")]) await page.keyboard.press(key);
    await page.waitForFunction(() => /reads \d/.test(document.querySelector("#answer").innerText));
    await close();
});

for (const [width, theme, language] of [[1280, "light", "en-US"], [1280, "dark", "zh-CN"], [360, "dark", "en-US"], [360, "light", "zh-CN"]]) {
    test(`it is accessible and fits: ${width} px, ${theme}, ${language}`, CHROMIUM_ONLY, async () => {
        const { page, faults, close } = await visit(link(SMALL, "cpu"), { width, theme, language });
        const check = when => accessible(page, width, when);
        await page.setBypassCSP(true);
        await page.reload();
        await page.waitForSelector("#train");
        await known(page);
        await check("before a run");
        await page.evaluate(() => {
            window.shift = 0;
            new PerformanceObserver(list => list.getEntries().forEach(entry => window.shift += entry.value)).observe({ type: "layout-shift" });
        });
        await page.click("#train");
        await keeps(page, 1);
        assert.ok(await page.evaluate(() => window.shift) < 0.02, `the layout shifts by ${await page.evaluate(() => window.shift)}`);
        await page.evaluate(() => document.querySelectorAll("details").forEach(details => details.open = true));
        for (const name of ["mistakes", "confusion", "nearest", "images", "network", "timing", "runs", "files", "device"]) {
            await tab(page, name);
            await page.evaluate(() => document.querySelectorAll(".panel details").forEach(details => details.open = true));
            await check(`after a run, ${name}`);
        }
        await page.click("#help-button");
        await check("with help");
        assert.equal(await page.evaluate(() => document.documentElement.lang.slice(0, 2)), language.slice(0, 2));
        assert.deepEqual(faults, []);
        await close();
    });
}

test("the tour shows itself once, and can be left", async () => {
    const { page, close } = await visit("", { tour: true });
    await page.waitForFunction(() => document.querySelector("dialog[open]"));
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("dialog[open]"));
    await page.reload();
    await page.waitForSelector("#train");
    assert.equal(await page.$("dialog[open]"), null);
    await close();
});

// Images and weights as a harness for several libraries makes them: channels last, weights [in, out].
const harness = workload => {
    const random = seed => () => {
        seed = (seed + 0x6D2B79F5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const r = random(12345);
    const templates = Array.from({ length: 10 }, () => Float32Array.from({ length: 784 }, () => r() < 0.2 ? 1 : 0));
    const batches = Array.from({ length: 8 }, () => {
        const x = new Float32Array(64 * 784), y = new Int32Array(64);
        for (let i = 0; i < 64; i++) {
            y[i] = Math.floor(r() * 10);
            for (let j = 0; j < 784; j++) x[i * 784 + j] = 0.4 * templates[y[i]][j] + 0.6 * r();
        }
        return { x, y };
    });
    const weight = (seed, shape, inputs) => {
        const r = random(seed), limit = Math.sqrt(6 / inputs) * 0.7;
        return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => (2 * r() - 1) * limit) };
    };
    const bias = count => ({ shape: [count], data: new Float32Array(count) });
    const params = workload === "W1"
        ? { w1: weight(1, [784, 128], 784), b1: bias(128), w2: weight(2, [128, 10], 128), b2: bias(10) }
        : { k1: weight(1, [5, 5, 1, 8], 25), c1: bias(8), k2: weight(2, [5, 5, 8, 16], 200), c2: bias(16), w3: weight(3, [784, 10], 784), b3: bias(10) };
    return { batches, params };
};

test("the benchmark for programs", async () => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.goto(`${site.url}bench.html`);
    await page.waitForFunction(() => globalThis.playground?.bench);
    for (const [engine, software] of [["cpu", false], ["wgpu", true]]) {
        const report = await page.evaluate(engine => playground.bench({ workload: "W1", engine, seconds: 0.3, most_seconds: 1 }), engine);
        assert.equal(report.device.engine, engine);
        assert.equal(report.device.software, software);
        // The harness's data and weights, as every library of the comparison is measured.
        assert.ok(Math.abs(report.losses[0] - 2.387169) < 1e-4, `loss ${report.losses[0]}`);
        assert.equal(report.dispatches, engine === "cpu" ? 0 : 8);
        assert.ok(report.end.steps_per_second > 0 && report.losses.at(-1) < report.losses[0]);
        const { data, compile, upload, steps, readback } = report.seconds;
        // Firefox's clock goes in milliseconds, of which the CPU's lowering needs less than one.
        const compiles = engine === "cpu" ? compile >= 0 : compile > 0;
        assert.ok(data > 0 && compiles && upload >= 0 && steps > report.end.seconds / 2 && readback >= 0, JSON.stringify(report.seconds));
    }
    // Images and weights that are given are what is trained on: the harness's give the same losses as our own copy of them.
    await page.evaluate(harness => { globalThis.makeData = eval(harness); }, `(${harness})`);
    for (const workload of ["W1", "W3"]) {
        const [own, given, other] = await page.evaluate(async workload => {
            const spec = { workload, engine: "cpu", seconds: 0.01, least_steps: 3, most_seconds: 0.01, warm_seconds: 0.1 };
            const data = makeData(workload), zeros = { [workload === "W1" ? "w1" : "k1"]: 0 };
            for (const name in zeros) zeros[name] = { ...data.params[name], data: new Float32Array(data.params[name].data.length) };
            return [
                await playground.bench(spec),
                await playground.bench({ ...spec, data }),
                await playground.bench({ ...spec, data: { batches: data.batches.slice(1) }, params: { ...data.params, ...zeros } }),
            ].map(report => report.losses.slice(0, 5));
        }, workload);
        assert.deepEqual(given, own, workload);
        assert.notDeepEqual(other, own, workload);
    }
    const adam = await page.evaluate(() => playground.bench({ workload: "W1", engine: "cpu", batch: 16, optimizer: { rule: { adam: {} } },
        seconds: 0.01, least_steps: 3, most_seconds: 0.01, warm_seconds: 0.1, params: { "dense2.bias": { data: Array(10).fill(1) } } }));
    assert.equal(adam.batch, 16);
    await assert.rejects(page.evaluate(() => playground.bench({ workload: "W1", engine: "cpu", params: { w9: { shape: [1, 1], data: [0] } } })), /no `dense9.weight`/);
    for (const [spec, words] of [
        [undefined, /needs a workload/], [{ workload: "W9" }, /W9/], [{ workload: "W1", engine: "webgpu" }, /`bench.spec.engine` is "webgpu", but must be one of/],
        [{ workload: "W1", batch: -1 }, /whole number of at least 0/], [{ workload: "W1", optimizer: "adam" }, /adam/],
        [{ workload: "W1", seconds: "x" }, /seconds is x/], [{ workload: "W1", secs: 1 }, /does not know secs/], [{ workload: "W1", data: {} }, /no batches/],
    ]) {
        await assert.rejects(page.evaluate(spec => playground.bench(spec), spec), words);
    }
    await assert.rejects(page.evaluate(() => __bench("W1", { backend: "webgl" })), /no backend webgl/);
    await context.close();
});

// What was committed and what is allowed, in kilobytes as brotli packs them: a change of more than 2 % is meant, and
// written here. Names of folders are in the wasm, so machines differ by a little.
const SIZES = {
    page_glue_bg: [296.7, 300],
    // 344 until all that is wrong with a configuration or a file was told by its name, and all kinds of IDX files were read.
    // 353 until networks were trained in f16, 362 until it checked devices and showed networks before they are trained.
    worker_glue_bg: [368.3, 378],
    worker_relaxed_glue_bg: [368.3, 378],
    // The charts are fetched as soon as the page stands, the others when they are opened; and all that several of these share.
    split_curves: [30.2, 150],
    split_confusion: [9.1, 150],
    split_devices: [7.0, 150],
    split_editor: [12.5, 150],
    split_files: [2.8, 150],
    split_help: [5.1, 150],
    split_images: [7.4, 150],
    split_json: [3.6, 150],
    split_layers: [5.6, 150],
    split_links: [9.6, 150],
    split_nearest: [2.0, 150],
    split_open: [6.4, 150],
    split_runs: [15.5, 150],
    split_timing: [5.0, 150],
    split_tour: [6.7, 150],
    chunk: [53.0, 150],
};
const BEFORE_THE_FIRST_STEP = [739.5, 750];

const is_as_small = (what, bytes, [committed, most]) => {
    const kilobytes = bytes / 1000;
    console.log(`${what}: ${kilobytes.toFixed(1)} kB`);
    assert.ok(kilobytes <= most, `${what}: ${kilobytes} kB, at most ${most} are allowed`);
    assert.ok(Math.abs(kilobytes - committed) < 0.02 * committed + 0.1, `${what}: ${kilobytes} kB, ${committed} are written down`);
};
const packed = file => fs.statSync(path.join(SITE, `${file}.br`)).size;

test("each program, and each part that is fetched later, is small", CHROMIUM_ONLY, () => {
    const files = fs.readdirSync(SITE).filter(name => name.endsWith(".wasm"));
    const found = {};
    for (const file of files) {
        const name = file.replace(/(_\d+)?-[0-9a-f]{16}.wasm$/, "");
        found[name] = (found[name] ?? 0) + packed(file);
    }
    assert.deepEqual(Object.keys(found).sort(), Object.keys(SIZES).sort());
    for (const [name, bytes] of Object.entries(found)) is_as_small(name, bytes, SIZES[name]);
});

test("what a visitor downloads before the first step is small", CHROMIUM_ONLY, async () => {
    site.asked.length = 0;
    const { page, close } = await visit(link(SMALL, "cpu"));
    await page.click("#train");
    await reaches(page, "^(Training|Done)");
    const programs = [...new Set(site.asked)].map(name => name || "index.html");
    is_as_small("all", programs.reduce((sum, file) => sum + packed(file), 0), BEFORE_THE_FIRST_STEP);
    await close();
});
