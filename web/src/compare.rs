//! What runs have in common and in what they differ, and what that allows to say.

use protocol::{Dataset, EngineName, Length, Model, RunConfig, preset, presets};

use crate::format::{fill, number};
use crate::kept::{Kept, Place};
use crate::text::Texts;

/// In what runs can differ, apart from where they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Facet {
    Data,
    Network,
    Loss,
    Optimizer,
    Rate,
    Schedule,
    Momentum,
    Precision,
    Batch,
    Length,
    Seed,
    Ends,
}

impl Facet {
    /// All of them, in the order in which they are told.
    pub const ALL: [Facet; 12] = [
        Facet::Data,
        Facet::Network,
        Facet::Loss,
        Facet::Optimizer,
        Facet::Rate,
        Facet::Schedule,
        Facet::Momentum,
        Facet::Precision,
        Facet::Batch,
        Facet::Length,
        Facet::Seed,
        Facet::Ends,
    ];

    /// What the page calls it.
    pub fn name(self, t: &'static Texts) -> &'static str {
        match self {
            Facet::Data => t.data,
            Facet::Network => t.preset,
            Facet::Loss => t.loss,
            Facet::Optimizer => t.optimizer,
            Facet::Rate => t.rate,
            Facet::Schedule => t.schedule,
            Facet::Momentum => t.momentum,
            Facet::Precision => t.precision_of_numbers,
            Facet::Batch => t.batch,
            Facet::Length => t.length,
            Facet::Seed => t.seed,
            Facet::Ends => t.stop_when,
        }
    }

    /// Its value in a run, short; equal for runs that do not differ in it. None where the run has not started.
    pub fn of(self, run: &Kept, t: &Texts) -> Option<String> {
        let start = run.state.start.as_ref()?;
        let RunConfig { dataset, model, loss, optimizer, schedule, precision, batch, length, seed, stop, .. } =
            &*start.config;
        Some(match self {
            Facet::Data => {
                let Dataset { split, sampling, .. } = dataset;
                // The images that were taken, not the name that chose them, and so is how they were divided.
                let count = start.data.training;
                let part = if matches!(split, protocol::Split::Standard { .. }) { String::new() } else { json(split) };
                let drawn = if *sampling == protocol::Sampling::default() { String::new() } else { json(sampling) };
                format!("{} ({count}) {part} {drawn}", start.data.name).trim_end().into()
            }
            Facet::Network => match model {
                Model::Preset(name) => name.clone(),
                // The command line writes presets out as layers.
                Model::Network(network)
                    if let Some((name, _)) = presets().find(|(name, _)| is_network(name, network)) =>
                {
                    name.into()
                }
                Model::Network(network) => {
                    let names: Vec<_> = network.layers.iter().map(models::Layer::name).collect();
                    format!("{} {} ({})", names.join(" "), json(network).len(), start.parameters)
                }
            },
            Facet::Loss => json(loss),
            Facet::Optimizer => json(optimizer),
            Facet::Rate => match run.state.first_and_last_rate()? {
                (rate, None) => rate.to_string(),
                (first, Some(last)) => format!("{first} → {last}"),
            },
            Facet::Schedule => match schedule.warm_up {
                0 => json(&schedule.shape),
                steps => format!("{} {}: {steps}", json(&schedule.shape), t.warm_up),
            },
            Facet::Momentum => run.state.momenta.last().map_or(String::new(), |(momentum, _)| momentum.to_string()),
            Facet::Precision => json(precision),
            Facet::Batch => batch.to_string(),
            Facet::Length => match length {
                Length::Epochs(epochs) => format!("{epochs} × {}", t.epoch),
                Length::Steps(steps) => format!("{steps} {}", t.steps),
            },
            Facet::Seed => seed.to_string(),
            Facet::Ends => json(stop),
        })
    }
}

fn is_network(preset_name: &str, network: &models::Network) -> bool {
    preset(preset_name).and_then(|config| config.network()).is_ok_and(|preset| preset == *network)
}

/// A value as JSON without quotes and braces at its ends, which say nothing to a person.
fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain data with string keys serialises");
    text.trim_matches(['{', '}', '"']).replace('"', "")
}

/// What not all of these runs have in common.
pub fn differing(runs: &[Kept], t: &Texts) -> Vec<Facet> {
    let differs = |facet: &Facet| {
        let mut values = runs.iter().map(|run| facet.of(run, t));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    Facet::ALL.into_iter().filter(differs).collect()
}

/// An engine as visitors know it.
pub fn engine_name(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Wgpu => "WebGPU",
        EngineName::Cpu => "CPU",
        EngineName::CandleCpu => "candle CPU",
        EngineName::CandleCuda => "candle CUDA",
        EngineName::CandleMetal => "candle Metal",
    }
}

/// What computed a run, and where: `WebGPU, software (this browser)`.
pub fn device(run: &Kept, t: &Texts) -> Option<String> {
    let device = &run.state.start.as_ref()?.device;
    let name = match (device.engine, run.place) {
        (EngineName::Wgpu, Some(Place::File)) => "GPU (wgpu)",
        (engine, _) => engine_name(engine),
    };
    let software = if device.software { t.software_short } else { "" };
    let place = match run.place {
        Some(Place::Browser) => t.place_browser,
        Some(Place::File) => t.place_file,
        None => "",
    };
    let aside: Vec<_> = [software, place].into_iter().filter(|text| !text.is_empty()).collect();
    Some(if aside.is_empty() { name.into() } else { format!("{name} ({})", aside.join(", ")) })
}

