//! The program as a user meets it: exit codes, messages, files. All runs are short ones on built-in digits.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Output, Stdio},
};

use place::Place;
use protocol::{Cause, Event, Message};
use train::Checkpoint;

#[path = "cli/outside.rs"]
mod outside;
mod place;

const DIGITS: &str = "--dataset digits --set dataset.digits=2000 --set dataset.split.standard.validation=200";

impl Place {
    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a command that must succeed, and returns its stdout.
    #[track_caller]
    fn succeeds(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must end with code 2, print nothing and say `message`.
    #[track_caller]
    fn refuses(&self, line: &str, message: &str) {
        let output = self.run(line);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{line}: {stderr}");
        assert!(stderr.contains(message), "{line}: `{stderr}` does not say `{message}`");
    }

    fn checkpoint(&self, name: &str) -> Checkpoint {
        Checkpoint::from_bytes(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn events(stdout: &str) -> Vec<Event> {
    stdout.lines().map(|line| Message::from_json(line).expect(line).event).collect()
}

/// The same weights, optimizer state and place in the run; seconds may differ.
#[track_caller]
fn assert_same(a: &Checkpoint, b: &Checkpoint) {
    assert!(a.state == b.state, "tensors differ");
    let place = |c: &Checkpoint| (c.progress.step, c.progress.epoch_loss.to_bits(), c.progress.epoch_hits);
    assert_eq!(place(a), place(b));
}

#[test]
fn a_run_reports() {
    let place = Place::new();
    let stdout = place.succeeds(&format!("train {DIGITS} --steps 30 --save net.safetensors"));
    for part in ["engine     ", "images     digits: 1,800 for training, 200 for validation, 334 for the test"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    for part in ["    step 30", "precision", "label \\ answer", "read-back", "test accuracy", "net.safetensors"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    assert_eq!(place.checkpoint("net.safetensors").config.dataset.name, "digits");
}

#[test]
fn json_is_one_event_a_line() {
    let place = Place::new();
    let stdout = place.succeeds(&format!("train {DIGITS} --steps 30 --json --save net.safetensors"));
    let events = events(&stdout);
    assert!(matches!(&events[0], Event::Started { data, steps: 30, .. } if data.name == "digits"));
    let losses = events.iter().map(|event| if let Event::Steps { losses, .. } = event { losses.len() } else { 0 });
    assert_eq!(losses.sum::<usize>(), 30);
    assert!(events.iter().any(|event| matches!(event, Event::Checkpoint { step: 30, .. })));
    let Some(Event::Finished(summary)) = events.last() else { panic!("{:?}", events.last()) };
    assert!(summary.steps == 30 && summary.test_accuracy > 0.2 && summary.images_per_second > 0.0);
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "finished");
    assert!(last["seconds"]["readback"].is_number());
}

#[test]
fn json_ends_with_failed_also_before_the_first_step() {
    let place = Place::new();
    let output = place.run("train --json --preset nothing");
    assert_eq!(output.status.code(), Some(2));
    let events = events(&text(&output.stdout));
    assert!(
        matches!(&events[..], [Event::Failed { failure, step: 0, .. }] if failure.message.contains("no preset `nothing`"))
    );
}

#[test]
fn arguments_are_refused_with_their_cause_and_a_fix() {
    let place = Place::new();
    place.refuses("train --preset nothing", "error: there is no preset `nothing`: choose one of softmax, mlp");
    place.refuses("train --set nothing", "KEY=VALUE");
    place.refuses(
        "train --set schedule.speed=1",
        "there is no `speed` in `schedule`: choose one of rate, shape, warm_up",
    );
    place.refuses("train --set optimizer.rule=adem", "`optimizer.rule` is \"adem\", but must be one of sgd, momentum");
    place.refuses("train --set schedule.shape=step", "`epochs` is missing in `schedule.shape.step`");
    place.refuses("train --set schedule.rate=1e-50", "`schedule.rate` is 1e-50, but must be 0 or at least 1.17");
    place.refuses("train --set schedule.rate=1e39", "`schedule.rate` is 1e+39, but must be 0 to 1000");
    place.refuses(
        "train --set stop.patience=2 --set dataset.split.random.test=0.2",
        "hold some back by dataset.split.standard.validation",
    );
    for (option, key) in [
        ("--steps 3", "length.epochs=5"),
        ("--epochs 3", "length={\"steps\":5}"),
        ("--batch 3", "batch=4"),
        ("--precision f16", "precision=f32"),
        ("--seed 3", "seed=4"),
        ("--dataset digits", "dataset.name=mnist"),
    ] {
        place.refuses(&format!("train {option} --set {key}"), &format!("--set {key} are about the same value"));
    }
    place.refuses("train --set schedule.rate=-1", "`schedule.rate` is -1, but must be 0 to 1000");
    place.refuses("train --batch 0", "`batch` is 0, but must be 1 to 8192");
    place.refuses("train --epochs 2 --steps 3", "cannot be used with");
    place.refuses("train --preset mlp --resume x", "cannot be used with");
    place.refuses("train --engine abacus", "candle-cpu");
    place.refuses(
        &format!("train {DIGITS} --set dataset.digits=100"),
        "digits has 100 images to learn from: `dataset.split.standard.validation` is 200, but must be 0 to 99",
    );
    place.refuses("train --mirror example.org", "write it as https://HOST/FOLDER/");
    #[cfg(not(feature = "cuda"))]
    place.refuses("train --engine candle-cuda", "--features cuda");
    place.refuses("show nothing", "there is no file and no preset `nothing`: presets are softmax");
}

#[test]
fn configurations_are_refused_with_their_cause() {
    let place = Place::new();
    let check = |json: &str, message: &str| {
        fs::write(place.path("run.json"), json).unwrap();
        place.refuses("train --config run.json --dataset digits", message);
    };
    check(r#"{ "model": { "preset": "mlp" }, "epochs": 3 }"#, "run.json: there is no `epochs` in the configuration");
    check(r#"{ "model": { "preset": "mlp" }, "seed": 9007199254740992 }"#, "`seed` is 9007199254740992, but must be");
    check(
        r#"{ "model": { "network": { "layers": [{ "dense": { "units": 10 } }] } } }"#,
        "put a flatten layer before it",
    );
    let wide = r#"["flatten", { "dense": { "units": 16384 } }, { "dense": { "units": 16384 } }, { "dense": { "units": 10 } }]"#;
    check(&format!(r#"{{ "model": {{ "network": {{ "layers": {wide} }} }} }}"#), "parameters, more than 50000000");
    check("{", "run.json: this is not JSON: EOF");
    fs::write(place.path("large.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    place.refuses("train --config large.json", "it is larger than 1 MiB");
}

#[test]
fn missing_files_are_refused() {
    let place = Place::new();
    place.refuses("train --dataset nowhere", "there is no data set and no folder `nowhere`: choose auto, digits");
    place.refuses("train --dataset mnist --data-dir nowhere", "there is no folder nowhere: check --data-dir");
    fs::create_dir(place.path("empty")).unwrap();
    place.refuses("train --dataset empty", "holds no IDX files");
    place.refuses("train --config nowhere.json", "cannot open nowhere.json");
    place.refuses("train --resume nowhere", "cannot open nowhere");
    place.refuses("eval nowhere", "cannot open nowhere");
    let line = format!("train {DIGITS} --save nowhere/net.safetensors");
    place.refuses(&line, "choose one that exists and is writable");
    if cfg!(target_os = "linux") {
        place
            .refuses(&format!("train {DIGITS} --save /proc/net.safetensors"), "choose one that exists and is writable");
    }
}

#[test]
fn damaged_files_are_refused() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 1 --save net.safetensors"));
    let bytes = fs::read(place.path("net.safetensors")).unwrap();
    fs::write(place.path("cut.safetensors"), &bytes[..bytes.len() - 1]).unwrap();
    for command in ["train --resume", "eval", "show"] {
        place.refuses(&format!("{command} cut.safetensors"), "cut.safetensors: this is not a safetensors file");
    }
    fs::write(place.path("text.png"), "no picture").unwrap();
    place.refuses("predict net.safetensors text.png", "text.png: the picture cannot be read");
    place.refuses("predict net.safetensors", "IMAGE");
    place.refuses(
        &format!("train {DIGITS} --resume net.safetensors --set optimizer.rule=sgd"),
        "leave out what changes them",
    );
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    let place = Place::new();
    let common = format!("{DIGITS} --set schedule.shape=constant");
    place.succeeds(&format!("train {common} --steps 40 --save whole.safetensors"));
    place.succeeds(&format!("train {common} --steps 40 --save again.safetensors"));
    place.succeeds(&format!("train {common} --steps 20 --save half.safetensors"));
    let output = place.succeeds("train --resume half.safetensors --steps 40 --save joined.safetensors");
    assert!(output.contains("resumed    after step 20"), "{output}");
    let whole = place.checkpoint("whole.safetensors");
    assert_same(&whole, &place.checkpoint("again.safetensors"));
    assert_same(&whole, &place.checkpoint("joined.safetensors"));
    assert!(whole.state != place.checkpoint("half.safetensors").state);

    place.succeeds(&format!("train {common} --steps 40 --seed 2 --save other.safetensors"));
    assert!(whole.state != place.checkpoint("other.safetensors").state);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_kept_and_goes_on() {
    let place = Place::new();
    let common = format!("{DIGITS} --set schedule.shape=constant");
    let mut child = place
        .command(&format!("train {common} --epochs 1000 --json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains(r#""event":"steps""#)).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let last = events(&lines.last().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let [Event::Stopped { reason, step, checkpoint: Some(path) }] = &last[..] else { panic!("{last:?}") };
    assert_eq!((reason.as_str(), path.as_str()), ("interrupted", "playground-mlp.safetensors"));

    let end = step + 20;
    place.succeeds(&format!("train --resume {path} --steps {end} --save joined.safetensors"));
    place.succeeds(&format!("train {common} --steps {end} --save whole.safetensors"));
    assert_same(&place.checkpoint("joined.safetensors"), &place.checkpoint("whole.safetensors"));
}

#[test]
fn divergence_is_explained_and_the_last_good_state_kept() {
    let place = Place::new();
    let wild = "--set schedule.shape=constant --set optimizer.rule=sgd --set loss=mean_squared_error";
    let line = format!(
        "train {DIGITS} {wild} --set schedule.rate=1000 --set schedule.warm_up=200 --set evaluate_every=1 --steps 500 --json"
    );
    let output = place.run(&line);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let events = events(&text(&output.stdout));
    let Some(Event::Failed { failure, step, checkpoint: Some(path) }) = events.last() else { panic!("{events:?}") };
    assert!(failure.message.contains("learning rate 80,"), "{failure}");
    assert!(matches!(failure.cause, Some(Cause::Diverged { calmer: 100.0, .. })), "{failure:?}");
    assert!(*step > 1 && path == "playground-mlp.safetensors", "step {step}, {path}");
    place.succeeds(&format!("train --resume {path} --set schedule.rate=0.01 --steps 5"));

    let output = place.run(&line.replace(" --json", ""));
    assert!(text(&output.stderr).contains("try --set schedule.rate=100, or --set optimizer.clip_norm=1"));
    assert!(text(&output.stderr).contains("the last good state is kept: playground-cli train --resume playground-mlp"));
}

#[test]
fn the_end_of_a_pipe_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command(&format!("train {DIGITS} --steps 2000 --json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap(); // and closes the pipe
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    // What a Vulkan driver says of a machine without a desktop is not ours.
    let ours = text(&output.stderr).lines().filter(|line| !line.contains("XDG_RUNTIME_DIR")).collect::<String>();
    assert!(!ours.contains("error"), "{ours}");
}

/// A digit as a PNG file: 28×28, light on black.
fn picture(path: &Path, digit: usize) {
    let images = data::digits::generate(10, 3);
    let picture = image::GrayImage::from_raw(28, 28, images.image(digit).to_vec()).unwrap();
    picture.save_with_format(path, image::ImageFormat::Png).unwrap();
}

#[test]
fn a_trained_network_is_used() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 100 --save net.safetensors"));

    let report = place.succeeds("eval net.safetensors");
    assert!(report.contains("precision") && report.contains("digits: test accuracy"), "{report}");
    let events = events(&place.succeeds("eval net.safetensors --json"));
    let [Event::Evaluation { step: 100, accuracy, confusion, .. }] = &events[..] else { panic!("{events:?}") };
    assert!(*accuracy > 0.5);
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 334);

    picture(&place.path("zero.png"), 0);
    picture(&place.path("one.png"), 1);
    let answers = place.succeeds("predict net.safetensors zero.png one.png");
    let lines: Vec<&str> = answers.lines().collect();
    assert!(lines[0].starts_with("zero.png: 0 (") && lines[1].starts_with("one.png: 1 ("), "{answers}");
    assert!(place.succeeds("predict net.safetensors --show zero.png").contains("@@"));

    let mut child =
        place.command("predict net.safetensors - --json").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(place.path("one.png")).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let prediction: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&prediction["image"], &prediction["answers"][0]["label"]), (&"-".into(), &1.into()));
    assert_eq!(prediction["answers"].as_array().unwrap().len(), 3);

    let shown = place.succeeds("show net.safetensors");
    assert!(shown.contains("checkpoint after 100 steps") && shown.contains("101,770"), "{shown}");
}

/// What `show` prints is what can be set, by short names as well.
#[test]
fn choices_are_set_by_their_names() {
    let place = Place::new();
    let set = "optimizer.rule=adam schedule.shape.step.epochs=2 schedule.shape.step.factor=0.5 model.preset=softmax \
               loss=mean_squared_error dataset.sampling=with_replacement length.steps=2 dataset.split.random.test=0.2";
    let set: String = set.split_whitespace().map(|pair| format!(" --set {pair}")).collect();
    place.succeeds(&format!("train --dataset digits --set dataset.digits=500{set} --save net.safetensors"));
    let kept = place.checkpoint("net.safetensors");
    assert_eq!(kept.progress.step, 2);
    let config = serde_json::to_value(kept.config).unwrap();
    assert_eq!(config["model"], serde_json::json!({ "preset": "softmax" }));
    assert_eq!(config["schedule"]["shape"], serde_json::json!({ "step": { "epochs": 2, "factor": 0.5 } }));
    assert_eq!(config["dataset"]["split"], serde_json::json!({ "random": { "test": 0.2 } }));
}

/// A safetensors file with the network's tensors alone, as other programs write it.
fn weights(checkpoint: &Checkpoint) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), vec![]);
    for (name, tensor) in checkpoint.state.iter().filter(|(name, _)| !name.starts_with("optimizer.")) {
        let start = data.len();
        data.extend(tensor.as_f32().unwrap().iter().flat_map(|x| x.to_le_bytes()));
        let entry =
            serde_json::json!({ "dtype": "F32", "shape": tensor.shape().0, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

#[test]
fn weights_of_other_programs_are_used_if_their_network_is_named() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 50 --autograd --save net.safetensors"));
    fs::write(place.path("weights.safetensors"), weights(&place.checkpoint("net.safetensors"))).unwrap();
    let eval = |line: &str| {
        let output = place.succeeds(&format!("eval --dataset digits --json {line}"));
        let Some(Event::Evaluation { loss, .. }) = events(&output).pop() else { panic!("{output}") };
        loss
    };
    fs::write(
        place.path("run.json"),
        protocol::preset("mlp").unwrap().set("dataset.digits", "2000").unwrap().to_json(),
    )
    .unwrap();
    assert_eq!(eval("weights.safetensors --config run.json"), eval("net.safetensors"));
    assert!(eval("weights.safetensors --preset mlp").is_finite());
    place.refuses("eval weights.safetensors", "name its network with --preset or --config");
    place.refuses("eval weights.safetensors --preset cnn", "missing: `conv1.bias`, `conv1.weight`, `conv2.bias`");
    for option in ["preset mlp", "config run.json"] {
        let line = format!("eval net.safetensors --{option} --dataset digits");
        place.refuses(&line, "net.safetensors says itself which network it is: leave out --");
    }
    place.refuses("show weights.safetensors", "`show` needs a checkpoint written by `train`");
}

#[test]
fn weights_of_any_file_are_trained_on() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --preset cnn-bn --batch 16 --steps 3 --save net.safetensors"));
    let net = place.checkpoint("net.safetensors");
    fs::write(place.path("weights.safetensors"), weights(&net)).unwrap();
    place.refuses("train --resume weights.safetensors", "name their network: --init weights.safetensors --preset NAME");
    place.refuses("train --init weights.safetensors", "name its network with --preset or --config");
    place.refuses("train --init net.safetensors --resume net.safetensors", "cannot be used with");
    place.refuses(
        &format!("train {DIGITS} --init weights.safetensors --preset mlp"),
        "too many: `bn1.bias`, `bn1.running_mean`",
    );

    // From a file without a record, from a checkpoint as it says, and from one with another optimizer.
    for line in [
        "--init weights.safetensors --preset cnn-bn",
        "--init net.safetensors",
        "--init net.safetensors --preset cnn-bn --set optimizer.rule=nesterov",
    ] {
        place.succeeds(&format!("train {DIGITS} {line} --steps 0 --save begun.safetensors"));
        let begun = place.checkpoint("begun.safetensors");
        assert_eq!(begun.progress.step, 0, "{line}");
        let of_network = |slot: &&String| !slot.starts_with("optimizer.");
        for slot in net.state.keys().filter(of_network) {
            assert!(begun.state[slot] == net.state[slot], "{line}: {slot}");
        }
        let is_fresh = |(slot, tensor): (&String, &graph::HostTensor)| {
            let first = if slot.ends_with("_power") { 1.0 } else { 0.0 };
            !slot.starts_with("optimizer.") || tensor.as_f32().unwrap().iter().all(|&v| v == first)
        };
        assert!(begun.state.iter().all(is_fresh), "{line}");
    }
    place.succeeds(&format!("train {DIGITS} --init net.safetensors --steps 2 --save more.safetensors"));
    place.succeeds("train --resume more.safetensors --steps 3");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 1 --save net.safetensors"));
    let mut net = place.checkpoint("net.safetensors");
    let bias = net.state.get_mut("dense1.bias").unwrap();
    *bias = graph::HostTensor::f32(bias.shape().clone(), vec![f32::NAN; bias.shape().count()]);
    fs::write(place.path("nan.safetensors"), net.to_bytes()).unwrap();
    fs::write(place.path("weights.safetensors"), weights(&net)).unwrap();
    picture(&place.path("one.png"), 1);
    for line in [
        "eval nan.safetensors",
        "predict nan.safetensors one.png",
        "train --resume nan.safetensors",
        "show nan.safetensors",
        "eval weights.safetensors --preset mlp",
    ] {
        place.refuses(line, "tensor `dense1.bias` holds numbers that are not finite");
    }
    let line = format!("train {DIGITS} --init weights.safetensors --preset mlp");
    place.refuses(&line, "tensor `dense1.bias` holds numbers that are not finite");
}

/// On stderr as the run begins, and in the report.
#[test]
fn what_is_hardly_meant_is_told() {
    let place = Place::new();
    let few = "--dataset digits --set dataset.digits=50 --set dataset.split.standard.validation=10";
    let output = place.run(&format!("train {few} --batch 4096 --epochs 3 --preset softmax"));
    let note = "note: a batch of 4096 is larger than the 40 training images, which the run passes over 307 times";
    assert!(text(&output.stderr).contains(note), "{}", text(&output.stderr));

    let cycle = format!("train {few} --preset softmax --set schedule.shape=one_cycle");
    place.succeeds(&format!("{cycle} --steps 10 --save net.safetensors"));
    let output = place.run("train --resume net.safetensors --steps 20");
    assert!(text(&output.stderr).contains("note: the learning rate was "), "{}", text(&output.stderr));

    let zeros = "--set model.network.init.normal.std=0 --set schedule.rate=0";
    let stdout = place.succeeds(&format!("train {DIGITS} --preset softmax {zeros} --steps 1 --save zeros.safetensors"));
    let chance = "The network does no better than chance: always `0` would be right for 10.18 %.";
    assert!(stdout.contains(chance), "{stdout}");
    assert!(place.succeeds("eval zeros.safetensors").contains(chance));
}

#[test]
fn presets_and_networks_are_shown() {
    let place = Place::new();
    assert!(place.succeeds("presets").contains("nolearn-dbn"));
    let presets: serde_json::Value = serde_json::from_str(&place.succeeds("presets --json")).unwrap();
    assert_eq!(presets.as_array().unwrap().len(), protocol::presets().count());
    assert_eq!(presets[1]["parameters"], 101_770);

    let shown = place.succeeds("show cnn");
    assert!(shown.contains("8×28×28") && shown.contains("11,274") && shown.contains(r#""layers""#), "{shown}");
    assert!(place.succeeds("show cnn --graph").contains("conv2d"));
    assert!(place.succeeds("show cnn --plan").contains("bytes of scratch memory"));
    assert!(place.succeeds("show cnn --dispatches").contains("dispatches a step"));
    assert!(place.succeeds("show cnn --wgsl --tier discrete").contains("@compute"));
    let shown = place.succeeds("show mlp --json");
    let config: serde_json::Value = serde_json::from_str(&shown).unwrap();
    for json in [config["config"].to_string(), shown, place.succeeds("show mlp --json --graph")] {
        fs::write(place.path("run.json"), json).unwrap();
        assert!(place.succeeds("show run.json").contains("101,770"));
        place.succeeds(&format!("train --config run.json {DIGITS} --steps 1 --save net.safetensors"));
    }
    fs::write(place.path("run.json"), place.succeeds("show net.safetensors --json")).unwrap();
    place.succeeds("train --config run.json");
}

#[test]
fn devices_and_speeds_are_measured() {
    let place = Place::new();
    let devices: serde_json::Value = serde_json::from_str(&place.succeeds("devices --verify --json")).unwrap();
    let devices = devices.as_array().unwrap();
    for device in devices {
        assert!(device["right"] == true && device["gflop_per_second"].as_f64().unwrap() > 0.0, "{device}");
    }
    for engine in ["cpu", "candle-cpu"] {
        assert!(devices.iter().any(|device| device["engine"] == engine), "{engine}");
    }

    fs::write(place.path("own.json"), r#"{"version": 1, "model": {"preset": "mlp"}, "batch": 32}"#).unwrap();
    for job in ["--workload W1 --batch 16 --precision f16", "--preset softmax --batch 32", "--config own.json"] {
        let line = format!("bench {job} --engine candle-cpu --seconds 0.5 --json");
        let m: serde_json::Value = serde_json::from_str(&place.succeeds(&line)).unwrap();
        assert!(m["steps_per_second"].as_f64().unwrap() > 0.0, "{m}");
        assert!(m["loss_after"].as_f64() < m["loss_before"].as_f64(), "{m}");
        assert_eq!(m["engine"], "candle-cpu");
    }
    place.refuses("bench --workload W1 --preset cnn", "cannot be used with");
    place.refuses("bench --config own.json --preset cnn", "cannot be used with");
    place.refuses("bench --config absent.json", "cannot open absent.json");
    place.refuses("bench --workload W1 --batch 0", "`batch` is 0, but must be 1 to 8192");
    place.refuses("bench --engine cpu --adapter x", "--adapter is for engine wgpu");
    place.refuses("bench --engine candle-cpu --threads 2", "--threads is for engine cpu");
    place.refuses("bench --engine wgpu --adapter nobody-has-this", "no adapter");
    place.refuses("bench --engine cpu --autograd", "--autograd is candle's");
}

/// The page of a folder, and a data set of another.
#[test]
fn pages_are_served() {
    let place = Place::new();
    place.refuses("serve", "there is no page in dist: build it with `cargo xtask web`");
    fs::create_dir_all(place.path("dist")).unwrap();
    fs::write(place.path("dist/index.html"), "the page").unwrap();
    fs::create_dir_all(place.path("data/mnist")).unwrap();
    fs::write(place.path("data/mnist/t10k-labels-idx1-ubyte"), "labels").unwrap();

    let mut served = place.command("serve --port 0 --data-dir data").stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(served.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim();
    let get = |path: &str| ureq::get(format!("{address}{path}")).call().unwrap().into_body().read_to_string().unwrap();
    assert_eq!(get(""), "the page");
    assert_eq!(get("data/mnist/t10k-labels-idx1-ubyte.gz"), "labels");
    let port = address.trim_end_matches('/').rsplit(':').next().unwrap();
    place.refuses(&format!("serve --port {port}"), "is taken: choose another with --port");
    served.kill().unwrap();
    served.wait().unwrap();
}

/// 25 million parameters, and a limit that its state alone does not fit.
#[cfg(target_os = "linux")]
#[test]
fn what_does_not_fit_is_refused_with_what_it_needs() {
    let place = Place::new();
    let wide = r#"{ "layers": ["flatten", { "dense": { "units": 16000 } }, "relu", { "dense": { "units": 800 } }, { "dense": { "units": 10 } }] }"#;
    fs::write(place.path("wide.json"), format!(r#"{{ "model": {{ "network": {wide} }} }}"#)).unwrap();
    for engine in ["cpu", "candle-cpu"] {
        let program = env!("CARGO_BIN_EXE_playground-cli");
        let line =
            format!("ulimit -v 1500000; exec {program} train --config wide.json {DIGITS} --steps 1 --engine {engine}");
        let output = Command::new("sh").args(["-c", &line]).current_dir(place.0.path()).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{engine}: {stderr}");
        assert!(stderr.contains("the run needs about ") && stderr.contains(" MiB are free"), "{engine}: {stderr}");
    }
}
