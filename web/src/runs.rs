//! Runs that have ended, and the one that was left before its end: kept in this browser, and taken from there when the
//! page opens.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::{App, Before, Undo, Wanted};
use crate::browser;
use crate::kept::{Kept, Left, Place};
use crate::notice::Notice;
use crate::state::RunState;

/// Between two times that a run which trains is kept, in milliseconds.
const KEPT_EVERY: f64 = 1000.0;
/// A checkpoint that is larger is not kept after each evaluation, in bytes.
const MOST_BYTES: usize = 200_000_000;

impl App {
    /// Takes what earlier visits have kept, and follows what other tabs keep.
    pub(crate) fn recall_runs(self) {
        spawn_local(async move {
            // Where nothing can be kept, the first run that ends says so.
            self.read_runs().await;
            self.drop_surplus().await;
            self.find_left().await;
        });
        browser::on_runs_of_others(move || spawn_local(self.read_runs()));
    }

    /// The list as the browser has it; what is shown of it stays.
    async fn read_runs(self) {
        let Ok(all) = browser::kept_runs().await else { return };
        // What was taken off the list, and may be put back, is not on it.
        let gone: Vec<u64> = self.inner.with_value(|inner| match &inner.undo {
            Some((_, Undo::Forget(gone))) => gone.iter().map(|run| run.number).collect(),
            _ => vec![],
        });
        let shown: Vec<u64> = self
            .run
            .finished
            .with_untracked(|runs| runs.iter().filter(|run| run.shown).map(|run| run.number).collect());
        self.inner.update_value(|inner| {
            inner.sizes = Default::default();
            all.iter().for_each(|(number, text)| inner.sizes.add(*number, text.len()));
        });
        let read = |(number, text): &(u64, String)| {
            if gone.contains(number) {
                return None;
            }
            let run = Kept::read(*number, text)?;
            Some(Kept { shown: shown.contains(number), ..run })
        };
        self.run.finished.set(all.iter().rev().filter_map(read).collect());
    }

    /// Looks for a run that was left before its end: the latest of those whose tab is not there any more.
    async fn find_left(self) {
        for (id, text, checkpoint) in browser::left_runs().await.unwrap_or_default().into_iter().rev() {
            match Left::read(&text) {
                Some(left) => return self.run.left.set(Some((id, left.state, checkpoint))),
                None => drop(browser::drop_run(Some(&id)).await),
            }
        }
        self.run.left.set(None);
    }

    /// Offers the run that was left, if there is one, again.
    pub(crate) fn offer_left(self) {
        if self.inner.try_update_value(|inner| inner.adopting.take()).flatten().is_some() {
            spawn_local(self.find_left());
        }
    }

    /// Goes on with the run that was left.
    pub fn go_on(self) {
        let Some((id, past, checkpoint)) = self.run.left.get_untracked() else { return };
        self.run.left.set(None);
        let Some(start) = past.start.clone() else { return };
        self.take((*start.config).clone());
        self.inner.update_value(|inner| inner.queue.clear());
        self.begin(Wanted { adopted: Some(id), ..Wanted::going_on(past, checkpoint) });
    }

    /// Keeps the run that was left as one that was stopped, and looks for another.
    pub fn give_up_left(self) {
        let Some((id, past, _)) = self.run.left.get_untracked() else { return };
        self.keep(past.stopped(), Place::Browser);
        spawn_local(async move {
            drop(browser::drop_run(Some(&id)).await);
            self.find_left().await;
        });
    }

    /// Whether it is time to keep the run that trains.
    pub(crate) fn is_keeping_due(self) -> bool {
        self.inner.with_value(|inner| inner.last.is_none() || browser::now() - inner.kept_at >= KEPT_EVERY)
    }

    /// Keeps the run that trains, by its checkpoint that has just come.
    pub(crate) fn keep_left(self, checkpoint: Vec<u8>) {
        let state = self.run.state.get_untracked();
        if checkpoint.len() <= MOST_BYTES && state.stage.is_live() {
            let kept = browser::keep_left(Left::new(state).to_json(), &checkpoint);
            let adopted = self.inner.try_update_value(|inner| inner.adopted.take()).flatten();
            spawn_local(async move {
                match kept.await {
                    Ok(()) => {
                        if let Some(id) = adopted {
                            drop(browser::drop_run(Some(&id)).await);
                        }
                    }
                    Err(message) => self.say_not_kept(message),
                }
            });
        }
        self.inner.update_value(|inner| (inner.last, inner.kept_at) = (Some(checkpoint), browser::now()));
    }

