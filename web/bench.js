// The benchmark for programs: `playground.bench(spec)`, and `__bench(workload, spec)` as comparisons of libraries call it.
// What is measured is in the worker; this only asks.

const worker = new Worker(document.querySelector("link[data-worker]").href, { type: "module" });
const waiting = new Map();
worker.onmessage = ({ data: [text] }) => {
    const reply = JSON.parse(text);
    if (reply.bench) waiting.get(reply.bench.request)?.resolve(reply.bench.report);
    if (reply.refused) {
        // What the worker cannot read has no number: it is the latest question.
        const { request, failure } = reply.refused;
        waiting.get(request ?? waiting.size)?.reject(new Error(failure.message));
    }
    if (reply.crashed) waiting.forEach(({ reject }) => reject(new Error(reply.crashed.message)));
};
worker.onerror = event => waiting.forEach(({ reject }) => reject(new Error(event.message ?? "no worker")));

// Weights as the harness of the comparison has them (`w1`, `b1`, … of dense layers, `k1`, `c1`, … of convolutions before
// them, `[in, out]` and `[height, width, in, out]`, channels last) under our names and in our layout: `[out, in]`, channels
// first. What has one of our names is in our layout.
const slots = params => {
    const kernels = Object.keys(params).filter(name => /^k\d/.test(name)).length;
    return Object.entries(params).map(([name, { shape, data }]) => {
        const [, kind, number] = /^([wbkc])(\d+)$/.exec(name) ?? [];
        if (!kind) return [name, data];
        const layer = "kc".includes(kind) ? `conv${number}` : `dense${number - kernels}`;
        if ("bc".includes(kind)) return [`${layer}.bias`, data];
        const behind = kernels && layer === "dense1" ? params[`k${kernels}`].shape[3] : 1;
        const channels = kind === "k" ? shape[2] : behind;
        const outputs = shape.at(-1), inputs = data.length / outputs;
        const moved = new Float32Array(data.length);
        for (let i = 0; i < inputs; i++) {
            const to = i % channels * (inputs / channels) + Math.floor(i / channels);
            for (let o = 0; o < outputs; o++) moved[o * inputs + to] = data[i * outputs + o];
        }
        return [`${layer}.weight`, moved];
    });
};

/// spec: { workload | preset, engine: "wgpu" | "cpu", seconds?, optimizer?, batch?, data?: { batches: [{ x, y }] }, params?:
/// { name: { shape, data } } }, the last two as the harness makes them: 28×28 numbers an image, a label. The report is
/// that of the worker.
const bench = async ({
    workload, preset, engine = "wgpu", seconds = 4, optimizer, batch, data, params = data?.params,
    least_steps = 30, most_seconds = 15, warm_seconds = 5, ...unknown
} = {}) => {
    if (Object.keys(unknown).length) throw new Error(`playground.bench does not know ${Object.keys(unknown).join(", ")}`);
    if (!(workload ?? preset)) throw new Error("playground.bench needs a workload (W1, W2, W3) or a preset (mlp, cnn, …)");
    if (data && !data.batches?.length) throw new Error("data has no batches");
    for (const [name, value] of Object.entries({ seconds, least_steps, most_seconds, warm_seconds })) {
        if (!Number.isFinite(value) || value < 0) throw new Error(`${name} is ${value}, but must be a number, at least 0`);
    }
    const request = waiting.size + 1;
    params ??= {};
    const weights = slots(params);
    const buffers = weights.map(([, values]) => Float32Array.from(values).buffer);
    if (data) {
        const all = key => data.batches.flatMap(one => [...one[key]]);
        buffers.unshift(Float32Array.from(all("x")).buffer, Uint8Array.from(all("y")).buffer);
        batch ??= data.batches[0].y.length;
    }
    const spec = { workload: workload ?? preset, engine, seconds, optimizer, batch, data: !!data, params: weights.map(([name]) => name),
        least_steps, most_seconds, warm_seconds };
    const answer = new Promise((resolve, reject) => waiting.set(request, { resolve, reject }));
    worker.postMessage([JSON.stringify({ bench: { request, spec } }), ...buffers], buffers);
    return answer;
};

const ENGINES = { webgpu: "wgpu", wgpu: "wgpu", wasm: "cpu", cpu: "cpu" };
const round = (value, digits = 3) => +value.toFixed(digits);

/// One line of a comparison, in its words.
const compared = async (workload, spec) => {
    const start = performance.now();
    const engine = ENGINES[spec.backend];
    if (!engine) throw new Error(`there is no backend ${spec.backend} here: ${Object.keys(ENGINES).join(", ")}`);
    const report = await bench({
        workload,
        engine,
        data: spec.data,
        params: spec.params,
        seconds: spec.seconds ?? 10,
        least_steps: spec.minSteps ?? 30,
        most_seconds: (spec.maxMs ?? 60000) / 1000,
        warm_seconds: (spec.warmMs ?? 15000) / 1000,
    });
    const region = of => ({
        steps: of.steps,
        wall_s: round(of.seconds),
        ms_per_step: round(1000 / of.steps_per_second),
        ms_best: round(1000 / of.best_steps_per_second),
        steps_per_s: round(of.steps_per_second, 2),
        images_per_s: round(of.images_per_second, 0),
        loss: of.loss,
    });
    const { losses, device } = report;
    const mean = part => part.reduce((sum, loss) => sum + loss, 0) / part.length;
    return {
        workload,
        backend: spec.backend,
        version: report.versions.join(", "),
        device: device.name,
        software: device.software,
        first_step_ms: round(start + 1000 * report.first_step_seconds, 0),
        prepare_ms: round(1000 * report.prepare_seconds, 0),
        losses: Object.fromEntries([1, 2, 5, 10, 20, 40].filter(k => k <= losses.length).map(k => [k, round(losses[k - 1], 4)])),
        trained: mean(losses.slice(-3)) < 0.8 * mean(losses.slice(0, 3)),
        seconds: report.seconds,
        est_ms: round(1000 * report.estimate_seconds),
        read_each: region(report.each),
        read_10: region(report.tenth),
        read_end: region(report.end),
        per_step: { dispatch: report.dispatches, submit: report.submissions },
        total_steps: report.steps,
    };
};

globalThis.playground = { ...globalThis.playground, bench };
globalThis.__bench = compared;
