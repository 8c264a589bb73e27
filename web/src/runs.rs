//! Finished runs: kept in this browser, and taken from there when the page opens.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::App;
use crate::browser;
use crate::kept::Kept;
use crate::notice::Notice;
use crate::state::RunState;

impl App {
    /// Takes what earlier visits have kept.
    pub(crate) fn recall_runs(self) {
        spawn_local(async move {
            // Where nothing can be kept, the first run that ends says so.
            for (number, text) in browser::kept_runs().await.unwrap_or_default() {
                self.inner.update_value(|inner| inner.sizes.add(number, text.len()));
                if let Some(run) = Kept::read(number, &text) {
                    self.insert(run);
                }
            }
            self.drop_surplus().await;
        });
    }

    /// Keeps a finished run.
    pub fn keep(self, state: RunState) {
        // The first of two devices that are compared is drawn beside the second.
        let shown = self.inner.with_value(|inner| !inner.queue.is_empty());
        spawn_local(async move {
            let mut run = Kept { shown, ..Kept::new(state) };
            let text = run.to_json();
            match browser::keep_run(&text).await {
                Ok(number) => {
                    run.number = number;
                    self.inner.update_value(|inner| inner.sizes.add(number, text.len()));
                }
                Err(message) => {
                    run.number = self.run.finished.with_untracked(|runs| runs.first().map_or(1, |run| run.number + 1));
                    self.notice.set(Some(Notice::NotKept(message)));
                }
            }
            self.insert(run);
            self.drop_surplus().await;
        });
    }

    /// Forgets all runs.
    pub fn forget_runs(self) {
        spawn_local(self.forget(u64::MAX));
    }

    fn insert(self, run: Kept) {
        self.run.finished.update(|runs| {
            let place = runs.partition_point(|other| other.number > run.number);
            runs.insert(place, run);
        });
    }

    async fn drop_surplus(self) {
        if let Some(last) = self.inner.with_value(|inner| inner.sizes.surplus()) {
            self.forget(last).await;
        }
    }

    /// Forgets the runs up to this number.
    async fn forget(self, last: u64) {
        self.inner.update_value(|inner| inner.sizes.forget(last));
        self.run.finished.update(|runs| runs.retain(|run| run.number > last));
        if let Err(message) = browser::forget_runs(last).await {
            self.notice.set(Some(Notice::NotKept(message)));
        }
    }
}
