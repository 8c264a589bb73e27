process.env.BROWSER = "firefox";
await import("./page.mjs");
await import("./worker.mjs");
