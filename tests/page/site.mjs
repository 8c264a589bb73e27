// Serves a built site for tests: as a plain host would, with a probe in front of the worker's first script. What is
// injected into a page does not reach its workers.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".txt": "text/plain" };

// Counts dispatches, and breaks what it is told to break. Imports of the script below it are evaluated before it, but
// they open no device.
const PROBE = `{
    const channel = new BroadcastChannel("probe");
    const devices = [];
    let dispatches = 0;
    const wrap = (type, method, around) => {
        const original = type?.prototype[method];
        if (original) type.prototype[method] = function (...all) { return around.call(this, original, all); };
    };
    wrap(self.GPUComputePassEncoder, "dispatchWorkgroups", function (original, all) {
        dispatches += 1;
        return original.apply(this, all);
    });
    wrap(self.GPUAdapter, "requestDevice", async function (original, all) {
        const device = await original.apply(this, all);
        devices.push(device);
        return device;
    });
    channel.onmessage = ({ data }) => {
        if (data === "count") channel.postMessage({ dispatches });
        if (data === "destroy") devices.forEach(device => device.destroy());
        if (data === "crash") setTimeout(() => { throw new Error("planted"); });
    };
}
`;
// What an older browser lacks.
const WITHOUT = {
    nothing: "",
    webgpu: `Object.defineProperty(self.navigator, "gpu", { value: undefined });\n`,
    adapter: "if (self.GPU) GPU.prototype.requestAdapter = async () => null;\n",
    permission: `if (self.GPU) GPU.prototype.requestAdapter = async () => { throw new Error("planted refusal"); };\n`,
    haste: `if (self.GPU) {
        const request = GPU.prototype.requestAdapter;
        GPU.prototype.requestAdapter = async function (...all) {
            await new Promise(done => setTimeout(done, 2000));
            return request.apply(this, all);
        };
    }\n`,
    // Exponentials that are a thousandth too large.
    rightness: `if (self.GPUDevice) {
        const create = GPUDevice.prototype.createShaderModule;
        GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
            return create.call(this, { code: code.replaceAll(/\\bexp\\(/g, "1.001 * exp("), ...rest });
        };
    }\n`,
    relaxed: "WebAssembly.validate = () => false;\n",
};

/// Serves `folder` below a path of its own, since a site must work below any. `options.without` says what
/// the worker does not find, `options.data` whether data sets are there, absent, or out of reach, `options.lost` the ending of
/// files that are not there, `options.missing` with which names the files begin that cannot be had. `asked` has the names of
/// all that was asked for.
export async function serve(folder) {
    const options = { without: "nothing", data: "there", lost: null, missing: undefined };
    const asked = [];
    const server = http.createServer((request, response) => {
        const { pathname } = new URL(request.url, "http://site");
        const name = pathname.startsWith("/a/class/") ? pathname.slice("/a/class/".length) || "index.html" : "";
        const file = path.join(folder, name);
        asked.push(name);
        if (name.startsWith("data/") && options.data === "out of reach") return request.socket.destroy();
        const absent = name.startsWith("data/") && options.data === "absent" || options.lost && name.endsWith(options.lost);
        if (!name || absent || !file.startsWith(folder) || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
            response.writeHead(404);
            return response.end();
        }
        if (name.startsWith(options.missing)) {
            response.writeHead(503);
            return response.end();
        }
        let body = fs.readFileSync(file);
        if (/^worker(-[0-9a-f]+)?\.js$/.test(name)) {
            body = WITHOUT[options.without] + PROBE + body;
        }
        response.writeHead(200, { "content-type": TYPES[path.extname(name)] ?? "application/octet-stream" });
        response.end(body);
    });
    await new Promise(ready => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address();
    return { server, options, asked, port, url: `http://127.0.0.1:${port}/a/class/` };
}
