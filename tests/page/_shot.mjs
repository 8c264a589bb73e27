import path from "node:path";
import puppeteer from "puppeteer-core";
import { serve } from "./site.mjs";
const site = await serve(path.resolve(process.env.SITE));
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--enable-unsafe-webgpu", "--hide-scrollbars"] });
const shots = JSON.parse(process.argv[2]);
for (const { name, width = 1280, height = 800, theme = "light", language = "en-US", link = "#engine=cpu", train = true, tab, full = false, forced = false, script } of shots) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.on("pageerror", e => console.log(name, "ERR", String(e)));
  page.on("console", m => m.type() === "error" && console.log(name, "CONSOLE", m.text()));
  await page.setViewport({ width, height });
  const media = [{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }];
  if (forced) { const c = await page.createCDPSession(); await c.send("Emulation.setEmulatedMedia", { features: [...media, { name: "forced-colors", value: "active" }] }); } else await page.emulateMediaFeatures(media);
  await page.evaluateOnNewDocument(language => { Object.defineProperty(navigator, "languages", { get: () => [language] }); localStorage.setItem("tour", "seen"); }, language);
  await page.goto(`${site.url}${link}`);
  await page.waitForSelector("#train", { timeout: 20000 }).catch(e => console.log(name, "no train", e.message));
  if (train) {
    await page.waitForFunction(() => !document.querySelector("#train").disabled).catch(() => console.log("disabled"));
    await page.click("#train");
    await page.waitForFunction(() => /^(Done|完成|Failed|失败)/.test(document.querySelector("#status").innerText), { timeout: 120000 }).catch(async e => console.log(name, "not done:", await page.$eval("#status", x => x.innerText)));
    const board = await page.$("#board"); await board.evaluate(b => b.scrollIntoView({ block: "center" }));
    const { x, y, width: w, height: h } = await board.boundingBox();
    const pts = [[0.33, 0.25], [0.5, 0.17], [0.65, 0.28], [0.6, 0.42], [0.48, 0.48], [0.63, 0.56], [0.67, 0.7], [0.52, 0.83], [0.33, 0.75]];
    await page.mouse.move(x + w * pts[0][0], y + h * pts[0][1]); await page.mouse.down();
    for (const p of pts.slice(1)) await page.mouse.move(x + w * p[0], y + h * p[1], { steps: 4 });
    await page.mouse.up();
    await new Promise(r => setTimeout(r, 600));
    await page.evaluate(() => scrollTo(0, 0));
  } else await new Promise(r => setTimeout(r, 2500));
  if (tab) { await page.click(`#tab-${tab}`); await new Promise(r => setTimeout(r, 700)); }
  if (script) { await page.evaluate(script); await new Promise(r => setTimeout(r, 700)); }
  await page.screenshot({ path: `/tmp/shots/${name}.png`, fullPage: full });
  await context.close();
}
await browser.close(); site.server.close();