    /// The run of this tab has ended, or another takes its place.
    pub(crate) fn forget_left(self) {
        let adopted = self.inner.try_update_value(|inner| inner.adopted.take()).flatten();
        spawn_local(async move {
            drop(browser::drop_run(None).await); // what could not be kept need not be dropped
            if let Some(id) = adopted {
                drop(browser::drop_run(Some(&id)).await);
            }
        });
    }

    /// Said once: training goes on without.
    fn say_not_kept(self, message: String) {
        if !self.inner.with_value(|inner| inner.said_not_kept) {
            self.inner.update_value(|inner| inner.said_not_kept = true);
            self.notice.set(Some(Notice::NotKept(message)));
        }
    }

    /// Keeps a run that has ended.
    pub fn keep(self, state: RunState, place: Place) {
        // The first of two devices that are compared is drawn beside the second.
        let shown = self.inner.with_value(|inner| !inner.queue.is_empty());
        self.keep_all(vec![Kept { shown, ..Kept::new(state, place) }]);
    }

    /// Keeps runs, the first one as the latest.
    pub fn keep_all(self, runs: Vec<Kept>) {
        spawn_local(async move {
            for mut run in runs.into_iter().rev() {
                let text = run.to_json();
                match browser::keep_run(&text).await {
                    Ok(number) => {
                        run.number = number;
                        self.inner.update_value(|inner| inner.sizes.add(number, text.len()));
                    }
                    Err(message) => {
                        run.number =
                            self.run.finished.with_untracked(|runs| runs.first().map_or(1, |run| run.number + 1));
                        self.say_not_kept(message);
                    }
                }
                self.insert(run);
            }
            self.drop_surplus().await;
        });
    }

    /// Gives a run another name.
    pub fn name_run(self, number: u64, name: String) {
        let name: String = name.chars().take(60).collect();
        let text = self.run.finished.try_update(|runs| {
            let run = runs.iter_mut().find(|run| run.number == number)?;
            run.name = name;
            Some(run.to_json())
        });
        if let Some(text) = text.flatten() {
            spawn_local(async move { drop(browser::keep_again(number, &text).await) });
        }
    }

    /// Shows a run again with all its curves, and takes its settings for the next one.
    pub fn open_run(self, number: u64) {
        let found = self.run.finished.with_untracked(|runs| runs.iter().find(|run| run.number == number).cloned());
        let Some(Kept { state, .. }) = found else { return };
        let now = self.run.state.get_untracked();
        if now.stage.is_live() {
            self.tell(protocol::Command::Stop);
            self.forget_left();
            self.inner.update_value(|inner| {
                let checkpoint = inner.last.take();
                inner.before = Some(Before { run: 0, state: now, checkpoint });
            });
            self.replaced();
        }
        if let Some(start) = &state.start {
            self.take((*start.config).clone());
        }
        self.clear_questions();
        self.inner.update_value(|inner| inner.current = 0); // what the run before still says is not for this one
        self.run.state.set(state.past());
    }

    /// Forgets runs; for a while that can be undone.
    pub fn forget_runs(self, is_gone: impl Fn(&Kept) -> bool) {
        let (gone, rest) = self.run.finished.get_untracked().into_iter().partition(|run| is_gone(run));
        self.run.finished.set(rest);
        self.offer_undo(Notice::Forgotten, Undo::Forget(gone));
    }

    /// Forgets for good what was taken off the list.
    pub(crate) fn forget_for_good(self, gone: &[Kept]) {
        self.run.finished.update(|runs| runs.retain(|run| gone.iter().all(|other| other.number != run.number)));
        for run in gone {
            let number = run.number;
            self.inner.update_value(|inner| inner.sizes.forget(number, number));
            spawn_local(async move { drop(browser::forget_runs(number, number).await) });
        }
    }

    pub(crate) fn insert(self, run: Kept) {
        self.run.finished.update(|runs| {
            if runs.iter().all(|other| other.number != run.number) {
                let place = runs.partition_point(|other| other.number > run.number);
                runs.insert(place, run);
            }
        });
    }

    async fn drop_surplus(self) {
        if let Some(last) = self.inner.with_value(|inner| inner.sizes.surplus()) {
            self.inner.update_value(|inner| inner.sizes.forget(0, last));
            self.run.finished.update(|runs| runs.retain(|run| run.number > last));
            drop(browser::forget_runs(0, last).await);
        }
    }
}
