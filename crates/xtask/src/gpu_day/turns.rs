//! What runners measured in turns, what is made of it, and its picture.

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) const WORKLOADS: [&str; 3] = ["W1", "W2", "W3"];

/// What runners measured in turns.
#[derive(Default)]
pub(super) struct Turns {
    /// (workload, runner) → round → steps per second
    pub(super) speeds: BTreeMap<(String, String), BTreeMap<u64, f64>>,
    /// Runners that took no part, or no further part, and why.
    pub(super) absent: BTreeMap<String, String>,
    /// Device and version of each runner.
    pub(super) about: BTreeMap<String, String>,
}

impl Turns {
    /// Reads what `turns.py` printed; a line that was cut off is none. With `on_gpu`, nor is what a CPU measured.
    pub(super) fn read(text: &str, on_gpu: bool) -> Self {
        let mut turns = Turns::default();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let Some(runner) = line["runner"].as_str() else { continue };
            if let Some(why) = line["missing"].as_str().or(line["failed"].as_str()) {
                turns.absent.insert(runner.into(), why.lines().last().unwrap_or_default().into());
            }
            let device = line["device"].as_str().unwrap_or_default();
            let versions = line["versions"].as_array().into_iter().flatten().chain([&line["version"]]);
            let versions: Vec<&str> = versions.filter_map(Value::as_str).collect();
            if !device.is_empty() {
                turns.about.insert(runner.into(), format!("{device}, {}", versions.join(", ")));
            }
            if on_gpu && (line["software"] == true || device.eq_ignore_ascii_case("cpu")) {
                turns.absent.insert(runner.into(), format!("it ran on {device}, which is no GPU"));
                continue;
            }
            let speed = line["steps_per_second"].as_f64().or(line["steps_per_s"].as_f64());
            if let (Some(workload), Some(round), Some(speed)) =
                (line["workload"].as_str(), line["round"].as_u64(), speed)
            {
                turns.speeds.entry((workload.into(), runner.into())).or_default().insert(round, speed);
            }
        }
        turns
    }

    /// Ours first.
    pub(super) fn runners(&self) -> Vec<String> {
        let mut runners: Vec<String> = self.speeds.keys().map(|(_, runner)| runner.clone()).collect();
        runners.sort_by_key(|runner| (!runner.starts_with("ours"), runner.clone()));
        runners.dedup();
        runners
    }

    pub(super) fn of(&self, workload: &str, runner: &str) -> Option<Vec<f64>> {
        Some(self.speeds.get(&(workload.to_owned(), runner.to_owned()))?.values().copied().collect())
    }

    /// One runner's speed as a multiple of another's, in the rounds that both have.
    pub(super) fn ratios(&self, workload: &str, one: &str, other: &str) -> Option<Vec<f64>> {
        let of = |runner: &str| self.speeds.get(&(workload.to_owned(), runner.to_owned()));
        let (one, other) = (of(one)?, of(other)?);
        let ratios: Vec<f64> = one.iter().filter_map(|(round, speed)| Some(speed / other.get(round)?)).collect();
        (!ratios.is_empty()).then_some(ratios)
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Of at least one value.
pub(super) fn median(values: &[f64]) -> f64 {
    let (sorted, middle) = (sorted(values), values.len() / 2);
    if values.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Median (lowest–highest).
pub(super) fn spread(values: &[f64]) -> String {
    let sorted = sorted(values);
    format!("{} ({}–{})", figure(median(values)), figure(sorted[0]), figure(sorted[sorted.len() - 1]))
}

/// Bars of medians, each workload by its fastest, with a line from the lowest to the highest value.
pub(super) fn chart(turns: &Turns) -> String {
    const LEFT: f64 = 170.0;
    const WIDTH: f64 = 420.0;
    const BAR: f64 = 22.0;
    let runners = turns.runners();
    let (mut y, mut body) = (10.0, String::new());
    for workload in WORKLOADS {
        let rows: Vec<(&String, Vec<f64>)> =
            runners.iter().filter_map(|runner| Some((runner, turns.of(workload, runner)?))).collect();
        let most = rows.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
        body += &format!("<text x=\"10\" y=\"{}\" font-weight=\"bold\">{workload}</text>\n", y + 14.0);
        y += 20.0;
        for (runner, values) in rows {
            let (values, median) = (sorted(&values), median(&values));
            let at = |value: f64| LEFT + WIDTH * value / most;
            let (low, high, middle) = (at(values[0]), at(values[values.len() - 1]), y + BAR / 2.0);
            let colour = if runner.starts_with("ours") { "#2f6fdb" } else { "#8a919e" };
            body += &format!(
                "<text x=\"10\" y=\"{:.1}\">{runner}</text><rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\
                 <path d=\"M{low:.1} {middle:.1}H{high:.1}\" stroke=\"#888\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                middle + 4.0,
                at(median) - LEFT,
                BAR - 6.0,
                high + 6.0,
                middle + 4.0,
                figure(median),
            );
            y += BAR;
        }
        y += 10.0;
    }
    let width = LEFT + WIDTH + 80.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Training steps a second at batch 64: medians, and lines from the lowest to the highest round</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Three digits that count.
pub(super) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        x if x >= 100.0 => 0,
        x if x >= 10.0 => 1,
        x if x >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_rounds_that_both_have() {
        let turns = Turns::read(
            r#"{"round": 1, "runner": "ours:wgpu", "workload": "W1", "steps_per_second": 300.0}
{"round": 1, "runner": "torch:eager", "workload": "W1", "steps_per_s": 100.0}
{"round": 2, "runner": "ours:wgpu", "workload": "W1", "steps_per_second": 500.0}
{"round": 2, "runner": "torch:eager", "workload": "W1", "steps_per_s": 100.0}
{"round": 3, "runner": "ours:wgpu", "workload": "W1", "steps_per_second": 400.0}
{"runner": "torch:eager", "failed": "W1: it ended"}
{"runner": "jax", "missing": "Traceback\nModuleNotFoundError: No module named 'jax'"}
{"round": 1, "runner": "ours:cpu", "workload": "W1", "steps_per_second": 9.0, "device": "llvmpipe", "software": true}
{"round": 1, "runner": "torch:graph", "workload": "W1", "steps_per_s": 9.0, "device": "cpu", "version": "2.11"}
{"round": 3, "runner": "torch:ea"#,
            true,
        );
        assert_eq!(turns.absent["ours:cpu"], "it ran on llvmpipe, which is no GPU");
        assert_eq!(turns.absent["torch:graph"], "it ran on cpu, which is no GPU");
        assert_eq!(turns.about["torch:graph"], "cpu, 2.11");
        assert_eq!(turns.runners(), ["ours:wgpu", "torch:eager"]);
        assert_eq!(turns.ratios("W1", "ours:wgpu", "torch:eager"), Some(vec![3.0, 5.0]));
        assert_eq!(turns.ratios("W2", "ours:wgpu", "torch:eager"), None);
        assert_eq!(turns.of("W1", "ours:wgpu").as_deref().map(spread).as_deref(), Some("400 (300–500)"));
        assert_eq!(turns.absent["jax"], "ModuleNotFoundError: No module named 'jax'");
        assert!(chart(&turns).contains("ours:wgpu"));
    }
}
