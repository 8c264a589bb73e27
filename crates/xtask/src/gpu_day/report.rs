//! What came back, as a page: every figure is computed here from raw output, and every value that it comes from is shown.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use super::turns::{Turns, WORKLOADS, chart, figure, median, spread};

/// Make docs/gpu.md and its picture from the archives of a day: ratios, raw values, machine, versions, and what failed.
///
/// Archives of a rehearsal are refused: what software computes in a GPU's place is no figure of a GPU.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with part-1.tar.gz and so on
    #[arg(value_name = "DIR")]
    archives: PathBuf,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let day = read(sh, &args.archives)?;
    ensure!(!day.is_rehearsal(), "{} holds a rehearsal, not a day with a GPU", args.archives.display());
    write(&day, &sh.current_dir().join("docs"))
}

/// Writes the page and its pictures.
pub(crate) fn write(day: &Day, to: &Path) -> Result<()> {
    let mut files = vec![("gpu.md", day.page().into_bytes())];
    files.extend(day.turns(2, "turns-64").map(|turns| (CHART, chart(&turns).into_bytes())));
    let pictures = day.pictures.iter().map(|(name, bytes)| (name.as_str(), bytes.clone()));
    for (name, bytes) in files.into_iter().chain(pictures) {
        let path = to.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The picture of speeds at batch 64.
const CHART: &str = "gpu-steps.svg";

/// All that came back.
pub(crate) struct Day {
    pub(crate) steps: Vec<Step>,
    /// `part-1/devices.out` and its text.
    files: BTreeMap<String, String>,
    /// `gpu-page-wgpu.png` and its bytes.
    pictures: BTreeMap<String, Vec<u8>>,
}

/// A step of a part, as `run.sh` noted it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) part: u32,
    pub(crate) name: String,
    /// Seconds that it took.
    pub(crate) seconds: f64,
    pub(crate) ended: Ended,
    pub(crate) command: String,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    Done,
    /// By its limit.
    CutOff(String),
    NotReached,
    Skipped(String),
    Failed(String),
}

impl Ended {
    fn parse(text: &str) -> Self {
        match text {
            "done" => Ended::Done,
            "not reached" => Ended::NotReached,
            text if text.starts_with("cut off") => Ended::CutOff(text.into()),
            text => match text.strip_prefix("skipped: ") {
                Some(reason) => Ended::Skipped(reason.into()),
                None => Ended::Failed(text.into()),
            },
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Done => f.write_str("done"),
            Ended::NotReached => f.write_str("not reached"),
            Ended::Skipped(reason) => write!(f, "skipped: {reason}"),
            Ended::CutOff(text) | Ended::Failed(text) => f.write_str(text),
        }
    }
}

/// Most bytes of a file in an archive that is read.
const FILE: u64 = 16_000_000;

/// Reads all archives of a folder.
pub(crate) fn read(sh: &Shell, archives: &Path) -> Result<Day> {
    let mut day = Day { steps: vec![], files: BTreeMap::new(), pictures: BTreeMap::new() };
    let unpacked = tempfile::tempdir()?;
    let mut parts = 0;
    for part in 1..=5 {
        let archive = archives.join(format!("part-{part}.tar.gz"));
        if !archive.exists() {
            continue;
        }
        let to = unpacked.path();
        let folder = to.join(format!("part-{part}"));
        let whole = cmd!(sh, "tar --extract --gzip --file {archive} --directory {to}").quiet().run().is_ok();
        if !whole || !folder.join("steps.tsv").is_file() {
            let ended = Ended::Failed("its archive is damaged, or has no steps.tsv".into());
            let name = archive.display().to_string();
            day.steps.push(Step { part, name, seconds: 0.0, ended, command: String::new() });
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            // Nothing but files comes from `run.sh`, and none of these is large.
            let metadata = fs::symlink_metadata(&path)?;
            if !metadata.is_file() || metadata.len() > FILE {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::read(&path)?;
            if name.ends_with(".png") {
                day.pictures.insert(format!("gpu-{name}"), bytes);
                continue;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if name == "steps.tsv" {
                day.steps.extend(steps(part, &text)?);
            }
            day.files.insert(format!("part-{part}/{name}"), text);
        }
        parts += 1;
    }
    ensure!(parts > 0, "{} has no part-1.tar.gz: these are made by gpu-day/run.sh", archives.display());
    Ok(day)
}

fn steps(part: u32, text: &str) -> Result<Vec<Step>> {
    let step = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, _limit, seconds, ended, command] = fields[..] else { bail!("part {part}: no step: {line}") };
        let seconds = seconds.parse().with_context(|| format!("part {part}: no seconds: {line}"))?;
        Ok(Step { part, name: name.into(), seconds, ended: Ended::parse(ended), command: command.into() })
    };
    text.lines().map(step).collect()
}

impl Day {
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.steps.iter().any(|step| step.name == "rehearsal")
    }

    /// The output of a step.
    fn output(&self, part: u32, step: &str) -> Option<&str> {
        Some(self.files.get(&format!("part-{part}/{step}.out"))?.as_str())
    }

    fn page(&self) -> String {
        let mut page = "# Figures from a GPU\n\n".to_owned();
        if self.is_rehearsal() {
            page += "**A rehearsal: software stood in for the GPU, and nothing here is a figure of one.**\n\n";
        }
        page += "Made by `cargo xtask gpu-day report` from what `gpu-day/run.sh` left; change neither by hand.\n\n";
        for (title, section) in [
            ("The machine", self.machine()),
            ("Devices", self.devices()),
            ("Whether they compute right", self.rings()),
            ("Training steps a second, batch 64", self.speeds(2, "turns-64")),
            ("MNIST to 99 %", self.to_99()),
            ("In the browser", self.browser()),
            ("Training steps a second, batch 1024", self.speeds(5, "turns-1024")),
            ("Beside `torch.compile`, batch 64", self.speeds(5, "compiled")),
            ("Kernels as measured with `--tune`", self.tuned()),
            ("Which engine for which network", self.grid()),
            ("Kernels", self.kernels()),
            ("What was run", Some(self.all_steps())),
        ] {
            page += &format!("## {title}\n\n{}\n", section.unwrap_or("Not measured: see what was run.\n".into()));
        }
        page
    }

    /// What `run.sh` noted before each part, once.
    fn machine(&self) -> Option<String> {
        Some(format!("```\n{}\n```\n", self.output(1, "machine")?.trim_end()))
    }

    /// What `devices --verify --json` said, of both programs: each device once.
    fn devices(&self) -> Option<String> {
        let mut rows = BTreeMap::new();
        for step in ["devices", "devices-cuda"] {
            let list: Option<Vec<Value>> = self.output(1, step).and_then(|text| serde_json::from_str(text).ok());
            for device in list.unwrap_or_default() {
                rows.insert(format!("{} {}", device["engine"], device["name"]), device);
            }
        }
        if rows.is_empty() {
            return None;
        }
        let mut table = "| engine | device | right | GFLOP/s of f32 products 1024×1024 | to the device, GB/s | back, GB/s | µs a dispatch | µs a submission |\n|---|---|---|---|---|---|---|---|\n".to_owned();
        for device in rows.values() {
            let text = |key: &str| device[key].as_str().unwrap_or("?").to_owned();
            let number = |key: &str| device[key].as_f64().map_or("–".into(), figure);
            let software = if device["software"] == true { " (software)" } else { "" };
            let right = if device["right"] == true { "yes" } else { "NO" };
            let numbers = ["gflop_per_second", "upload_gb_per_second", "readback_gb_per_second"].map(number);
            let overheads = ["dispatch_microseconds", "submit_microseconds"].map(number);
            let cells = [vec![text("engine"), text("name") + software, right.into()], numbers.into(), overheads.into()];
            table += &format!("| {} |\n", cells.concat().join(" | "));
        }
        Some(table)
    }

    /// The last lines of the test programs, and which tests failed.
    fn rings(&self) -> Option<String> {
        let mut text = String::new();
        for (ring, what) in [
            ("parity-wgpu", "step parity on `wgpu`"),
            ("parity-cuda", "step parity on `candle-cuda`"),
            ("adapter-ring", "all other tests of adapters"),
            ("cuda-ring", "all other tests of CUDA"),
        ] {
            let Some(output) = self.output(1, ring) else { continue };
            let result = output.lines().rev().find(|line| line.starts_with("test result: "));
            let passed = output.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
            let result = result.map_or(format!("cut off after {passed} tests had passed"), String::from);
            text += &format!("- {what}: {result}\n");
            for line in output.lines().filter(|line| line.starts_with("test ") && line.ends_with("FAILED")) {
                text += &format!("  - {line}\n");
            }
        }
        (!text.is_empty()).then_some(text)
    }

    /// What runners measured in turns. On a day with a GPU that is a GPU's.
    fn turns(&self, part: u32, step: &str) -> Option<Turns> {
        let turns = Turns::read(self.output(part, step)?, !self.is_rehearsal());
        (!turns.speeds.is_empty()).then_some(turns)
    }

    /// Medians, ratios round by round, and every value.
    fn speeds(&self, part: u32, step: &str) -> Option<String> {
        let turns = self.turns(part, step)?;
        let runners = turns.runners();
        let mut text = format!("| workload | {} |\n|---|{}\n", runners.join(" | "), "---|".repeat(runners.len()));
        for workload in WORKLOADS {
            let cell = |runner: &String| turns.of(workload, runner).map_or("–".into(), |values| spread(&values));
            text += &format!("| {workload} | {} |\n", runners.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
        text += "\nMedian (lowest–highest) of the rounds, in which all took turns. All in f32 (TF32 is off), but what says f16.\n\n";
        for (runner, about) in &turns.about {
            text += &format!("- {runner}: {about}\n");
        }
        text += "\n";
        if part == 2 {
            text += &format!("![steps a second]({CHART})\n\n");
        }
        let (ours, peers): (Vec<_>, Vec<_>) = runners.iter().partition(|runner| runner.starts_with("ours"));
        // Peers compute in f32, and so does what is compared with them; what is in f16, with its own engine in f32.
        let mut pairs: Vec<(&String, &String)> = vec![];
        for ours in &ours {
            match ours.strip_suffix("+f16") {
                None => pairs.extend(peers.iter().map(|peer| (*ours, *peer))),
                Some(wide) => pairs.extend(runners.iter().filter(|runner| *runner == wide).map(|wide| (*ours, wide))),
            }
        }
        for (ours, peer) in pairs {
            let ratio = |workload: &&str| Some(format!("{workload} {}", spread(&turns.ratios(workload, ours, peer)?)));
            let ratios: Vec<String> = WORKLOADS.iter().filter_map(ratio).collect();
            if !ratios.is_empty() {
                text += &format!("- {ours} as a multiple of {peer}, round by round: {}\n", ratios.join(", "));
            }
        }
        for (runner, why) in &turns.absent {
            text += &format!("- {runner} took no part, or no further part: {why}\n");
        }
        text += "\n<details><summary>Every value</summary>\n\n";
        for ((workload, runner), values) in &turns.speeds {
            let values: Vec<String> = values.values().map(|value| figure(*value)).collect();
            text += &format!("- {workload}, {runner}: {}\n", values.join(", "));
        }
        Some(text + "\n</details>\n")
    }

    /// Three clocks of each run.
    fn to_99(&self) -> Option<String> {
        let mut text = String::new();
        for engine in ["wgpu", "wgpu+f16", "candle-cuda"] {
            let prefix = format!("mnist-99-{engine}-");
            let runs: Vec<Run> = self.steps.iter().filter_map(|step| self.run(step, &prefix)).collect();
            // One that ended early did not get there.
            let begun = |step: &&Step| !matches!(step.ended, Ended::NotReached | Ended::Skipped(_));
            let tried = self.steps.iter().filter(|step| step.name.starts_with(&prefix)).filter(begun).count();
            if runs.is_empty() {
                continue;
            }
            let got_there = runs.iter().filter(|run| run.accuracy >= 0.99).count();
            let of = |value: fn(&Run) -> f64| runs.iter().map(value).collect::<Vec<_>>();
            let mean = runs.iter().map(|run| run.accuracy).sum::<f64>() / runs.len() as f64;
            text += &format!(
                "{engine}: mean accuracy on the test images {:.2} %, {got_there} of {tried} runs reached 99 %. Seconds of training {}; from the \
                 first touch of the data, with device and kernels ready {}; of the whole process {}.\n\n",
                100.0 * mean,
                spread(&of(|run| run.training)),
                spread(&of(|run| run.from_data)),
                spread(&of(|run| run.process)),
            );
            text += "| seed | test accuracy | training, s | from the first touch of the data, s | whole process, s |\n|---|---|---|---|---|\n";
            for run in &runs {
                let clocks = [run.training, run.from_data, run.process].map(figure).join(" | ");
                text += &format!("| {} | {:.2} % | {clocks} |\n", run.seed, 100.0 * run.accuracy);
            }
            text += "\n";
        }
        let note =
            "The first run of `wgpu` compiles with an empty cache of its driver, the others find what it compiled.\n";
        (!text.is_empty()).then(|| text + note)
    }

    /// Whether a device's figure belongs on the page: on a day with a GPU, that of software in its place does not.
    fn counts(&self, measured: &Value) -> bool {
        self.is_rehearsal() || measured["software"] != true
    }

    /// A training run whose last event is there.
    fn run(&self, step: &Step, prefix: &str) -> Option<Run> {
        let seed = step.name.strip_prefix(prefix)?;
        let last: Value = serde_json::from_str(self.output(step.part, &step.name)?.lines().last()?).ok()?;
        if !self.counts(&last) {
            return None;
        }
        let seconds = |keys: &[&str]| keys.iter().filter_map(|key| last["seconds"][key].as_f64()).sum();
        Some(Run {
            seed: seed.into(),
            accuracy: last["test_accuracy"].as_f64()?,
            training: seconds(&["steps", "readback"]),
            from_data: seconds(&["data", "upload", "steps", "readback", "evaluation"]),
            process: step.seconds,
        })
    }

    /// The adapter that the browser found, speeds beside other libraries, and the page.
    fn browser(&self) -> Option<String> {
        let lines =
            |text: &str| -> Vec<Value> { text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
        let mut text = String::new();
        for found in lines(self.output(4, "probe")?) {
            let what = match found["error"].as_str() {
                Some(error) => error.to_owned(),
                None => ["vendor", "architecture", "device", "description"]
                    .map(|key| found[key].as_str().unwrap_or("?"))
                    .join(" "),
            };
            let flags: Vec<&str> = found["flags"].as_array()?.iter().filter_map(Value::as_str).collect();
            let taken = if found["taken"] == true { ", which was taken" } else { "" };
            text += &format!("- `{}`: {what}{taken}\n", flags.join(" "));
        }
        text += "\n| workload | library | steps/s, loss read at the end | read after each step | ms to the first loss | adapter of ours |\n|---|---|---|---|---|---|\n";
        let measured = |workload: &str, peer: &str| -> Option<Value> {
            self.output(4, &format!("web-{workload}-{peer}")).map(lines)?.into_iter().find(|m| self.counts(m))
        };
        let end = |m: &Value| m["read_end"]["steps_per_s"].as_f64();
        let mut ratios = String::new();
        for workload in WORKLOADS {
            let ours = measured(workload, "ours").as_ref().and_then(end);
            let native = self.turns(2, "turns-64").and_then(|turns| turns.of(workload, "ours:wgpu"));
            let mut others = vec![];
            for peer in ["ours", "jax-js", "tfjs"] {
                let Some(m) = measured(workload, peer) else { continue };
                let number = |value: &Value| value.as_f64().map_or("–".into(), figure);
                let [at_end, each] = ["read_end", "read_each"].map(|way| number(&m[way]["steps_per_s"]));
                let device = m["device"].as_str().unwrap_or_default();
                let first = number(&m["first_step_ms"]);
                text += &format!("| {workload} | {peer} | {at_end} | {each} | {first} | {device} |\n");
                others.extend(end(&m).filter(|_| peer != "ours").map(|speed| (peer, speed)));
            }
            others.extend(native.as_deref().map(median).map(|speed| ("`wgpu` outside of the browser", speed)));
            let ratio = |(other, speed): &(&str, f64)| Some(format!("{} of {other}", figure(ours? / speed)));
            let of: Vec<String> = others.iter().filter_map(ratio).collect();
            if !of.is_empty() {
                ratios += &format!("- {workload}: ours is {}\n", of.join(", "));
            }
        }
        text += &format!("\nAs a multiple, by losses that are read at the end:\n\n{ratios}");
        for engine in ["wgpu", "cpu"] {
            let Some(m) = self.output(4, &format!("page-{engine}")).map(lines).unwrap_or_default().into_iter().next()
            else {
                continue;
            };
            let status = m["status"].as_str().unwrap_or_default().replace('\n', " ");
            let seconds = m["seconds"].as_f64().map_or("?".into(), figure);
            text += &format!(
                "\nThe page, one epoch of `cnn` on MNIST, engine {engine}: {status}, {seconds} s after the click.\n\n"
            );
            text += &format!("![the page after training on {engine}](gpu-page-{engine}.png)\n");
        }
        Some(text)
    }

    fn tuned(&self) -> Option<String> {
        let mut text = String::new();
        for (workload, part, turns, runner) in [
            ("W1", 2, "turns-64", "ours:wgpu"),
            ("W2", 2, "turns-64", "ours:wgpu"),
            ("W3", 2, "turns-64", "ours:wgpu"),
            ("W2-f16", 5, "compiled", "ours:wgpu+f16"),
        ] {
            let Some(m) = self.output(5, &format!("tune-{workload}")) else { continue };
            let Some(m) = serde_json::from_str::<Value>(m).ok().filter(|m| self.counts(m)) else { continue };
            let speed = m["steps_per_second"].as_f64()?;
            let table = self.turns(part, turns).and_then(|turns| turns.of(&workload[..2], runner));
            let table = table.map_or(String::new(), |values| format!(", by the table {}", spread(&values)));
            text += &format!("- {workload}: {} steps/s{table}\n", figure(speed));
        }
        (!text.is_empty()).then_some(text)
    }

    /// Speeds of networks of two hidden layers, the fastest engine in bold.
    fn grid(&self) -> Option<String> {
        let mut speeds: BTreeMap<(u64, u64), BTreeMap<&str, f64>> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.name.starts_with("grid-")) {
            let fields: Vec<&str> = step.name.splitn(4, '-').collect();
            let [_, width, batch, engine] = fields[..] else { continue };
            let measured: Option<Value> = self.output(5, &step.name).and_then(|text| serde_json::from_str(text).ok());
            let speed = measured.filter(|m| self.counts(m)).and_then(|m| m["steps_per_second"].as_f64());
            if let (Ok(width), Ok(batch), Some(speed)) = (width.parse(), batch.parse(), speed) {
                speeds.entry((width, batch)).or_default().insert(engine, speed);
            }
        }
        if speeds.is_empty() {
            return None;
        }
        let mut text = "Two hidden layers of this width, steps a second:\n\n| width | batch | wgpu | cpu | candle-cuda |\n|---|---|---|---|---|\n".to_owned();
        for ((width, batch), engines) in &speeds {
            let best = engines.values().copied().fold(0.0, f64::max);
            let cell = |engine: &str| match engines.get(engine) {
                Some(&speed) if speed == best => format!("**{}**", figure(speed)),
                Some(&speed) => figure(speed),
                None => "–".into(),
            };
            text += &format!("| {width} | {batch} | {} |\n", ["wgpu", "cpu", "candle-cuda"].map(cell).join(" | "));
        }
        Some(text)
    }

    /// What the kernel benches printed of times and speeds.
    fn kernels(&self) -> Option<String> {
        let output = self.output(5, "kernels")?;
        let lines: Vec<&str> = output
            .lines()
            .filter(|line| line.starts_with('W') || line.contains("time:") || line.contains("thrpt:"))
            .collect();
        (!lines.is_empty()).then(|| {
            format!("<details><summary>Every kernel</summary>\n\n```\n{}\n```\n\n</details>\n", lines.join("\n"))
        })
    }

    fn all_steps(&self) -> String {
        let mut table = "| part | step | s | how it ended |\n|---|---|---|---|\n".to_owned();
        for Step { part, name, seconds, ended, .. } in &self.steps {
            table += &format!("| {part} | {name} | {seconds} | {ended} |\n");
        }
        table
    }
}

/// A training run.
struct Run {
    seed: String,
    accuracy: f64,
    /// Seconds of steps and of waiting for their losses.
    training: f64,
    /// Seconds of reading, uploading, training and judging: device and kernels are ready before.
    from_data: f64,
    /// Seconds from start to end of the process.
    process: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(files: &[(&str, &str)]) -> Day {
        let files: BTreeMap<String, String> = files.iter().map(|&(name, text)| (name.into(), text.into())).collect();
        let all = |part| files.get(&format!("part-{part}/steps.tsv")).map_or("", String::as_str);
        let steps = (1..=5).flat_map(|part| steps(part, all(part)).expect("good lines")).collect();
        Day { steps, files, pictures: BTreeMap::new() }
    }

    #[test]
    fn steps_end_in_five_ways() {
        let day = day(&[(
            "part-1/steps.tsv",
            "a\t9\t1.5\tdone\tcommand with words\nb\t9\t9\tcut off after 9 s\tb\nc\t9\t0\tnot reached\tc\n\
             d\t9\t0\tskipped: no CUDA (libcuda.so.1)\td\ne\t9\t0.1\tfailed with 101\te\n",
        )]);
        let ended: Vec<Ended> = day.steps.iter().map(|step| step.ended.clone()).collect();
        let cut = Ended::CutOff("cut off after 9 s".into());
        let skipped = Ended::Skipped("no CUDA (libcuda.so.1)".into());
        assert_eq!(ended, [Ended::Done, cut, Ended::NotReached, skipped, Ended::Failed("failed with 101".into())]);
        assert!(day.page().contains("| 1 | d | 0 | skipped: no CUDA (libcuda.so.1) |"), "{}", day.page());
        assert!(!day.is_rehearsal());
        assert!(steps(1, "no step").is_err());
    }

    #[test]
    fn clocks_are_sums_of_phases() {
        let finished = r#"{"event":"started"}
{"event":"finished","test_accuracy":0.9912,"seconds":{"download":0.0,"data":0.2,"compile":0.5,"upload":0.05,"steps":0.1,"readback":0.02,"evaluation":0.03}}"#;
        let day = day(&[
            (
                "part-3/steps.tsv",
                "mnist-99-wgpu-1\t20\t1.25\tdone\ttrain\nmnist-99-wgpu-2\t20\t20\tcut off after 20 s\ttrain\n",
            ),
            ("part-3/mnist-99-wgpu-1.out", finished),
            ("part-3/mnist-99-wgpu-2.out", r#"{"event":"started"}"#),
        ]);
        let page = day.page();
        assert!(page.contains("1 of 2 runs reached 99 %"), "{page}");
        assert!(page.contains("| 1 | 99.12 % | 0.120 | 0.400 | 1.25 |"), "{page}");
    }

    #[test]
    fn rings_that_were_cut_off_say_how_far_they_got() {
        let day = day(&[
            ("part-1/steps.tsv", "adapter-ring\t60\t60\tcut off after 60 s\tadapter\n"),
            ("part-1/adapter-ring.out", "test a [x] ... ok\ntest b [x] ... FAILED\ntest c [x]"),
        ]);
        let page = day.page();
        assert!(page.contains("cut off after 1 tests had passed"), "{page}");
        assert!(page.contains("- test b [x] ... FAILED"), "{page}");
    }

    #[test]
    fn the_fastest_engine_is_bold() {
        let names = ["grid-32-64-wgpu", "grid-32-64-cpu"].map(|name| format!("{name}\t10\t1\tdone\tbench\n")).concat();
        let day = day(&[
            ("part-5/steps.tsv", &names),
            ("part-5/grid-32-64-wgpu.out", r#"{"steps_per_second": 2000.0}"#),
            ("part-5/grid-32-64-cpu.out", r#"{"steps_per_second": 6000.5}"#),
        ]);
        assert!(day.page().contains("| 32 | 64 | 2000 | **6000** | – |"), "{}", day.page());
    }
}
