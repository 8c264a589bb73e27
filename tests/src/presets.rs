//! Step parity and free run of the presets, on any engine.

use std::sync::{Arc, Mutex};

use engine::Engine;
use models::Precision;
use protocol::{RunConfig, preset};

use crate::{
    parity::{Gaps, Job},
    tolerance,
};

/// The job of a preset: the same one as long as nobody asks for another preset's, since it knows what the references gave.
///
/// A preset's name with ` f16` behind it is the same in that precision.
///
/// The seed job's rate is made for batches of 64; on these small ones it diverges. And it begins at that rate here: in the
/// twenty steps of its warm-up that we could make, next to nothing would move.
///
/// # Panics
/// For a name that no preset has.
pub fn job(name: &str) -> Arc<Job> {
    /// One, for its steps take hundreds of megabytes.
    static LAST: Mutex<Option<(String, Arc<Job>)>> = Mutex::new(None);
    let (of, precision) = match name.strip_suffix(" f16") {
        Some(of) => (of, Precision::F16),
        None => (name, Precision::F32),
    };
    let mut config = RunConfig { precision, ..preset(of).expect("a preset") };
    if name == "nolearn-dbn" {
        (config.schedule.rate, config.schedule.warm_up) = (0.03, 0);
    }
    let mut last = LAST.lock().expect("making a job does not panic");
    if let Some((_, job)) = last.as_ref().filter(|(known, _)| known == name) {
        return job.clone();
    }
    let job = Arc::new(Job::new(&config));
    *last = Some((name.to_owned(), job.clone()));
    job
}

/// Presets that are tried in precision f16.
pub const F16: [&str; 3] = ["mlp f16", "cnn f16", "mnist-99 f16"];

/// Step parity within the preset's bounds: the gaps.
///
/// # Panics
/// Where it does not hold.
pub async fn step_parity(name: &str, engine: &mut dyn Engine) -> Gaps {
    let gaps = job(name).step_parity(engine, &tolerance::step(name)).await;
    let gaps = gaps.unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{name}: outputs {:e}; gradients {:e}; updates {:e}", gaps.loss, gaps.gradient, gaps.update);
    gaps
}

/// A free run, within ten times the f32 reference's own distance: its own, for losses and state.
///
/// # Panics
/// Where it ends farther away.
pub async fn free_run(name: &str, engine: &mut dyn Engine) -> [f64; 2] {
    let [ours, own] = job(name).free_run(engine).await.expect("the engine and the references run");
    for (what, ours, own) in [("losses", ours[0], own[0]), ("state", ours[1], own[1])] {
        println!("{name}: {what} after a free run: gap {ours:.1e}, the f32 reference's {own:.1e}");
        assert!(ours <= tolerance::FREE_RUN * own, "{name}: {what}");
    }
    ours
}
