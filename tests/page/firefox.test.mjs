process.env.BROWSER = "firefox";
await import("./page.mjs");
await import("./truth.mjs");
await import("./links.mjs");
await import("./worker.mjs");