/// How fast the latest run and the last one before it with the same settings on another engine, or made elsewhere, are,
/// and how far their losses are apart. None where there is no such pair, or one of them measured nothing.
pub fn verdict(runs: &[Kept], t: &Texts) -> Option<String> {
    let latest = runs.first()?;
    let where_made = |run: &Kept| Some((run.state.start.as_ref()?.device.engine, run.place));
    let is_same_job = |run: &&Kept| {
        where_made(run) != where_made(latest)
            && run.state.measured().is_some()
            && Facet::ALL.into_iter().all(|facet| facet.of(run, t) == facet.of(latest, t))
    };
    let other = runs.iter().skip(1).find(is_same_job)?;
    let pairs = latest.state.loss.points().zip(other.state.loss.points());
    let most = pairs.map(|(a, b)| (a.mean - b.mean).abs()).fold(0.0, f64::max);
    let one = |run: &Kept| Some((format!("{}, {} {}", device(run, t)?, t.run, run.number), run.state.measured()?));
    let mut both = [one(latest)?, one(other)?];
    both.sort_by(|a, b| a.1.total_cmp(&b.1));
    let [(slow, slow_speed), (fast, fast_speed)] = both;
    Some(fill(t.difference, &[&fast, &number(fast_speed / slow_speed), &slow, &number(most)]))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use protocol::{Data, Device, Event, RunConfig, Seconds};

    use super::*;
    use crate::state::RunState;
    use crate::text::Language;

    fn run(number: u64, engine: EngineName, place: Place, config: RunConfig) -> Kept {
        let mut state = RunState::default();
        state.apply(Event::Started {
            device: Device { engine, name: "d".into(), software: engine == EngineName::Wgpu },
            versions: vec![],
            choices: Default::default(),
            parameters: 7850,
            config: Box::new(config),
            data: Data { name: "digits".into(), training: 640, validation: 64, test: 64 },
            steps: 2,
            steps_per_epoch: 10,
            first_step: 0,
            seconds: Seconds::default(),
        });
        let (losses, seconds) = (vec![2.5, 2.0], if engine == EngineName::Cpu { 1.0 } else { 4.0 });
        state.apply(Event::Steps {
            step: 2,
            losses,
            hits: vec![8, 9],
            rate: 0.5,
            gradient_norm: None,
            seconds,
            readback: 0.0,
            asleep: 0.0,
            aside: 0.0,
        });
        state.apply(Event::Stopped { reason: "told to".into(), step: 2, checkpoint: None });
        Kept { number, ..Kept::new(state, place) }
    }

    #[test]
    fn only_what_differs_is_named() {
        let t = Language::ENGLISH.texts();
        let config = preset("softmax").unwrap();
        let seeds = |seed| RunConfig { seed, ..config.clone() };
        let runs = [1, 2].map(|seed| run(seed, EngineName::Cpu, Place::Browser, seeds(seed)));
        assert_eq!(differing(&runs, t), [Facet::Seed]);
        assert_eq!(differing(&runs[..1], t), []);
        let wide = config.set("optimizer.rule", r#"{"adam":{}}"#).unwrap();
        let wide = wide.set("length.steps", "7").unwrap().set("batch", "32").unwrap();
        let other = run(3, EngineName::Cpu, Place::Browser, wide);
        let all = [runs[0].clone(), other];
        assert_eq!(differing(&all, t), [Facet::Optimizer, Facet::Batch, Facet::Length]);
        let values: Vec<_> = Facet::ALL.into_iter().filter_map(|facet| facet.of(&all[1], t)).collect();
        expect![[r#"
            [
                "digits (640)",
                "softmax",
                "cross_entropy",
                "rule:{adam:{beta1:0.9,beta2:0.999,epsilon:1e-8}},weight_decay:0.0",
                "0.05",
                "constant",
                "",
                "f32",
                "32",
                "7 steps",
                "1",
                "",
            ]
        "#]]
        .assert_debug_eq(&values);
    }

    #[test]
    fn two_devices_are_compared_with_their_conditions() {
        let t = Language::ENGLISH.texts();
        let config = preset("softmax").unwrap();
        let gpu = run(1, EngineName::Wgpu, Place::Browser, config.clone());
        let cpu = run(2, EngineName::Cpu, Place::Browser, config.clone());
        expect!["With the same settings, CPU (this browser), run 2 makes 4.00 times as many images a second as WebGPU (software, this browser), run 1; their losses differ by at most 0. That is one run each: where it matters, repeat both."].assert_eq(&verdict(&[cpu.clone(), gpu.clone()], t).unwrap());
        // The same engine elsewhere is another one.
        let native = run(3, EngineName::Cpu, Place::File, config.clone());
        assert!(verdict(&[native.clone(), cpu.clone()], t).unwrap().contains("1.00"));
        assert_eq!(verdict(&[cpu.clone(), cpu.clone()], t), None);
        let other = run(4, EngineName::Wgpu, Place::Browser, RunConfig { seed: 9, ..config });
        assert_eq!(verdict(&[cpu.clone(), other], t), None);
        let mut idle = gpu;
        idle.state.seconds = Seconds::default();
        assert_eq!(verdict(&[cpu, idle], t), None, "what measured nothing is not compared");
    }
}
