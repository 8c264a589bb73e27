//! Step parity and free run of the presets, on any engine.

use engine::Engine;
use protocol::preset;

use crate::{
    parity::{Gaps, Job, reference},
    tolerance,
};

/// The job of a preset. The seed job's rate is made for batches of 64; on these small ones it diverges. And it begins at
/// that rate here: in the twenty steps of its warm-up that we could make, next to nothing would move.
///
/// # Panics
/// For a name that no preset has.
pub fn job(name: &str) -> Job {
    let mut config = preset(name).expect("a preset");
    if name == "nolearn-dbn" {
        (config.schedule.rate, config.schedule.warm_up) = (0.03, 0);
    }
    Job::new(&config)
}

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
    let job = job(name);
    let ours = job.free_run(engine).await.expect("the engine runs");
    let own = job.free_run(&mut reference::<f32>()).await.expect("the reference runs");
    for (what, ours, own) in [("losses", ours[0], own[0]), ("state", ours[1], own[1])] {
        println!("{name}: {what} after a free run: gap {ours:.1e}, the f32 reference's {own:.1e}");
        assert!(ours <= tolerance::FREE_RUN * own, "{name}: {what}");
    }
    ours
}
