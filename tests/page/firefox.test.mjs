process.env.BROWSER = "firefox";
await import("./page.mjs");
