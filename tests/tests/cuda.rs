//! What needs an NVIDIA GPU: engine candle-cuda, on every case of the table and on every preset. Without one, or without the
//! feature `cuda`, these tests are ignored, and their names say what they need.

use candle::Candle;
use engine::EngineName;
use libtest_mimic::{Arguments, Failed, Trial};
use pollster::block_on;
use tests::{cases, presets, tolerance::OPERATION};

fn open(autograd: bool) -> Candle {
    Candle::open(EngineName::CandleCuda, autograd).expect("it could be opened before")
}

fn main() {
    let need = match Candle::open(EngineName::CandleCuda, false) {
        Ok(_) => None,
        Err(_) if cfg!(feature = "cuda") => Some("an NVIDIA GPU"),
        Err(_) => Some("--features cuda, and an NVIDIA GPU"),
    };
    let mut trials = vec![];
    let mut trial = |what: String, test: Box<dyn Fn() + Send>| {
        trials.push(match need {
            None => Trial::test(what, move || {
                test();
                Ok(())
            }),
            Some(need) => {
                Trial::test(format!("{what} [needs {need}]"), || Err(Failed::from("no GPU"))).with_ignored_flag(true)
            }
        });
    };
    trial(
        "every case".into(),
        Box::new(|| block_on(cases::assert_agreement(&mut open(false), OPERATION, |_| {}, &[]))),
    );
    trial(
        "bad values are refused".into(),
        Box::new(|| block_on(cases::assert_bad_values_are_refused(&mut open(false)))),
    );
    trial("NaN comes through".into(), Box::new(|| block_on(cases::assert_nan_comes_through(&mut open(false), &[]))));
    for (preset, _) in protocol::presets() {
        for (autograd, how) in [(false, ""), (true, " by candle's tape")] {
            trial(
                format!("step parity of {preset}{how}"),
                Box::new(move || {
                    block_on(presets::step_parity(preset, &mut open(autograd)));
                }),
            );
        }
        trial(
            format!("free run of {preset}"),
            Box::new(move || {
                block_on(presets::free_run(preset, &mut open(false)));
            }),
        );
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
