// The browser that BROWSER names.
import assert from "node:assert/strict";

import puppeteer from "puppeteer-core";

const { BROWSER } = process.env;
assert(BROWSER, "run chromium.test.mjs or firefox.test.mjs");
export const FIREFOX = BROWSER === "firefox";
export const PATIENCE = 120_000;
const LAUNCH = FIREFOX ? {
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    extraPrefsFirefox: {
        "dom.webgpu.enabled": true,
        "dom.webgpu.workers.enabled": true,
        "gfx.webgpu.ignore-blocklist": true,
        "network.dns.localDomains": "school.test",
    },
} : {
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--disable-quic", "--no-first-run", "--disable-component-update",
        "--disable-background-networking", "--disable-sync", "--host-resolver-rules=MAP school.test 127.0.0.1"],
};

/// Starts it.
export const launch = () => puppeteer.launch({ ...LAUNCH, headless: true, protocolTimeout: 2 * PATIENCE });
