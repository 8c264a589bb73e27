//! The loop: what the run is told, what it says, and its checkpoints. Whatever ends a run that has begun, it is kept.

use std::io;

use anyhow::Result;
use engine::EngineError;
use protocol::{Command, Event, Failure};
use train::Run;

use crate::{Exit, advice::Advice, explain, listener::Listener, save::Place};

/// The run that there is, and who listens to it.
pub(crate) struct Session<'l> {
    run: Run,
    listener: &'l mut dyn Listener,
    /// Where its checkpoints go, if anywhere.
    place: Option<Place>,
    advice: Advice,
    /// The step that the run began at.
    first: u64,
    /// That of the last checkpoint written.
    saved: Option<u64>,
    /// Whether the last one could not be written, which is said once.
    fails: bool,
    /// Why the listener could not be told something. It is told nothing from then on.
    unheard: Option<io::Error>,
}

impl<'l> Session<'l> {
    pub(crate) fn new(run: Run, place: Option<Place>, advice: Advice, listener: &'l mut dyn Listener) -> Self {
        let first = run.step();
        Session { run, listener, place, advice, first, saved: None, fails: false, unheard: None }
    }

    /// Goes from piece to piece to one of the run's three ends, and asks in between whether it is to stop. Errors are of
    /// a listener that has gone; all others are an event and an exit code.
    pub(crate) async fn drive(&mut self, stop: impl Fn() -> bool) -> Result<Exit> {
        let exit = loop {
            if stop() || self.unheard.is_some() {
                self.run.command(&Command::Stop)?; // what is in flight still comes
            }
            match self.advance().await {
                Ok(None) => {}
                Ok(Some(exit)) => break exit,
                Err(error) => break self.fail(Failure::from(error), self.run.step()),
            }
        };
        match (self.unheard.take(), exit) {
            (None, exit) | (Some(_), exit @ Exit::Failed) => Ok(exit),
            (Some(_), _) if stop() => Ok(Exit::Interrupted),
            (Some(error), Exit::Done | Exit::Interrupted) => Err(error.into()),
        }
    }

    /// A piece of work and all that is said of it; how the run has ended, if it has.
    async fn advance(&mut self) -> Result<Option<Exit>, EngineError> {
        let before = self.run.last_good().progress.step;
        for event in self.run.advance().await {
            match event {
                Event::Failed { failure, step, .. } => return Ok(Some(self.fail(failure, step))),
                Event::Stopped { step, .. } => return self.stop(step).await.map(Some),
                Event::Finished(_) => return Ok(Some(self.finish(&event))),
                event => self.tell(&event),
            }
        }
        let step = self.run.last_good().progress.step;
        if self.keeps_always() && step > before {
            let bytes = self.run.last_good().to_bytes();
            let failed = self.save(step, &bytes).err();
            if let Some(error) = failed.as_ref().filter(|_| !self.fails) {
                let error = explain(error);
                self.listener.warn(&format!("warning: {error}; the run goes on, and each evaluation tries again"));
            }
            self.fails = failed.is_some();
            self.run.aside();
        }
        Ok(None)
    }

    /// Whether the run is kept at every evaluation.
    fn keeps_always(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.always)
    }

    fn tell(&mut self, event: &Event) {
        if self.unheard.is_none() {
            self.unheard = self.listener.hear(event).err();
        }
    }

    /// The run has made all its steps. It is kept, too, where nobody could be told how it ended.
    fn finish(&mut self, event: &Event) -> Exit {
        let mut exit = if self.keeps_always() { self.keep_end() } else { Exit::Done };
        self.tell(event);
        if self.unheard.is_some() {
            exit = self.keep_end();
            self.say_kept();
        }
        exit
    }

    /// Keeps a run that has finished, if that is not done.
    fn keep_end(&mut self) -> Exit {
        let end = self.run.latest();
        let step = end.progress.step;
        if self.saved == Some(step) {
            return Exit::Done;
        }
        let bytes = end.to_bytes();
        match self.save_at_last(step, &bytes) {
            Ok(_) => Exit::Done,
            Err(failure) => {
                self.listener.warn(&format!("error: {failure}"));
                Exit::Failed
            }
        }
    }

    /// The run was stopped: where it stands is kept, an evaluation that was due included.
    async fn stop(&mut self, step: u64) -> Result<Exit, EngineError> {
        let checkpoint = self.run.checkpoint().await?;
        for event in self.run.advance().await {
            match event {
                Event::Failed { failure, step, .. } => return Ok(self.fail(failure, step)),
                event => self.tell(&event),
            }
        }
        let reason = "interrupted".into();
        if checkpoint.progress.step == self.first {
            self.tell(&Event::Stopped { reason, step, checkpoint: None });
            return Ok(Exit::Interrupted);
        }
        match self.save_at_last(checkpoint.progress.step, &checkpoint.to_bytes()) {
            Ok(checkpoint) => {
                self.tell(&Event::Stopped { reason, step, checkpoint });
                self.say_kept();
                Ok(Exit::Interrupted)
            }
            Err(failure) => {
                self.tell(&Event::Failed { failure, step, checkpoint: None });
                Ok(Exit::Failed)
            }
        }
    }

    /// The run has failed: where it was last sound is kept, unless that is where it began.
    fn fail(&mut self, mut failure: Failure, step: u64) -> Exit {
        let good = self.run.last_good();
        let (good, bytes) = (good.progress.step, good.to_bytes());
        let is_worth_it = good > self.first;
        let kept = if is_worth_it { self.save_at_last(good, &bytes) } else { Ok(None) };
        let checkpoint = kept.unwrap_or_else(|besides| {
            failure.message += &format!("; besides, {besides}");
            None
        });
        self.tell(&Event::Failed { failure, step, checkpoint: checkpoint.clone() });
        if let Some(path) = checkpoint {
            let command = self.advice.resume(&path, self.run.last_good());
            self.listener.warn(&format!("the last good state is kept: {command}"));
        } else if !is_worth_it {
            self.listener.warn("no state was good since the run began, so none is kept");
        }
        Exit::Failed
    }

    /// Says how the run goes on, if it is kept.
    fn say_kept(&mut self) {
        if let Some(place) = self.place.as_ref().filter(|_| self.saved.is_some()) {
            let path = place.path().display().to_string();
            let text = self.advice.go_on(&path, self.run.latest());
            self.listener.warn(&format!("the run is kept in {path}: {text}"));
        }
    }

    /// Writes the run's last checkpoint, elsewhere if it must be, and says where.
    fn save_at_last(&mut self, step: u64, bytes: &[u8]) -> Result<Option<String>, Failure> {
        let saved = self.save(step, bytes).or_else(|error| {
            self.listener.warn(&format!("warning: {}", explain(&error)));
            self.put(step, |place| place.put_elsewhere(bytes))
        });
        saved.map_err(|error| Failure::from(explain(&error)))
    }

    /// Writes a checkpoint.
    fn save(&mut self, step: u64, bytes: &[u8]) -> Result<Option<String>> {
        self.put(step, |place| place.put(bytes))
    }

    /// Has a checkpoint written, if it is to be kept, and says where it is.
    fn put(&mut self, step: u64, write: impl FnOnce(&mut Place) -> Result<Option<String>>) -> Result<Option<String>> {
        let Some(place) = &mut self.place else { return Ok(None) };
        let moved = write(place)?;
        let path = place.path().display().to_string();
        if let Some(moved) = moved {
            self.listener.warn(&format!("warning: {moved}"));
        }
        self.saved = Some(step);
        self.tell(&Event::Checkpoint { step, path: path.clone() });
        Ok(Some(path))
    }
}
