//! Everything that needs a browser: kernels in its compiler, which refuses some of what naga accepts, and the engines as
//! wasm in its worker. Without Chromium these tests are ignored, and their names say what they need.

mod engines;
mod kernels;
mod server;

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

/// The browser takes a while to start on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(240);

fn main() {
    let is_there = server::Browser::is_there();
    let trial = |test: String, body: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
        let name = match is_there {
            true => format!("{test} [chromium]"),
            false => format!("{test} [needs a browser: apt-get install chromium]"),
        };
        Trial::test(name, body).with_ignored_flag(!is_there)
    };
    let mut trials = vec![
        trial("every kernel compiles".into(), Box::new(kernels::every_kernel_compiles)),
        trial("a broken kernel is refused".into(), Box::new(kernels::a_broken_kernel_is_refused)),
    ];
    for module in &engines::MODULES {
        // The modules differ in the vectors that the engine on cores uses.
        let engines =
            tests_wasm::jobs::ENGINES.into_iter().filter(|engine| module.name == "relaxed" || *engine == "cpu");
        for (engine, job) in
            engines.flat_map(|engine| tests_wasm::jobs::of(engine).into_iter().map(move |job| (engine, job)))
        {
            let name = format!("{job} on {engine}, {}", module.vectors);
            trials.push(trial(name, Box::new(move || engines::run(module, engine, &job))));
        }
    }
    for fault in engines::FAULTS {
        trials.push(trial(format!("{fault} is told"), Box::new(move || engines::fault(fault))));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
