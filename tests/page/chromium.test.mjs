process.env.BROWSER = "chromium";
await import("./page.mjs");
await import("./truth.mjs");
await import("./links.mjs");
await import("./worker.mjs");
