use leptos::prelude::*;
use protocol::Command;
use protocol::worker::Work;

use crate::app::App;
use crate::compare::engine_name;
use crate::format::{bytes, duration, fill, grouped, percent, tenths};
use crate::parts::icon::{Icon, Sign};
use crate::problem::Problem;
use crate::state::{RunState, Stage};
use crate::text::Texts;

/// What is always in view: the button that trains, its companions, how good the network is, and how far the run.
#[component]
pub fn Bar() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let stage = Memo::new(move |_| app.run.state.with(|state| state.stage));
    let is_live = move || stage.get().is_live();
    let has_start = Memo::new(move |_| app.run.state.with(|state| state.start.is_some() && !state.is_past));
    let why_not = Memo::new(move |_| app.why_not());
    let train = move || match stage.get() {
        Stage::Running => (Sign::Pause, t.pause),
        Stage::Paused => (Sign::Train, t.resume),
        Stage::Idle | Stage::Preparing => (Sign::Train, t.train),
        Stage::Done | Stage::Stopped | Stage::Failed => (Sign::Train, t.train_again),
    };
    let cannot_train = move || !matches!(stage.get(), Stage::Running | Stage::Paused) && why_not.with(Option::is_some);
    let cannot_step =
        move || matches!(stage.get(), Stage::Preparing | Stage::Done) || (!is_live() && why_not.with(Option::is_some));
    let status = Memo::new(move |_| app.run.state.with(|state| say(state, app, t)));
    let aside = Memo::new(move |_| app.run.state.with(|state| aside(state, t)));
    let device = Memo::new(move |_| {
        app.run.state.with(|state| {
            let device = &state.start.as_ref()?.device;
            let software = if device.software { format!(" ({})", t.software_short) } else { String::new() };
            let data = &state.start.as_ref()?.data.name;
            Some(format!("{}{software} · {data}", engine_name(device.engine)))
        })
    });
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
    let held_out = Memo::new(move |_| app.run.state.with(|state| (state.test.is_some(), state.accuracy_now())));
    let trained =
        Memo::new(move |_| app.run.state.with(|state| state.accuracy.points().last().map(|point| point.smooth)));
    Effect::new(move || {
        let title = app.language.get().texts().title;
        let accuracy = held_out.get().1.filter(|_| stage.get() != Stage::Idle);
        document().set_title(&accuracy.map_or(title.into(), |accuracy| format!("{} · {title}", percent(accuracy))));
    });
    let accuracy = |class: &'static str, name: Signal<&'static str>, value: Signal<Option<f64>>| {
        let shown = move || value.get().map_or(t.no_value.to_owned(), tenths);
        let unit = move || value.get().map(|_| "%");
        view! { <div class=class><dt>{move || name.get()}</dt><dd>{shown}<small>{unit}</small></dd></div> }
    };
    let held_out_name = Signal::derive(move || if held_out.get().0 { t.test } else { t.validation });
    view! {
        <section class="bar" aria-label=t.controls>
            <div class="bar-buttons">
                <button
                    class="primary" id="train" translate="no" disabled=cannot_train aria-describedby="why-not"
                    on:click=move |_| app.train_or_pause()
                >
                    {move || { let (sign, name) = train(); view! { <Icon sign /> {name} } }}
                </button>
                <button id="step" aria-label=t.step disabled=cannot_step on:click=move |_| app.step()>
                    <Icon sign=Sign::Step /><span class="word">{t.step}</span>
                </button>
                <button
                    id="rewind" aria-label=t.rewind disabled=move || !has_start.get()
                    on:click=move |_| app.tell(Command::Rewind)
                >
                    <Icon sign=Sign::Rewind /><span class="word">{t.rewind}</span>
                </button>
                <button id="stop" aria-label=t.stop disabled=move || !is_live() on:click=move |_| app.tell(Command::Stop)>
                    <Icon sign=Sign::Stop /><span class="word">{t.stop}</span>
                </button>
            </div>
            <dl class="bar-accuracy" translate="no">
                {accuracy("validation", held_out_name, Signal::derive(move || held_out.get().1))}
                {accuracy("training", Signal::stored(t.training), trained.into())}
            </dl>
            <p class="bar-text" id="status" translate="no" class:problem=move || stage.get() == Stage::Failed>
                <span>{move || status.get()}</span>
                <span>{move || aside.get()}</span>
                <span>{move || device.get()}</span>
            </p>
            <p class="bar-reason problem" id="why-not" hidden=move || is_live() || why_not.with(Option::is_none)>
                {move || why_not.get()}
            </p>
            <progress max="100" prop:value=move || done.get() aria-label=t.progress></progress>
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
        Stage::Preparing if app.is_checking() => t.checking.into(),
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
        (Stage::Done, None) if start.first_step >= start.steps => t.was_complete.into(),
        (Stage::Done, None) => fill(t.done_steps, &[&grouped(start.steps as i64)]),
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
