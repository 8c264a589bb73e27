//! Kernels in a browser's compiler, which refuses some of what naga accepts. Without Chromium these tests are ignored,
//! and their names say what they need.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use gpu::{Tier, lowered};
use graph::{DType, Graph};
use libtest_mimic::{Arguments, Failed, Trial};
use protocol::{preset, presets};
use serde_json::{Value, json};
use train::programs::{self, Table};

/// The browser takes a while to start on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(240);

fn main() {
    let found = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    let name = |test: &str| match is_there {
        true => format!("{test} [chromium]"),
        false => format!("{test} [needs a browser: apt-get install chromium]"),
    };
    let trials = vec![
        Trial::test(name("every kernel compiles"), every_kernel_compiles).with_ignored_flag(!is_there),
        Trial::test(name("a broken kernel is refused"), a_broken_kernel_is_refused).with_ignored_flag(!is_there),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The texts of all presets' programs, each once, and of each kernel one that becomes a pipeline.
fn every_kernel_compiles() -> Result<(), Failed> {
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

fn a_broken_kernel_is_refused() -> Result<(), Failed> {
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

/// A browser that ends with the test.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended by itself
        let _ = self.0.wait();
    }
}

/// Lets a browser compile these kernels, and returns what it says.
fn compile(kernels: Vec<Value>) -> Result<Value, Failed> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let kernels = Value::from(kernels).to_string();
        for stream in server.incoming().flatten() {
            let sender = sender.clone();
            if let Ok(Some(result)) = answer(stream, &kernels) {
                let _ = sender.send(result); // the test may have given up
            }
        }
    });
    let profile = tempfile::tempdir()?;
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--enable-unsafe-webgpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{address}/"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let _browser = Browser(browser);
    Ok(receiver.recv_timeout(PATIENCE).map_err(|_| format!("the browser said nothing for {PATIENCE:?}"))?)
}

/// Serves the page and the kernels, and returns what the page reports.
fn answer(mut stream: TcpStream, kernels: &str) -> Result<Option<Value>, Box<dyn std::error::Error>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let (body, kind, result) = if request.starts_with("POST /result") {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        (String::new(), "text/plain", Some(serde_json::from_slice(&body)?))
    } else if request.starts_with("GET /kernels") {
        (kernels.to_owned(), "application/json", None)
    } else {
        (PAGE.to_owned(), "text/html", None)
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    Ok(result)
}
