//! Kernels in a browser's compiler, which refuses some of what naga accepts.

use std::{collections::BTreeMap, sync::mpsc};

use gpu::{Tier, lowered};
use graph::{DType, Graph};
use libtest_mimic::Failed;
use protocol::{preset, presets};
use serde_json::{Value, json};
use train::programs::{self, Table};

use crate::{
    PATIENCE,
    server::{Answer, Browser, Kind, serve},
};

/// The texts of all presets' programs, each once, and of each kernel one that becomes a pipeline.
pub(crate) fn every_kernel_compiles() -> Result<(), Failed> {
    let table = Table { rows: 1000, size: [28, 28], dtype: DType::U8 };
    let mut texts: BTreeMap<String, &str> = BTreeMap::new();
    for (name, _) in presets() {
        let config = preset(name)?;
        let graphs: [Graph; 3] = [
            programs::train(&config, &table, true)?,
            programs::evaluate(&config, &table)?,
            programs::predict(&config, [28, 28], 1)?,
        ];
        for graph in &graphs {
            for tier in [Tier::Software, Tier::Default, Tier::Discrete] {
                texts.extend(lowered(graph, tier).1.into_iter().map(|dispatch| (dispatch.text, dispatch.kernel)));
            }
        }
    }
    let mut whole: Vec<&str> = vec![];
    let kernels = texts.iter().map(|(text, kernel)| {
        let is_first = !whole.contains(kernel);
        whole.push(kernel);
        json!({ "name": kernel, "text": text, "pipeline": is_first })
    });
    let kernels: Vec<Value> = kernels.collect();
    let count = kernels.len();
    let result = compile(kernels)?;
    println!("{count} texts in {}", result["browser"]);
    match result["errors"].as_array() {
        Some(errors) if errors.is_empty() && result["compiled"] == count => Ok(()),
        _ => Err(format!("{result:#}").into()),
    }
}

pub(crate) fn a_broken_kernel_is_refused() -> Result<(), Failed> {
    let text = "@compute @workgroup_size(1) fn main(@builtin(local_invocation_index) lane: u32) {
        if (lane == 0u) { workgroupBarrier(); }
    }";
    let result = compile(vec![json!({ "name": "barrier", "text": text, "pipeline": false })])?;
    match result["errors"].as_array() {
        Some(errors) if errors.len() == 1 && result["compiled"] == 1 => Ok(()),
        _ => Err(format!("{result:#}").into()),
    }
}

const PAGE: &str = r#"<!doctype html><script type="module">
const report = result => fetch("/result", { method: "POST", body: JSON.stringify(result) });
try {
    const adapter = await navigator.gpu?.requestAdapter();
    const device = await adapter.requestDevice();
    const errors = [];
    let compiled = 0;
    for (const { name, text, pipeline } of await (await fetch("/kernels")).json()) {
        device.pushErrorScope("validation");
        const module = device.createShaderModule({ code: text });
        const { messages } = await module.getCompilationInfo();
        for (const { type, message, lineNum } of messages) {
            if (type === "error") errors.push(`${name}:${lineNum}: ${message}`);
        }
        if (pipeline) {
            await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } })
                .catch(error => errors.push(`${name}: ${error.message}`));
        }
        await device.popErrorScope();
        compiled += 1;
    }
    await report({ compiled, errors, browser: navigator.userAgent });
} catch (error) {
    await report({ compiled: 0, errors: [String(error)], browser: navigator.userAgent });
}
</script>"#;

/// Lets a browser compile these kernels, and returns what it says.
fn compile(kernels: Vec<Value>) -> Result<Value, Failed> {
    let kernels = Value::from(kernels).to_string();
    let (sender, receiver) = mpsc::channel();
    let server = serve(move |request| {
        let (kind, body) = match request.line.as_str() {
            "GET /" => ("text/html", PAGE.into()),
            "GET /kernels" => ("application/json", kernels.clone().into()),
            "POST /result" => {
                let _ = sender.send(serde_json::from_slice(&request.body)); // the test may have given up
                ("text/plain", vec![])
            }
            _ => return None,
        };
        Some(Answer { kind, body })
    })?;
    let _browser = Browser::open(Kind::Chromium, server)?;
    Ok(receiver.recv_timeout(PATIENCE).map_err(|_| format!("the browser said nothing for {PATIENCE:?}"))??)
}
