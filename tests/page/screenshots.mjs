// Pictures of the page for the README: node screenshots.mjs FOLDER, with SITE as in page.mjs.
import path from "node:path";

import puppeteer from "puppeteer-core";

import { serve } from "./site.mjs";

const { SITE, CHROME = "/usr/bin/chromium" } = process.env;
const folder = process.argv[2];
const site = await serve(path.resolve(SITE));
const browser = await puppeteer.launch({ executablePath: CHROME, headless: true, args: ["--no-sandbox", "--enable-unsafe-webgpu", "--hide-scrollbars"] });
for (const [name, width, height, theme] of [["page", 1280, 940, "light"], ["page-phone", 390, 844, "dark"]]) {
    const page = await (await browser.createBrowserContext()).newPage();
    await page.setViewport({ width, height });
    // Without motion, which a picture would catch in the middle.
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }]);
    await page.evaluateOnNewDocument(() => localStorage.setItem("tour", "seen"));
    await page.goto(`${site.url}#engine=cpu`);
    await page.waitForSelector("#train");
    await page.click("#train");
    await page.waitForFunction(() => /^Done/.test(document.querySelector("#status").innerText), { timeout: 120_000 });
    // A three, drawn as a visitor would.
    const board = await page.$("#board");
    await board.scrollIntoView();
    const { x, y, width: w, height: h } = await board.boundingBox();
    const points = [[0.33, 0.25], [0.5, 0.17], [0.65, 0.28], [0.6, 0.42], [0.48, 0.48], [0.63, 0.56], [0.67, 0.7], [0.52, 0.83], [0.33, 0.75]];
    const at = ([px, py]) => [x + w * px, y + h * py];
    await page.mouse.move(...at(points[0]));
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 4 });
    await page.mouse.up();
    await page.waitForFunction(() => /\d/.test(document.querySelector("#answer").innerText));
    if (name === "page") await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
await browser.close();
site.server.close();
