process.env.BROWSER = "chromium";
await import("./page.mjs");
await import("./worker.mjs");
