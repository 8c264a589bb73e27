//! The engines as a page gets them: wasm in a module worker.

use std::{
    fs,
    sync::{
        Mutex, OnceLock,
        mpsc::{self, Receiver, Sender},
    },
};

use libtest_mimic::Failed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    PATIENCE,
    server::{self, Answer, Kind, Request, serve},
};

/// Jobs that must fail, each in its way.
pub(crate) const FAULTS: [&str; 2] = ["a job that nobody knows", "a worker that panics"];

/// The wasm that is built: its name, the features, and what the engine on cores says that it uses.
#[derive(Clone, Copy)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    features: &'static [&'static str],
    pub(crate) vectors: &'static str,
}

/// As a page loads them: in browsers that have relaxed vectors, and in others.
pub(crate) const MODULES: [Module; 2] = [
    Module { name: "relaxed", features: &["relaxed-simd"], vectors: "relaxed SIMD" },
    Module { name: "plain", features: &[], vectors: "SIMD128" },
];

/// Jobs that a browser does at the same time, each in a worker of its own: Firefox looks only ten times a second whether a
/// GPU is done, and waits for most of the time.
pub(crate) const JOBS: usize = 2;

/// The page: it fetches jobs, hands each to a worker of its module, and posts what comes back. A worker that panics is
/// replaced.
const PAGE: &str = r#"<!doctype html><script type="module">
const start = module => new Promise((ready, failed) => {
    const worker = new Worker(`/worker.js?${module}`, { type: "module" });
    worker.onmessage = () => ready(worker);
    worker.onerror = event => failed(new Error(event.message ?? "the worker does not load"));
});
const ask = (worker, job) => new Promise(answer => {
    worker.onmessage = ({ data }) => answer(data);
    worker.onerror = event => answer({ panicked: event.message });
    worker.postMessage(job);
});
const serve = async () => {
    const workers = {};
    for (;;) {
        const job = await (await fetch("/next")).json();
        let answer;
        try {
            workers[job.module] ??= await start(job.module);
            answer = await ask(workers[job.module], job);
        } catch (error) {
            answer = { error: String(error) };
        }
        if (answer.panicked !== undefined) {
            workers[job.module].terminate();
            workers[job.module] = undefined;
        }
        await fetch("/result", { method: "POST", body: JSON.stringify({ id: job.id, ...answer, browser: navigator.userAgent }) });
    }
};
for (let i = 0; i < JOBS; i += 1) serve();
</script>"#;

const WORKER: &str = r#"
self.panicked = message => postMessage({ panicked: message });
const ready = import(`/${location.search.slice(1)}.js`).then(({ default: init, run }) => init().then(() => run));
self.onmessage = async ({ data: { engine, job } }) => {
    try {
        const run = await ready;
        const begun = performance.now();
        const ok = JSON.parse(await run(engine, job));
        postMessage({ ok, seconds: (performance.now() - begun) / 1000 });
    } catch (error) {
        postMessage({ error: String(error) });
    }
};
postMessage("ready");
"#;

/// A job and who waits for what comes of it.
struct Job {
    text: Value,
    reply: Sender<Value>,
}

/// Does a job in the browser. What comes back must be the answer to it, from that engine of that module.
pub(crate) fn run(kind: Kind, module: &Module, engine: &str, job: &str) -> Result<(), Failed> {
    let result = ask(kind, module, engine, job)?;
    let answer = &result["ok"];
    let browser = result["browser"].as_str().unwrap_or_default();
    if answer["job"] != job || answer["engine"] != engine || !browser.contains(kind.word()) {
        return Err(format!("{result:#}").into());
    }
    let device = answer["device"]["name"].as_str().unwrap_or_default();
    if engine == "cpu" && !device.contains(module.vectors) {
        return Err(format!("the engine runs on {device}, not with {}", module.vectors).into());
    }
    let seconds = result["seconds"].as_f64().unwrap_or_default();
    println!("{job} on {engine} ({device}; {browser}): {} in {seconds:.2} s", answer["measured"]);
    Ok(())
}

