// The worker's first script: loads the wasm beside it, and keeps what is said before that is there.
import init, { main } from "./worker_glue.js";

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

init().then(() => main(early), crashed);
