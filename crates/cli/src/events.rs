//! What those who listen to a run are shown: a program JSON, a person lines and a bar.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressStyle};
use models::Precision;
use protocol::{Cause, Event, Message, Part, RunConfig, Summary};
use train::metrics::Confusion;

use crate::{
    article,
    listener::Listener,
    report::{self, Epoch, classes, thousands},
    save::is_null,
    say,
    terminal::{escaped, quoted},
};

/// Version of the messages.
const VERSION: u32 = 1;

/// One message a line.
pub(crate) struct Json<W> {
    out: W,
    run: String,
}

impl<W: Write> Json<W> {
    pub(crate) fn new(out: W) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Json { out, run: format!("{:x}-{:x}", now.as_millis(), std::process::id()) }
    }
}

impl<W: Write> Listener for Json<W> {
    fn hear(&mut self, event: &Event) -> io::Result<()> {
        let message = Message { version: VERSION, run: self.run.clone(), event: event.clone() };
        writeln!(self.out, "{}", message.to_json())
    }
}

/// A progress bar on stderr, a line an epoch and the report on stdout.
pub(crate) struct Person<W> {
    out: W,
    /// The file that the run is kept in at every evaluation.
    kept: Option<PathBuf>,
    bar: ProgressBar,
    config: Option<RunConfig>,
    /// Training loss for the bar: a mean in which the last hundred steps count most.
    loss: Option<f64>,
    images_per_second: Option<f64>,
    epochs: Vec<Epoch>,
    /// An epoch that is not printed yet, since its evaluation follows.
    pending: Option<Epoch>,
    test: Confusion,
    checkpoint: Option<String>,
}

impl<W: Write> Person<W> {
    /// The run is kept in this file at every evaluation.
    pub(crate) fn new(out: W, kept: Option<PathBuf>) -> Self {
        let bar = ProgressBar::hidden();
        let (config, pending, checkpoint) = (None, None, None);
        let test = Confusion::default();
        Person {
            out,
            kept,
            bar,
            config,
            loss: None,
            images_per_second: None,
            epochs: vec![],
            pending,
            test,
            checkpoint,
        }
    }