/// What fails in the browser fails here, and says why; the next job goes well.
pub(crate) fn fault(fault: &str) -> Result<(), Failed> {
    let (engine, job, key, words) = match fault {
        "a worker that panics" => ("cpu", "step parity of nothing", "panicked", "a preset"),
        _ => ("cpu", "nothing", "error", "no job is called nothing"),
    };
    let module = &MODULES[0];
    let result = ask(Kind::Chromium, module, engine, job)?;
    if !result[key].as_str().is_some_and(|message| message.contains(words)) {
        return Err(format!("{result:#}").into());
    }
    // So often that the worker which replaces the other gets one, too.
    (0..2 * JOBS).try_for_each(|_| run(Kind::Chromium, module, "cpu", "case relu"))
}

fn ask(kind: Kind, module: &Module, engine: &str, job: &str) -> Result<Value, Failed> {
    /// Where each browser takes its jobs, once it was needed.
    static LABS: [OnceLock<Result<Mutex<Sender<Job>>, String>>; 2] = [const { OnceLock::new() }; 2];
    /// Why nobody need wait any more for one of them.
    static SILENT: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    let (lab, silence) = (&LABS[kind as usize], &SILENT[kind as usize]);
    let lab =
        lab.get_or_init(|| open(kind).map(Mutex::new).map_err(|error| error.message().unwrap_or_default().into()));
    let lab = lab.as_ref().map_err(Failed::from)?;
    if let Some(silent) = silence.get() {
        return Err(silent.into());
    }
    let (reply, result) = mpsc::channel();
    let job = Job { text: json!({ "module": module.name, "engine": engine, "job": job }), reply };
    lab.lock().map_err(|_| "another test has failed here")?.send(job)?;
    let result = result.recv_timeout(PATIENCE);
    Ok(result.map_err(|_| silence.get_or_init(|| format!("the browser said nothing for {PATIENCE:?}")))?)
}

/// Where the wasm is, once it was built.
fn built() -> Result<&'static TempDir, Failed> {
    static BUILT: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let build = || {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        for Module { name, features, .. } in MODULES {
            let built = bundle::build("tests-wasm", features, &[], "release", name, folder.path());
            built.map_err(|error| format!("{error:#}"))?;
        }
        Ok(folder)
    };
    BUILT.get_or_init(build).as_ref().map_err(Failed::from)
}

/// Serves the wasm, and opens a browser, which takes its jobs there.
fn open(kind: Kind) -> Result<Sender<Job>, Failed> {
    let folder = built()?;
    let (jobs, queue) = mpsc::channel();
    let desk = Desk { queue: Mutex::new(queue), waiting: Mutex::new(vec![]) };
    let address = serve(move |request| {
        let path = request.line.strip_prefix("GET /").unwrap_or_default();
        let file = MODULES.iter().find_map(|Module { name, .. }| match path.strip_prefix(name) {
            Some(".js") => Some("text/javascript"),
            Some("_bg.wasm") => Some("application/wasm"),
            _ => None,
        });
        let (kind, body) = match request.line.as_str() {
            "GET /" => ("text/html", PAGE.replace("JOBS", &JOBS.to_string()).into_bytes()),
            line if line.starts_with("GET /worker.js?") => ("text/javascript", WORKER.into()),
            "GET /next" => ("application/json", desk.next()?.to_string().into_bytes()),
            "POST /result" => ("text/plain", desk.take(request)?),
            _ => (file?, fs::read(folder.path().join(path)).ok()?),
        };
        Some(Answer { kind, body })
    })?;
    server::open(kind, address)?;
    Ok(jobs)
}

/// Where jobs lie until the browser takes them, and who waits for the results of those that it took.
struct Desk {
    queue: Mutex<Receiver<Job>>,
    waiting: Mutex<Vec<Sender<Value>>>,
}

impl Desk {
    /// Waits for a job; `None` when there will be no more.
    fn next(&self) -> Option<Value> {
        let Job { mut text, reply } = self.queue.lock().ok()?.recv().ok()?;
        let mut waiting = self.waiting.lock().ok()?;
        text["id"] = waiting.len().into();
        waiting.push(reply);
        Some(text)
    }

    fn take(&self, request: &Request) -> Option<Vec<u8>> {
        let result: Value = serde_json::from_slice(&request.body).ok()?;
        let id = usize::try_from(result["id"].as_u64()?).ok()?;
        let _ = self.waiting.lock().ok()?.get(id)?.send(result); // the test may have given up
        Some(vec![])
    }
}
