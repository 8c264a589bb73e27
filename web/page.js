// The page itself is the wasm beside it.
import init from "./page_glue.js";
await init();
