//! The tests of engines, to be run in a browser's worker: `tests/browser` builds this crate, serves it, and asks for one
//! job after the other. Bodies and tolerances are those of the native tests.

use std::cell::RefCell;

use cpu::Cpu;
use engine::Engine;
use gpu::Gpu;
use protocol::EngineName;
use serde_json::json;
use tests::{
    cases,
    goldens::{goldens, largest_gap, pytorch},
    presets,
    tolerance::{GOLDEN_F32, OPERATION, golden_on_gpu},
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Defined by the worker's script: a panic ends this program, so somebody else must tell of it.
    #[wasm_bindgen(js_namespace = self, js_name = panicked)]
    fn panicked(message: &str);
}

/// Tells of panics.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| panicked(&info.to_string())));
}

/// What a browser is asked to do.
pub mod jobs {
    /// Each engine.
    pub const ENGINES: [&str; 2] = ["cpu", "wgpu"];

    /// Thousands of steps, each by itself.
    pub const NAN: &str = "NaN comes through";

    /// All jobs of an engine, by name.
    pub fn of(engine: &str) -> Vec<String> {
        let cases = graph::cases().into_iter().map(|case| format!("case {}", case.name));
        let presets = protocol::presets().map(|(name, _)| format!("step parity of {name}"));
        let goldens =
            tests::goldens::goldens().into_iter().map(|golden| format!("PyTorch's losses of {}", golden.name));
        let twice = (engine == "cpu").then(|| "every case twice".to_owned());
        cases.chain(["bad values".to_owned(), NAN.to_owned()]).chain(twice).chain(presets).chain(goldens).collect()
    }
}

thread_local! {
    /// The engine of the last case: cases share it.
    static ENGINE: RefCell<Option<(String, Box<dyn Engine>)>> = const { RefCell::new(None) };
}

async fn open(engine: &str) -> Result<Box<dyn Engine>, String> {
    match engine {
        "cpu" => Ok(Box::new(Cpu::open(None).map_err(text)?)),
        "wgpu" => Ok(Box::new(Gpu::open(None).await.map_err(text)?)),
        _ => Err(format!("no engine is called {engine}")),
    }
}

/// Does a job. The answer is JSON: the job, the device, and what was measured.
///
/// # Errors
/// What does not agree. What panics natively panics here, too.
#[wasm_bindgen]
pub async fn run(engine: String, job: String) -> Result<String, String> {
    let kept = ENGINE.with_borrow_mut(Option::take).filter(|(name, _)| *name == engine);
    let is_case = job.starts_with("case ");
    let mut own = match kept {
        Some((_, kept)) if is_case => kept,
        _ => open(&engine).await?,
    };
    let measured = match job.split_once(' ') {
        Some(("case", name)) => case(own.as_mut(), name).await?,
        Some(("bad", "values")) => {
            cases::assert_bad_values_are_refused(own.as_mut()).await;
            json!(null)
        }
        Some(("every", "case twice")) => {
            cases::assert_repeats(|| Cpu::open(None).expect("the caller's thread is there")).await;
            json!(null)
        }
        _ if job == jobs::NAN => {
            cases::assert_nan_comes_through(own.as_mut(), if engine == "cpu" { cases::NAN_ON_CPU } else { &[] }).await;
            json!(null)
        }
        Some(("step", rest)) => {
            let name = rest.strip_prefix("parity of ").ok_or("no such job")?;
            json!(format!("{:?}", presets::step_parity(name, own.as_mut()).await))
        }
        Some(("PyTorch's", rest)) => {
            json!(golden(own.as_mut(), rest.strip_prefix("losses of ").ok_or("no such job")?).await?)
        }
        _ => return Err(format!("no job is called {job}")),
    };
    let answer = json!({ "job": job, "engine": own.device().engine, "device": own.device(), "measured": measured });
    if is_case {
        ENGINE.set(Some((engine, own)));
    }
    Ok(answer.to_string())
}

async fn case(engine: &mut dyn Engine, name: &str) -> Result<serde_json::Value, String> {
    let case = graph::cases().into_iter().find(|case| case.name == name).ok_or("no such case")?;
    match cases::agreement(engine, &case, OPERATION).await.map_err(text)? {
        None => Ok(json!({ "nodes": case.graph.nodes.len() })),
        Some(how) => Err(how),
    }
}

async fn golden(engine: &mut dyn Engine, name: &str) -> Result<f64, String> {
    let golden = goldens().into_iter().find(|golden| golden.name == name).ok_or("no such training")?;
    let got = golden.run(engine).await.map_err(text)?;
    let bound = match engine.device().engine {
        EngineName::Wgpu => golden_on_gpu(name),
        _ => GOLDEN_F32,
    };
    largest_gap(name, &got, &pytorch()[name], bound)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
