process.env.BROWSER = "chromium";
await import("./page.mjs");
