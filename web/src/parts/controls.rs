use leptos::prelude::*;
use protocol::Command;
use protocol::worker::Work;

use crate::app::App;
use crate::format::{bytes, duration, fill, grouped, percent};
use crate::problem::Problem;
use crate::state::{RunState, Stage};
use crate::text::Texts;

/// The button that trains, its companions, and how far the run is.
#[component]
pub fn Controls() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let stage = Memo::new(move |_| app.run.state.with(|state| state.stage));
    let can_pause = move || matches!(stage.get(), Stage::Running | Stage::Paused);
    let is_live = move || stage.get().is_live();
    let has_start = Memo::new(move |_| app.run.state.with(|state| state.start.is_some()));
    let train = move || if stage.get() == Stage::Idle { t.train } else { t.train_again };
    let pause = move || if stage.get() == Stage::Paused { t.resume } else { t.pause };
    let status = Memo::new(move |_| app.run.state.with(|state| say(state, app, t)));
    let aside = Memo::new(move |_| app.run.state.with(|state| aside(state, t)));
    let done = Memo::new(move |_| app.run.state.with(|state| (1000.0 * state.progress()).round() / 10.0));
    // A screen reader hears changes of the stage, and each quarter of the way.
    let quarter = Memo::new(move |_| (stage.get(), (done.get() / 25.0) as u32));
    let spoken = Memo::new(move |_| {
        quarter.get(); // not only tracked: what nobody reads is not computed, and tells nobody
        app.run.state.with_untracked(|state| match state.accuracy_now() {
            Some(accuracy) => fill(t.spoken, &[&say(state, app, t), &percent(accuracy)]),
            None => say(state, app, t),
        })
    });
    view! {
        <section class="controls card" aria-label=t.controls>
            <div class="controls-buttons">
                <button class="primary" id="train" on:click=move |_| app.train()>{train}</button>
                <button
                    id="pause" disabled=move || !can_pause() on:click=move |_| app.pause_or_resume()
                >
                    {pause}
                </button>
                <button
                    id="step" disabled=move || stage.get() == Stage::Preparing on:click=move |_| app.step()
                >
                    {t.step}
                </button>
                <button
                    id="rewind" disabled=move || !has_start.get() on:click=move |_| app.tell(Command::Rewind)
                >
                    {t.rewind}
                </button>
                <button
                    id="stop" disabled=move || !is_live() on:click=move |_| app.tell(Command::Stop)
                >
                    {t.stop}
                </button>
            </div>
            <div class="controls-state">
                <p class="controls-text" id="status" class:problem=move || stage.get() == Stage::Failed>
                    <span>{move || status.get()}</span>
                    <span class="muted">{move || aside.get()}</span>
                </p>
                <progress max="100" prop:value=move || done.get() aria-label=t.progress></progress>
            </div>
            <p class="hidden" role="status">{move || spoken.get()}</p>
        </section>
    }
}

/// Where the run is, in a sentence.
fn say(state: &RunState, app: App, t: &Texts) -> String {
    let step = grouped(state.step as i64);
    let steps = grouped(state.start.as_ref().map_or(0, |start| start.steps) as i64);
    match state.stage {
        Stage::Idle => t.idle.into(),
        Stage::Preparing if app.run.devices.read().is_none() => t.looking.into(),
        Stage::Preparing => match app.run.work.get() {
            Some((Work::Download, done, total)) => {
                let total = total.map_or(String::new(), |total| format!(" / {}", bytes(total)));
                format!("{} {}{total}", t.work_download, bytes(done))
            }
            Some((Work::Data, ..)) => t.work_data.into(),
            Some((Work::Prepare, ..)) => t.work_prepare.into(),
            None => t.preparing.into(),
        },
        Stage::Running => fill(t.running, &[&step, &steps]),
        Stage::Paused => fill(t.paused, &[&step, &steps]),
        Stage::Done => {
            let accuracy = state.accuracy_now().map_or(t.no_value.into(), percent);
            fill(t.done, &[&accuracy])
        }
        Stage::Stopped => fill(t.stopped, &[&step]),
        Stage::Failed => fill(t.failed, &[&step]),
    }
}

/// What is worth knowing beside it.
fn aside(state: &RunState, t: &Texts) -> String {
    let Some(start) = &state.start else { return String::new() };
    let early = state.summary.as_ref().and_then(|summary| summary.ended_early);
    match (state.stage, early) {
        (Stage::Done, Some(why)) => fill(t.ended_early, &[&why.say(t)]),
        (Stage::Running | Stage::Paused, _) => {
            let per_epoch = start.steps_per_epoch.max(1);
            let epoch = |step: u64| step.div_ceil(per_epoch).max(1).to_string();
            let epoch = fill(t.epoch_of, &[&epoch(state.step), &epoch(start.steps)]);
            match state.remaining().filter(|_| state.stage == Stage::Running) {
                Some(left) => format!("{epoch} · {}", fill(t.left, &[&duration(left)])),
                None => epoch,
            }
        }
        _ => String::new(),
    }
}
