// The worker's first script: loads the wasm beside it, and keeps what is said before that is there.

// Training is a fifth faster with multiply-adds that round once, but a module that has them loads only where they are
// known. This one has nothing else: a function of the type (v128, v128, v128) -> v128.
const FUSED = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0,
    32, 0, 32, 1, 32, 2, 253, 133, 2, 11]);
const load = WebAssembly.validate(FUSED) ? import("./worker_relaxed_glue.js") : import("./worker_glue.js");

const early = [];
self.onmessage = ({ data }) => early.push(data);

const crashed = message => postMessage([JSON.stringify({ crashed: { message: String(message) } })]);
// A panic has told of itself; what else ends the program (memory that is full, a trap) shows only here.
self.addEventListener("unhandledrejection", ({ reason }) => crashed(reason));

// Lets waiting messages in: a timer would sleep in a tab that is hidden, a message between two ports does not.
const { port1, port2 } = new MessageChannel();
self.breathe = () => new Promise(done => {
    port1.onmessage = done;
    port2.postMessage(null);
});

// A stream of what a gzip file holds.
self.unpack = bytes => new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));

// Counts what goes to the GPU from now on, until the function that it returns is called.
self.countGpu = () => {
    const counts = [0, 0];
    const wrap = (type, method, i) => {
        const original = type?.prototype[method];
        if (!original) return () => {};
        type.prototype[method] = function (...all) {
            counts[i] += 1;
            return original.apply(this, all);
        };
        return () => { type.prototype[method] = original; };
    };
    const undo = [
        wrap(self.GPUComputePassEncoder, "dispatchWorkgroups", 0),
        wrap(self.GPUQueue, "submit", 1),
    ];
    return () => {
        undo.forEach(one => one());
        return counts;
    };
};

load.then(({ default: init, main }) => init().then(() => main(early))).catch(crashed);
