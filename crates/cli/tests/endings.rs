//! However a run ends, it is kept: signals, terminals that close, outputs and disks that fail.
//!
//! `cargo xtask fuzz chains --seeds 0..200` tries as many chains of interrupted runs, a test of all a few.

#[cfg(unix)]
mod chain;
#[cfg(unix)]
mod place;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::{self, File},
        io::{BufRead, BufReader, Read, Write},
        os::{fd::OwnedFd, unix::process::ExitStatusExt},
        path::{Path, PathBuf},
        process::{Child, Command, ExitStatus, Stdio},
        thread,
        time::{Duration, Instant},
    };

    use libtest_mimic::{Arguments, Failed, Trial};
    use protocol::{Event, Message};
    use rustix::{
        fs::{OFlags, fcntl_setfl},
        process::{Pid, Signal, kill_process},
    };

    use crate::{
        chain::{RUN, assert_same, chains, checkpoint, ends, in_terminal},
        place::Place,
    };

    /// The rates of a run do not depend on its length.
    const CONSTANT: &str = "--set schedule.shape=constant";

    pub(super) fn main() {
        let is_root = fs::metadata("/proc/self").is_ok_and(|found| {
            use std::os::unix::fs::MetadataExt;
            found.uid() == 0
        });
        let full_disk = match is_root {
            true => "a full disk ends no run".to_owned(),
            false => "a full disk ends no run [needs root, to mount a small disk]".into(),
        };
        let trials = vec![
            Trial::test("signals keep the run", signals_keep_the_run),
            Trial::test("a second interrupt, a second later, ends the program", a_second_interrupt),
            Trial::test("before the first step there is nothing to keep", before_the_first_step),
            Trial::test("what was ignored at the start stays ignored", ignored_signals),
            Trial::test("a closed terminal keeps the run", a_closed_terminal),
            Trial::test("a closed pipe keeps the run", a_closed_pipe),
            Trial::test("a reader that reads nothing holds up no end", a_stalled_reader),
            Trial::test("a terminal that stands still holds up no end", a_stalled_terminal),
            Trial::test("an output that cannot be written is named [/dev/full]", a_failing_output)
                .with_ignored_flag(!Path::new("/dev/full").exists()),
            Trial::test("a folder that goes away ends no run", a_folder_that_goes_away),
            Trial::test(full_disk, a_full_disk).with_ignored_flag(!is_root),
            Trial::test("limits of size and time keep the run", limits_keep_the_run),
            Trial::test("no run takes another one's place", no_run_takes_anothers_place),
            Trial::test("two runs of one name are both kept", two_runs_of_one_name),
            Trial::test("runs of one name that end at once are all kept", two_ends_at_once),
            Trial::test("a run that fails at once replaces nothing", a_failure_at_once),
            Trial::test("a run on other images is another run", a_run_on_other_images),
            Trial::test("one command begins a run and goes on with it", one_command),
            Trial::test("one command and other content", one_command_and_other_content),
            Trial::test("chains of interrupted runs end in the same bits", || chains(false)),
        ];
        libtest_mimic::run(&Arguments::from_args(), trials).exit();
    }

    impl Place {
        /// A run under way: its first steps are made.
        fn begun(&self, line: &str) -> Begun {
            let mut command = self.command(&format!("train {RUN} {CONSTANT} --json {line}"));
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
            let mut lines = BufReader::new(child.stdout.take().expect("piped"));
            let mut text = String::new();
            while !text.contains(r#""event":"evaluation""#) {
                text.clear();
                assert!(lines.read_line(&mut text).expect("text") > 0, "{}", stderr(&mut child));
            }
            Begun { child, lines }
        }

        /// Whether the file goes on to where a run without interruptions comes.
        #[track_caller]
        fn assert_sound(&self, name: &str) {
            let end = self.checkpoint(name).progress.step + 5;
            self.succeeds(&format!("train --resume {name} --engine cpu --steps {end} --save joined"));
            self.succeeds(&format!("train {RUN} {CONSTANT} --steps {end} --save whole"));
            assert_same(&self.checkpoint("joined"), &self.checkpoint("whole"));
        }
    }

    struct Begun {
        child: Child,
        lines: BufReader<std::process::ChildStdout>,
    }

    impl Begun {
        fn signal(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.child), signal).expect("it lives");
        }

        /// Reads to the end: the last event, the exit status, and what was said.
        fn end(mut self) -> (Event, ExitStatus, String) {
            let last = self.lines.lines().last().expect("events").expect("text");
            let said = stderr(&mut self.child);
            (Message::from_json(&last).expect(&last).event, self.child.wait().expect("it ends"), said)
        }
    }

    fn stderr(child: &mut Child) -> String {
        let mut text = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
        text
    }

    fn signals_keep_the_run() -> Result<(), Failed> {
        let bursts: [&[Signal]; 5] = [
            &[Signal::INT],
            &[Signal::TERM],
            &[Signal::HUP],
            &[Signal::HUP; 2],
            &[Signal::INT, Signal::TERM, Signal::INT],
        ];
        for burst in bursts {
            let place = Place::new();
            let run = place.begun("--steps 1000000");
            burst.iter().for_each(|&signal| run.signal(signal));
            let (last, status, said) = run.end();
            assert_eq!(status.code(), Some(130), "{burst:?}: {said}");
            let Event::Stopped { reason, checkpoint: Some(path), .. } = &last else { panic!("{burst:?}: {last:?}") };
            assert_eq!((reason.as_str(), path.as_str()), ("interrupted", "playground-mlp.safetensors"));
            place.assert_sound(path);
        }
        Ok(())
    }

    /// A step that takes many seconds holds the run up.
    fn a_second_interrupt() -> Result<(), Failed> {
        let place = Place::new();
        let slow = "train --engine cpu --threads 1 --preset resnet-mini --dataset digits --batch 4096 --steps 9 --json";
        let mut child = place.command(slow).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
        lines.find(|line| line.contains(r#""event":"started""#)).ok_or("it does not start")?;
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(1200));
            kill_process(Pid::from_child(&child), Signal::INT)?;
        }
        assert_eq!(lines.count(), 0, "the first step is not made");
        assert_eq!(child.wait()?.signal(), Some(2));
        Ok(())
    }

    fn before_the_first_step() -> Result<(), Failed> {
        let place = Place::new();
        assert!(Command::new("mkfifo").arg(place.path("config")).status()?.success());
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            // It waits for what nobody writes.
            let mut command = place.command("train --config config --save net.safetensors");
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
            thread::sleep(Duration::from_millis(300));
            kill_process(Pid::from_child(&child), signal)?;
            let said = stderr(&mut child);
            assert_eq!(child.wait()?.code(), Some(130), "{said}");
            assert!(said.contains("no file was touched"), "{said}");
            assert_eq!(fs::read_dir(place.0.path())?.count(), 1);
        }
        Ok(())
    }

    /// As under `nohup`, and as a shell starts what is to run behind it.
    fn ignored_signals() -> Result<(), Failed> {
        let place = Place::new();
        let program = env!("CARGO_BIN_EXE_playground-cli");
        let line = format!("trap '' HUP INT; exec {program} train {RUN} --json --steps 1000000");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(place.0.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
        lines.find(|line| line.contains(r#""event":"evaluation""#)).ok_or("no evaluation")?;
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::HUP)?;
        kill_process(pid, Signal::INT)?;
        let evaluations = lines.by_ref().filter(|line| line.contains(r#""event":"evaluation""#));
        assert_eq!(evaluations.take(5).count(), 5, "it goes on");
        kill_process(pid, Signal::TERM)?;
        lines.for_each(drop);
        assert_eq!(child.wait()?.code(), Some(130));
        Ok(())
    }

    /// Reads what a terminal shows until it contains `words`.
    fn reads(terminal: &OwnedFd, words: &str) -> Result<(), Failed> {
        let mut terminal = File::from(terminal.try_clone()?);
        let (mut text, mut bytes) = (String::new(), [0; 4096]);
        while !text.contains(words) {
            let read = terminal.read(&mut bytes)?;
            text += &String::from_utf8_lossy(&bytes[..read]);
        }
        Ok(())
    }

    fn a_closed_terminal() -> Result<(), Failed> {
        let place = Place::new();
        let (mut child, terminal) = in_terminal(&place, &format!("train {RUN} {CONSTANT} --steps 1000000"))?;
        reads(&terminal, "step 20")?;
        drop(terminal);
        assert_eq!(ends(&mut child)?.code(), Some(130));
        place.assert_sound("playground-mlp.safetensors");
        Ok(())
    }

    fn a_closed_pipe() -> Result<(), Failed> {
        let place = Place::new();
        let Begun { mut child, lines } = place.begun("--steps 1000000");
        drop(lines);
        let said = stderr(&mut child);
        assert_eq!(child.wait()?.code(), Some(141), "{said}");
        assert!(
            said.contains(
                "playground-mlp.safetensors: playground-cli train --resume playground-mlp.safetensors --engine cpu"
            ),
            "{said}"
        );
        place.assert_sound("playground-mlp.safetensors");
        Ok(())
    }

    /// Pipes that are full: before anything was said, and by what the run says.
    fn a_stalled_reader() -> Result<(), Failed> {
        for is_full in [true, false] {
            let place = Place::new();
            let (_unread, mut writer) = std::io::pipe()?;
            if is_full {
                fcntl_setfl(&writer, OFlags::NONBLOCK)?;
                while writer.write(&[b'x'; 4096]).is_ok() {}
                fcntl_setfl(&writer, OFlags::empty())?;
            }
            let mut command = place.command(&format!("train {RUN} {CONSTANT} --steps 1000000 --json"));
            let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
            drop(command);
            thread::sleep(Duration::from_secs(2));
            kill_process(Pid::from_child(&child), Signal::TERM)?;
            let clock = Instant::now();
            assert_eq!(ends(&mut child)?.code(), Some(130), "full at the start: {is_full}");
            assert!(clock.elapsed() < Duration::from_secs(10), "full at the start: {is_full}");
            match is_full {
                true => assert_eq!(fs::read_dir(place.0.path())?.count(), 0, "no file is touched"),
                false => place.assert_sound("playground-mlp.safetensors"),
            }
        }
        Ok(())
    }

    /// A terminal that nobody reads, as one is after Ctrl-S.
    fn a_stalled_terminal() -> Result<(), Failed> {
        let place = Place::new();
        let (mut child, terminal) = in_terminal(&place, &format!("train {RUN} {CONSTANT} --steps 1000000"))?;
        reads(&terminal, "step 20")?;
        thread::sleep(Duration::from_secs(2)); // until it is full
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let clock = Instant::now();
        assert_eq!(ends(&mut child)?.code(), Some(130));
        assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
        place.assert_sound("playground-mlp.safetensors");
        Ok(())
    }

    fn a_failing_output() -> Result<(), Failed> {
        let place = Place::new();
        let full = File::options().write(true).open("/dev/full")?;
        for line in [&format!("train {RUN} --steps 1"), "presets"] {
            let mut child = place.command(line).stdout(full.try_clone()?).stderr(Stdio::piped()).spawn()?;
            let said = stderr(&mut child);
            assert_eq!(child.wait()?.code(), Some(74), "{said}");
            assert!(said.contains("stdout cannot be written: No space left on device"), "{said}");
        }
        Ok(())
    }

    fn a_folder_that_goes_away() -> Result<(), Failed> {
        let place = Place::new();
        fs::create_dir(place.path("folder"))?;
        let run = place.begun("--steps 1000000 --save folder/net.safetensors");
        fs::remove_dir_all(place.path("folder"))?;
        thread::sleep(Duration::from_millis(300));
        run.signal(Signal::INT);
        let (last, status, said) = run.end();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("the run goes on, and each evaluation tries again"), "{said}");
        assert!(said.contains("the run is kept in playground-kept.safetensors instead"), "{said}");
        assert!(
            matches!(&last, Event::Stopped { checkpoint: Some(path), .. } if path == "playground-kept.safetensors"),
            "{last:?}"
        );
        place.assert_sound("playground-kept.safetensors");
        Ok(())
    }

    /// A small disk, as long as it lives.
    struct Disk(PathBuf);

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    fn a_full_disk() -> Result<(), Failed> {
        let place = Place::new();
        fs::create_dir(place.path("disk"))?;
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(place.path("disk")).status()?;
        assert!(mount.success(), "a disk cannot be mounted");
        let disk = Disk(place.path("disk"));
        let mut run = place.begun("--steps 1000000 --save disk/net.safetensors");
        let mut lines = run.lines.by_ref().lines().map(|line| line.expect("text"));
        lines.find(|line| line.contains(r#""event":"checkpoint""#)).ok_or("no checkpoint")?;
        fs::write(disk.0.join("other"), vec![1; 8 << 20]).expect_err("the disk is full now");
        thread::sleep(Duration::from_millis(300));
        run.signal(Signal::TERM);
        let (_, status, said) = run.end();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("No space left on device") && said.contains("the run goes on"), "{said}");
        checkpoint(&disk.0.join("net.safetensors")); // an earlier one, whole
        place.assert_sound("playground-kept.safetensors");

        fs::remove_file(disk.0.join("other"))?;
        let run = place.begun("--steps 1000000 --save disk/net.safetensors");
        run.signal(Signal::TERM);
        let (_, status, said) = run.end();
        assert_eq!((status.code(), said.contains("warning")), (Some(130), false), "{said}");
        Ok(())
    }

    fn no_run_takes_anothers_place() -> Result<(), Failed> {
        let place = Place::new();
        for name in ["playground-mlp.safetensors", "playground-mlp-2.safetensors", "playground-mlp-3.safetensors"] {
            let run = place.begun("--steps 1000000");
            run.signal(Signal::INT);
            let (last, ..) = run.end();
            assert!(matches!(&last, Event::Stopped { checkpoint: Some(path), .. } if path == name), "{last:?}");
        }
        Ok(())
    }

    /// As where a command is started twice.
    fn two_runs_of_one_name() -> Result<(), Failed> {
        let place = Place::new();
        let begin = |seed: u64| {
            let line = format!("train {RUN} {CONSTANT} --steps 1000000 --json --seed {seed} --save net.safetensors");
            place.command(&line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
        };
        let mut first = begin(2)?;
        while !place.path("net.safetensors").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let mut second = begin(3)?;
        thread::sleep(Duration::from_secs(1));
        let [first, second] = [&mut first, &mut second].map(|child| {
            kill_process(Pid::from_child(child), Signal::TERM).expect("it lives");
            stderr(child)
        });
        let moved = "net.safetensors is another run's by now: this one is kept in net-2.safetensors instead";
        assert!(first.contains(moved) != second.contains(moved), "{first}\n{second}");
        let mut seeds = ["net.safetensors", "net-2.safetensors"].map(|name| place.checkpoint(name).config.seed);
        seeds.sort_unstable();
        assert_eq!(seeds, [2, 3]);
        Ok(())
    }

    /// As when a machine is shut down: both write at the same time.
    fn two_ends_at_once() -> Result<(), Failed> {
        for options in ["--resume net", "--resume net --save net"] {
            let place = Place::new();
            place.succeeds(&format!("train {RUN} {CONSTANT} --steps 10 --save net"));
            let begin = |_| {
                let line = format!("train {options} --engine cpu --set evaluate_every=1000000 --steps 1000000 --json");
                let mut child = place.command(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
                let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
                lines.by_ref().map_while(Result::ok).find(|line| line.contains(r#""event":"steps""#)).expect("steps");
                Ok((child, lines))
            };
            let runs = (0..4).map(begin).collect::<Result<Vec<_>, std::io::Error>>()?;
            runs.iter().for_each(|(child, _)| kill_process(Pid::from_child(child), Signal::TERM).expect("it lives"));
            for (mut child, lines) in runs {
                lines.for_each(drop);
                assert_eq!(child.wait()?.code(), Some(130));
            }
            for name in ["net", "net-2", "net-3", "net-4"] {
                assert!(place.checkpoint(name).progress.step > 10, "{options}: {name}");
            }
        }
        Ok(())
    }

    fn a_failure_at_once() -> Result<(), Failed> {
        let place = Place::new();
        place.succeeds(&format!("train {RUN} --steps 20 --save net.safetensors"));
        let bytes = fs::read(place.path("net.safetensors"))?;
        let line = format!(
            "train {RUN} --steps 20 --save net.safetensors --set schedule.rate=1000 --set optimizer.rule=sgd --set loss=mean_squared_error"
        );
        let (code, said) = place.run(&line);
        assert!(code == Some(1) && said.contains("the steps are too large"), "{said}");
        assert_eq!(fs::read(place.path("net.safetensors"))?, bytes);
        // Its evaluations have finite losses, and the first one is of 10¹² already.
        let (code, said) = place.run(&format!("{line} --set schedule.warm_up=200"));
        assert!(code == Some(1) && said.contains("no state was good since the run began"), "{said}");
        assert_eq!(fs::read(place.path("net.safetensors"))?, bytes);
        Ok(())
    }

    /// Of the size of files, which a save fails by, and of processor time.
    fn limits_keep_the_run() -> Result<(), Failed> {
        let program = env!("CARGO_BIN_EXE_playground-cli");
        let place = Place::new();
        let shell = |line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line]).current_dir(place.0.path()).stdout(Stdio::null()).stderr(Stdio::piped());
            let output = command.output().expect("it starts");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (code, said) =
            shell(&format!("ulimit -f 20; exec {program} train {RUN} --steps 100 --save net.safetensors"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("File too large") && said.contains("the run goes on"), "{said}");
        assert_eq!(said.matches("the run goes on").count(), 1, "{said}");
        assert!(
            fs::read_dir(place.0.path())?.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        );
        let (code, said) = shell(&format!("ulimit -S -t 1; exec {program} train {RUN} {CONSTANT} --steps 1000000"));
        assert_eq!(code, Some(130), "{said}");
        place.assert_sound("playground-mlp.safetensors");
        Ok(())
    }

    fn a_run_on_other_images() -> Result<(), Failed> {
        let place = Place::new();
        place.succeeds(&format!("train {RUN} --steps 20 --save net.safetensors"));
        let bytes = fs::read(place.path("net.safetensors"))?;
        fs::create_dir(place.path("other"))?;
        idx(&place.path("other"))?;
        let line = "train --resume net.safetensors --engine cpu --dataset other --set dataset.split.standard.validation=10 --steps 1000000 --json";
        let mut child = place.command(line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
        lines.find(|line| line.contains(r#""event":"evaluation""#)).ok_or("no evaluation")?;
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        lines.for_each(drop);
        assert_eq!(child.wait()?.code(), Some(130));
        assert_eq!(fs::read(place.path("net.safetensors"))?, bytes);
        place.checkpoint("net-2.safetensors");

        fs::write(place.path("run.json"), "{}")?;
        let (code, said) = place.run(&format!("train {RUN} --steps 1 --save run.json"));
        assert!(code == Some(2) && said.contains("run.json is there and is no checkpoint"), "{said}");
        assert!(place.succeeds(&format!("train {RUN} --steps 1 --save net.safetensors")).contains("takes its place"));
        assert!(place.succeeds("train --resume net.safetensors --engine cpu").contains("nothing is left to train"));
        Ok(())
    }

    /// A data set of forty images in four files.
    fn idx(folder: &Path) -> Result<(), Failed> {
        let images = data::digits::generate(40, 5);
        let head = |kind: u8, sizes: &[u32]| {
            let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
            [0, 0, 8, kind].into_iter().chain(sizes).collect::<Vec<u8>>()
        };
        for part in ["train", "t10k"] {
            let pixels = [head(3, &[40, 28, 28]), images.pixels.clone()].concat();
            fs::write(folder.join(format!("{part}-images-idx3-ubyte")), pixels)?;
            fs::write(
                folder.join(format!("{part}-labels-idx1-ubyte")),
                [head(1, &[40]), images.labels.clone()].concat(),
            )?;
        }
        Ok(())
    }

    fn one_command() -> Result<(), Failed> {
        let place = Place::new();
        let line = format!("train {RUN} --steps 40 --keep net.safetensors");
        place.succeeds(&line);
        let bytes = fs::read(place.path("net.safetensors"))?;
        let said = place.succeeds(&line);
        assert!(said.contains("net.safetensors is finished after 40 steps"), "{said}");
        for (flags, message) in [
            ("--seed 2", "begun with seed 1, and this command says 2"),
            ("--steps 50", "begun with length.steps 40, and this command says 50"),
            ("--epochs 5", r#"begun with length {"steps":40}, and this command says {"epochs":5}"#),
            ("--engine candle-cpu", "begun with engine cpu, and this command says candle-cpu"),
        ] {
            let line = match flags.split_once(' ').expect("two words") {
                ("--steps" | "--epochs", _) => line.replace("--steps 40", flags),
                ("--engine", _) => line.replace("--engine cpu", flags),
                _ => format!("{line} {flags}"),
            };
            let (code, said) = place.run(&line);
            assert_eq!(code, Some(2), "{line}: {said}");
            assert!(said.contains(message), "{said}");
        }
        assert_eq!(fs::read(place.path("net.safetensors"))?, bytes);

        let run = place.begun("--steps 1000000 --keep long.safetensors");
        run.signal(Signal::TERM);
        run.end();
        let line = format!("train {RUN} {CONSTANT} --steps 1000000 --keep long.safetensors")
            .replace("--engine cpu", "--engine candle-cpu");
        let (code, said) = place.run(&line);
        assert!(code == Some(2) && said.contains("was begun with engine cpu"), "{said}");

        fs::write(place.path("damaged.safetensors"), &bytes[..bytes.len() / 2])?;
        let (code, said) = place.run(&line.replace("long", "damaged"));
        let remedy =
            "no run can go on from it: remove it, or name another: damaged.safetensors: this is not a safetensors";
        assert!(code == Some(2) && said.contains(remedy), "{said}");
        assert_eq!(fs::read(place.path("damaged.safetensors"))?, &bytes[..bytes.len() / 2]);
        Ok(())
    }

    /// What the command begins with may change under the same name.
    fn one_command_and_other_content() -> Result<(), Failed> {
        let place = Place::new();
        place.succeeds(&format!("train {RUN} --steps 10 --seed 1 --save first"));
        place.succeeds(&format!("train {RUN} --steps 10 --seed 2 --save second"));
        fs::create_dir(place.path("own"))?;
        idx(&place.path("own"))?;
        let begin = |line: &str| {
            let mut command = place.command(&format!("train --steps 1000000 --set evaluate_every=1 --json {line}"));
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
            let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
            lines.find(|line| line.contains(r#""event":"evaluation""#)).expect("an evaluation");
            kill_process(Pid::from_child(&child), Signal::TERM).expect("it lives");
            lines.for_each(drop);
            assert_eq!(child.wait().expect("it ends").code(), Some(130));
        };
        let refused = |line: &str, message: &str| {
            let (code, said) = place.run(&format!("train --steps 1000000 --set evaluate_every=1 {line}"));
            assert!(code == Some(2) && said.contains(message), "{line}: {said}");
        };
        let drawn = "--preset mlp --engine cpu --dataset digits --set dataset.digits=600 --keep init.safetensors";
        begin(&format!("{drawn} --init first"));
        begin(&format!("{drawn} --init first")); // it goes on
        refused(&format!("{drawn} --init second"), "begun with other weights than those of this --init");
        refused(drawn, "begun with --init: name that file of weights again");
        fs::write(place.path("empty"), [])?;
        begin("--engine cpu --dataset digits --set dataset.digits=600 --keep empty");
        refused(
            "--engine cpu --dataset digits --set dataset.digits=600 --keep empty --init first",
            "of its seed: leave out",
        );

        let own = "--engine cpu --dataset own --keep own.safetensors";
        begin(own);
        begin(own);
        let labels = place.path("own/train-labels-idx1-ubyte");
        let mut bytes = fs::read(&labels)?;
        let last = bytes.last_mut().ok_or("labels")?;
        *last = (*last + 1) % 10;
        fs::write(&labels, bytes)?;
        refused(own, "are not those that the run was begun with: bring them back, or name another file");
        let (code, said) = place.run("train --dataset own --engine cpu --resume own.safetensors --steps 1");
        assert!(code == Some(0) && said.contains("what was counted of those begins anew"), "{said}");

        let tape = "--dataset digits --set dataset.digits=600 --engine candle-cpu --keep tape.safetensors";
        begin(&format!("{tape} --autograd"));
        refused(tape, "the run was begun with the gradient candle's tape, and this command says recorded derivatives");
        Ok(())
    }
}