    /// Writes to stdout while the bar, which may share the terminal, is away.
    fn print(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.bar.suspend(|| {
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    }

    fn batch(&self) -> usize {
        self.config.as_ref().map_or(0, |config| config.batch)
    }

    fn started(&mut self, event: &Event) -> io::Result<()> {
        let Event::Started { device, versions, parameters, config, data, steps, steps_per_epoch, first_step, .. } =
            event
        else {
            return Ok(());
        };
        let sizes = [data.training, data.validation, data.test].map(thousands);
        let epochs = match (*steps as f64 / *steps_per_epoch as f64 * 100.0).round() / 100.0 {
            1.0 => "1 epoch".into(),
            epochs => format!("{epochs} epochs"),
        };
        let mut text = format!(
            "engine     {} on {}{} ({})\n\
             images     {}: {} for training, {} for validation, {} for the test\n\
             network    {} parameters\n\
             training   {} steps of {} images, {}, seed {}{}\n\
             kept       {}\n",
            device.engine,
            device.name,
            if device.software { ", a GPU imitated by a CPU" } else { "" },
            versions.join(", "),
            escaped(&data.name),
            sizes[0],
            sizes[1],
            sizes[2],
            thousands(*parameters),
            thousands(*steps),
            config.batch,
            epochs,
            config.seed,
            if config.precision == Precision::F16 { ", in f16" } else { "" },
            match &self.kept {
                Some(path) if is_null(path) => "not at all: /dev/null keeps nothing".into(),
                Some(path) => format!("in {} at every evaluation", escaped(&path.display().to_string())),
                None => "if it is interrupted or fails, but not if it is killed: see --save and --keep".into(),
            },
        );
        if *first_step > 0 {
            text += &format!("resumed    after step {}\n", thousands(*first_step));
        }
        text += &report::epoch_header();
        self.config = Some((**config).clone());
        self.print(&text)?;
        if io::stderr().is_terminal() {
            let template = "{bar:30} {pos}/{len} steps  {msg}  ETA {eta}";
            let style = ProgressStyle::with_template(template).expect("a constant");
            self.bar = ProgressBar::new(*steps).with_style(style).with_position(*first_step);
            self.bar.reset_eta();
        }
        Ok(())
    }

    fn steps(&mut self, step: u64, losses: &[f32], seconds: f64) {
        for &loss in losses {
            let loss = f64::from(loss);
            self.loss = Some(self.loss.map_or(loss, |mean| 0.98 * mean + 0.02 * loss));
        }
        let speed = (losses.len() * self.batch()) as f64 / seconds.max(1e-9);
        let speed = self.images_per_second.map_or(speed, |mean| 0.8 * mean + 0.2 * speed);
        self.images_per_second = Some(speed);
        self.bar.set_position(step);
        let loss = self.loss.unwrap_or(f64::NAN);
        self.bar.set_message(format!("{} images/s  loss {loss:.4}", thousands(speed as u64)));
    }

    /// Prints the epoch that waits, if one does.
    fn flush(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some(epoch) => {
                self.print(&epoch.line())?;
                self.epochs.push(epoch);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn finished(&mut self, summary: &Summary) -> io::Result<()> {
        self.bar.finish_and_clear();
        let Some(config) = &self.config else { return Ok(()) };
        let mut text = String::new();
        if let Some(reason) = &summary.ended_early {
            text += &format!("ended after step {}: {reason}\n", thousands(summary.steps));
        }
        let classes = classes(&config.dataset.name);
        text += &report::classification(&self.test, &classes);
        text += &report::confusion(&self.test);
        text += &report::chance(&self.test, &classes);
        text += &report::seconds(&summary.seconds, summary.images_per_second);
        if article::is_same_job(config) {
            text += &report::beside_article(&self.epochs, &self.test, &summary.seconds, &config.dataset.name);
        }
        text += &format!(
            "\ntest accuracy {:.2} % (loss {:.4}) after {} steps\n",
            100.0 * summary.test_accuracy,
            summary.test_loss,
            thousands(summary.steps)
        );
        text += &match &self.checkpoint {
            Some(path) => format!("saved as {path}: try `playground-cli predict {} IMAGE`\n", quoted(path)),
            None => "nothing is saved: `--save FILE` keeps the network, to go on with it or to use it\n".into(),
        };
        self.print(&text)
    }
}

impl<W: Write> Listener for Person<W> {
    fn warn(&mut self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    fn hear(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { .. } => self.started(event),
            Event::Steps { step, losses, seconds, .. } => {
                self.flush()?;
                self.steps(*step, losses, *seconds);
                Ok(())
            }
            Event::Epoch { epoch, loss, error, seconds } => {
                let name = epoch.to_string();
                self.pending =
                    Some(Epoch { name, training: Some((*loss, *error)), validation: None, seconds: Some(*seconds) });
                Ok(())
            }
            Event::Evaluation { step, on: Part::Validation, loss, accuracy, .. } => {
                let name = format!("step {step}");
                let unnamed = Epoch { name, training: None, validation: None, seconds: None };
                let epoch = self.pending.take().unwrap_or(unnamed);
                self.pending = Some(Epoch { validation: Some((*loss, *accuracy)), ..epoch });
                self.flush()
            }
            Event::Evaluation { confusion, .. } => {
                self.test = Confusion(confusion.clone());
                self.flush()
            }
            Event::Recovered { step, repeated, reason } => {
                self.flush()?;
                self.bar.set_position(*step);
                let again = format!("{reason}; the run goes on after step {step}, {repeated} steps are made again");
                self.bar.suspend(|| say(&again));
                Ok(())
            }
            Event::Paused { .. } | Event::Resumed { .. } | Event::Rate { .. } | Event::Momentum { .. } => Ok(()), // nobody can tell a run such things here
            Event::Rewound {} => {
                self.epochs.clear();
                self.pending = None;
                self.bar.set_position(0);
                Ok(())
            }
            Event::Checkpoint { path, .. } => {
                self.checkpoint = Some(path.clone());
                self.flush()
            }
            Event::Finished(summary) => self.finished(summary),
            Event::Stopped { reason, step, checkpoint } => {
                self.bar.finish_and_clear();
                self.flush()?;
                say(&format!("{reason} after step {step}"));
                if checkpoint.is_none() {
                    say("no file was touched");
                }
                Ok(())
            }
            Event::Failed { failure, .. } => {
                self.bar.finish_and_clear();
                self.flush()?;
                say(&format!("error: {failure}"));
                if let Some(Cause::Diverged { calmer, .. }) = failure.cause {
                    let half = self.config.as_ref().is_some_and(|config| config.precision == Precision::F16);
                    let more =
                        if half { ", or --precision f32, where gradients above 64 are numbers, too" } else { "" };
                    say(&format!("try --set schedule.rate={calmer}, or --set optimizer.clip_norm=1{more}"));
                }
                Ok(())
            }
        }
    }
}
