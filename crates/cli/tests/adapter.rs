//! The program with a GPU adapter. Without one these tests are ignored, and their names say what they need.

#[cfg(unix)]
mod chain;
#[cfg(unix)]
mod place;

use std::{fs, path::Path, process::Command};

use gpu::Gpu;
use libtest_mimic::{Arguments, Failed, Trial};
use protocol::{Event, Message};

fn main() {
    let adapter = pollster::block_on(Gpu::devices()).into_iter().next().map(|device| device.name);
    let with = adapter.as_deref().unwrap_or("needs an adapter: apt-get install mesa-vulkan-drivers");
    let trial = |name: &str, test: fn() -> Result<(), Failed>| {
        Trial::test(format!("{name} [{with}]"), test).with_ignored_flag(adapter.is_none())
    };
    let trials = vec![
        trial("kernels are measured once", kernels_are_measured_once),
        #[cfg(unix)]
        trial("chains of interrupted runs end in the same bits", || chain::chains(true)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// What the run chose, and what the program said.
fn train(cache: &Path, arguments: &str) -> Result<(std::collections::BTreeMap<String, String>, String), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playground-cli"));
    command.args("train --dataset digits --set dataset.digits=600 --set dataset.split.standard.validation=100 --steps 3 --json --engine wgpu".split(' '));
    command.args(arguments.split_whitespace()).current_dir(cache).env("PLAYGROUND_CACHE", cache);
    let output = command.output()?;
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if !output.status.success() {
        return Err(stderr.into());
    }
    let started = stdout.lines().next().ok_or("no event")?;
    match Message::from_json(started)?.event {
        Event::Started { choices, .. } => Ok((choices, stderr)),
        other => Err(format!("{other:?} is not the first event of a run").into()),
    }
}

fn kernels_are_measured_once() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let (chosen, said) = train(place.path(), "--preset softmax --tune")?;
    assert!(said.contains("measuring kernels"), "{said}");
    let kept = place.path().join("kernels.json");
    let file: serde_json::Value = serde_json::from_slice(&fs::read(&kept)?)?;
    let devices: Vec<_> = file.as_object().ok_or("no object")?.values().collect();
    assert_eq!(devices.len(), 1, "{file}");
    for (product, choice) in devices[0].as_object().ok_or("no object")? {
        assert_eq!(chosen[product], choice.as_str().ok_or("no text")?, "{product}");
    }
    let (again, said) = train(place.path(), "--preset softmax --tune")?;
    assert!(again == chosen && !said.contains("measuring"), "{said}");

    fs::write(&kept, "{ \"adapter\": 1 }")?;
    match train(place.path(), "--preset softmax --tune") {
        Err(message) if format!("{message:?}").contains("is damaged: remove it, and measure again") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
