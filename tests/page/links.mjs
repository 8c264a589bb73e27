// Links for lessons: what the builder of links makes, and what such links do.
import assert from "node:assert/strict";

import { CHROMIUM_ONLY, SMALL, accessible, known, link, site, status, tab, test, train, visit } from "./common.mjs";

/// The builder, open; with the keyboard alone, from the tab's name on.
async function build(page) {
    await tab(page, "files");
    await page.focus("#tab-files");
    await reach(page, "summary");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".links");
}

/// Presses Tab until what has the focus matches.
async function reach(page, selector) {
    const is = () => page.evaluate(selector => document.activeElement.matches(selector), selector);
    for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        if (await is()) return;
    }
    assert.fail(`no way to ${selector} by the keyboard`);
}

const made = page => page.$eval("#lesson", field => field.value);
const offered = page => page.$$eval(".links-hide input", all => all.map(tick => tick.name));
/// Parts that a visitor sees: sections, and names of tabs.
const seen = page => page.evaluate(() => {
    const all = [...document.querySelectorAll("main > *, [role=tab]")].filter(element => element.checkVisibility());
    return all.map(element => element.id.replace(/^tab-/, "") || element.className.split(" ").find(name => name !== "card"));
});

test("the builder's link hides each part that it offers, and nothing else", async () => {
    const { page, faults, close } = await visit(link({ ...SMALL, seed: 7 }, "cpu"));
    await build(page);
    const parts = await offered(page);
    const all = await seen(page);
    // All tabs hidden leave no frame around them.
    assert.deepEqual(parts.toSorted(), all.filter(part => part !== "tabs").toSorted());
    for (const part of parts) {
        const tick = `.links-hide input[name=${part}]`;
        await page.click(tick);
        assert.match(await made(page), new RegExp(`&engine=cpu&hide=${part}$`));
        const lesson = await visit(new URL(await made(page)).hash);
        assert.deepEqual(await seen(lesson.page), all.filter(other => other !== part), part);
        await lesson.close();
        await page.click(tick);
    }
    for (const part of parts) await page.click(`.links-hide input[name=${part}]`);
    const lesson = await visit(new URL(await made(page)).hash);
    assert.deepEqual(await seen(lesson.page), []);
    for (const left of [".header", ".bar", "#train"]) assert.ok(await lesson.page.$eval(left, element => element.checkVisibility()), left);
    assert.equal(await lesson.page.$eval(".settings [name=seed]", field => field.value), "7");
    await known(lesson.page);
    assert.match(await status(lesson.page), /^Ready/, "a link starts nothing");
    assert.deepEqual([...faults, ...lesson.faults], []);
    await Promise.all([close(), lesson.close()]);
});

test("a link for a lesson is made and copied by the keyboard alone", async () => {
    const { page, faults, close } = await visit(link({ ...SMALL, seed: 7 }, "cpu") + "&hide=runs,nothing");
    await page.evaluate(() => navigator.clipboard.writeText = async text => { globalThis.clip = text; });
    await build(page);
    assert.match(await made(page), /#run=.*seed.*&engine=cpu&hide=runs$/, "it goes on from the link that is open");
    for (const name of ["settings", "timing", "with-settings"]) {
        await reach(page, `[name=${name}]`);
        await page.keyboard.press(" ");
    }
    const plain = `${site.url}#engine=cpu&hide=settings,timing,runs`;
    assert.equal(await made(page), plain);
    await reach(page, "[name=with-engine]");
    await page.keyboard.press(" ");
    const short = `${site.url}#hide=settings,timing,runs`;
    assert.equal(await made(page), short);
    await reach(page, "#lesson");
    await reach(page, "#copy-lesson");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector(".links [role=status]").innerText === "Link copied");
    assert.equal(await page.evaluate(() => globalThis.clip), short);
    await reach(page, "#preview-lesson");
    const opened = new Promise(done => page.browserContext().once("targetcreated", target => done(target.page())));
    await page.keyboard.press("Enter");
    const preview = await opened;
    await preview.waitForSelector("#train");
    assert.equal(await preview.evaluate(() => globalThis.opener), null);
    assert.ok(!(await seen(preview)).some(part => ["settings", "timing", "runs"].includes(part)));
    await preview.close();
    await page.bringToFront();
    // What was copied is said of that link alone.
    await page.click("[name=with-engine]");
    assert.equal(await page.$eval(".links [role=status]", element => element.innerText), "");
    assert.deepEqual(faults, []);
    await close();
});

test("where a page may not copy, the link is selected", async () => {
    const { page, close } = await visit("#hide=runs", { url: site.url.replace("127.0.0.1", "school.test") });
    await build(page);
    await page.click("#copy-lesson");
    await page.waitForFunction(() => /may not copy/.test(document.querySelector(".links [role=status]").innerText));
    const selected = await page.evaluate(() => {
        const { id, value, selectionStart, selectionEnd } = document.activeElement;
        return [id, value.slice(selectionStart, selectionEnd)];
    });
    assert.deepEqual(selected, ["lesson", await made(page)]);
    await close();
});

test("what a lesson hides is not offered after a run either", async () => {
    const offers = async hide => {
        const { page, close } = await visit(`${link({ ...SMALL, length: { steps: 5 } }, "cpu")}&hide=${hide}`);
        await train(page);
        const words = await page.$eval(".strip-foot", foot => foot.innerText.trim());
        await close();
        return words.split(/\s*\n\s*/);
    };
    assert.deepEqual(await offers("device"), ["What now?", "Draw a digit", "See its mistakes", "Change one thing", "Compare runs"]);
    assert.deepEqual(await offers("sketch,runs"), ["What now?", "See its mistakes", "Change one thing"]);
    assert.deepEqual(await offers("sketch,runs,mistakes,settings"), [""]);
});

for (const width of [1280, 320]) {
    test(`the builder of links is accessible and fits: ${width} px`, CHROMIUM_ONLY, async () => {
        const { page, close } = await visit("#engine=cpu", { width, theme: width === 320 ? "dark" : "light" });
        await page.setBypassCSP(true);
        await page.reload();
        await page.waitForSelector("#train");
        await known(page);
        await build(page);
        await accessible(page, width, "with the builder");
        await close();
    });
}
