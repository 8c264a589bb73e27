//! The loop: what the run is told, what it says, and its checkpoints.

use std::path::PathBuf;

use anyhow::Result;
use protocol::{Command, Event, Failure};
use train::Run;

use crate::{Exit, events::Listener, explain, files, is_broken_pipe};

/// The run that there is, and who listens to it.
pub(crate) struct Session<'l> {
    run: Run,
    listener: &'l mut dyn Listener,
    /// Where its checkpoints go.
    path: PathBuf,
    /// Whether one is written at every evaluation.
    wanted: bool,
    /// The step that the run began at.
    first: u64,
    /// That of the last one written.
    saved: Option<u64>,
}

impl<'l> Session<'l> {
    pub(crate) fn new(run: Run, path: PathBuf, wanted: bool, listener: &'l mut dyn Listener) -> Self {
        let first = run.step();
        Session { run, listener, path, wanted, first, saved: None }
    }

    /// Goes from piece to piece to one of the run's three ends, and asks in between whether it is to stop. Errors are of
    /// a listener that has gone; all others are an event and an exit code.
    pub(crate) async fn drive(&mut self, stop: impl Fn() -> bool) -> Result<Exit> {
        let ended = loop {
            if stop() {
                self.run.command(&Command::Stop)?; // what is in flight still comes
            }
            match self.advance().await {
                Ok(None) => {}
                ended => break ended,
            }
        };
        match ended {
            Ok(exit) => Ok(exit.unwrap_or(Exit::Done)),
            Err(error) if is_broken_pipe(&error) => Err(error),
            Err(error) => {
                let checkpoint = self.saved.map(|_| self.path.display().to_string());
                let failure = explain(&error).into();
                self.listener.hear(&Event::Failed { failure, step: self.run.step(), checkpoint })?;
                Ok(Exit::Failed)
            }
        }
    }

    /// A piece of work and all that is said of it; how the run has ended, if it has.
    async fn advance(&mut self) -> Result<Option<Exit>> {
        for event in self.run.advance().await {
            match event {
                Event::Failed { failure, step, .. } => return self.fail(failure, step).map(Some),
                Event::Stopped { step, .. } => return self.stop(step).await.map(Some),
                Event::Finished(_) => {
                    if self.wanted && (self.has_news() || self.saved.is_none()) {
                        self.save_last_good()?; // none was saved where nothing was left to train
                    }
                    self.listener.hear(&event)?;
                    return Ok(Some(Exit::Done));
                }
                event => self.listener.hear(&event)?,
            }
        }
        if self.wanted && self.has_news() {
            self.save_last_good()?;
        }
        Ok(None)
    }

    /// The run was stopped: where it stands is kept, an evaluation that was due included.
    async fn stop(&mut self, step: u64) -> Result<Exit> {
        let checkpoint = self.run.checkpoint().await?;
        for event in self.run.advance().await {
            match event {
                Event::Failed { failure, step, .. } => return self.fail(failure, step),
                event => self.listener.hear(&event)?,
            }
        }
        let path = self.save(checkpoint.progress.step, &checkpoint.to_bytes())?;
        self.listener.hear(&Event::Stopped { reason: "interrupted".into(), step, checkpoint: Some(path) })?;
        Ok(Exit::Interrupted)
    }

    /// The run has failed: where it was last sound is kept.
    fn fail(&mut self, mut failure: Failure, step: u64) -> Result<Exit> {
        let checkpoint = match self.save_last_good() {
            Ok(path) => Some(path),
            Err(error) => {
                failure.message += &format!("; besides, {}", explain(&error));
                None
            }
        };
        self.listener.hear(&Event::Failed { failure, step, checkpoint })?;
        Ok(Exit::Failed)
    }

    fn has_news(&self) -> bool {
        self.run.last_good().progress.step > self.saved.unwrap_or(self.first)
    }

    fn save_last_good(&mut self) -> Result<String> {
        let good = self.run.last_good();
        let (step, bytes) = (good.progress.step, good.to_bytes());
        self.save(step, &bytes)
    }

    /// Writes a checkpoint, and says where.
    fn save(&mut self, step: u64, bytes: &[u8]) -> Result<String> {
        files::write(&self.path, bytes)?;
        self.saved = Some(step);
        let path = self.path.display().to_string();
        self.listener.hear(&Event::Checkpoint { step, path: path.clone() })?;
        Ok(path)
    }
}
