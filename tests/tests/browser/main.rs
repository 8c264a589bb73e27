//! Everything that needs a browser: kernels in its compiler, which refuses some of what naga accepts, and the engines as
//! wasm in its worker, in Firefox too. Without a browser its tests are ignored, and their names say what they need.

mod engines;
mod kernels;
mod server;

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use server::Kind;

/// The browser takes a while to start on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(240);

fn main() {
    let [chromium, firefox] = [Kind::Chromium, Kind::Firefox].map(|kind| (kind, kind.is_there()));
    let trial = |(kind, is_there): (Kind, bool), test: String, body: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
        let name = match is_there {
            true => format!("{test} [{kind:?}]"),
            false => format!("{test} [needs a browser: apt-get install {}]", kind.program()),
        };
        Trial::test(name, body).with_ignored_flag(!is_there)
    };
    let mut trials = vec![
        trial(chromium, "every kernel compiles".into(), Box::new(kernels::every_kernel_compiles)),
        trial(chromium, "a broken kernel is refused".into(), Box::new(kernels::a_broken_kernel_is_refused)),
    ];
    for module in &engines::MODULES {
        for engine in tests_wasm::jobs::ENGINES {
            // In turns, so that both browsers are busy.
            for (browser, job) in
                tests_wasm::jobs::of(engine).into_iter().flat_map(|job| [(chromium, job.clone()), (firefox, job)])
            {
                // The modules differ in the vectors that the engine on cores uses. Firefox gets what it would load.
                if module.name != "relaxed" && (engine != "cpu" || browser == firefox) {
                    continue;
                }
                // In Firefox the queue takes minutes for them, and the adapter is the one that computes them natively.
                if job == tests_wasm::jobs::NAN && engine == "wgpu" && browser == firefox {
                    continue;
                }
                let name = format!("{job} on {engine}, {}", module.vectors);
                trials.push(trial(browser, name, Box::new(move || engines::run(browser.0, module, engine, &job))));
            }
        }
    }
    for fault in engines::FAULTS {
        trials.push(trial(chromium, format!("{fault} is told"), Box::new(move || engines::fault(fault))));
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2 * engines::JOBS); // as many as the browsers do at a time
    let conclusion = libtest_mimic::run(&arguments, trials);
    server::close();
    conclusion.exit();
}
