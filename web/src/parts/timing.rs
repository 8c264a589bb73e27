use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::format::{duration, number, percent};
use crate::parts::card::Panel;
use crate::parts::later::Fetched;
use crate::state::RunState;

/// How fast the run is, and where its time went.
#[component]
fn Timing() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let figure = move |name: &'static str, value: fn(&RunState) -> Option<String>| {
        let value = Memo::new(move |_| app.run.state.with(value).unwrap_or_else(|| t.no_value.into()));
        view! { <div><dt>{name}</dt><dd>{move || value.get()}</dd></div> }
    };
    let seconds = Memo::new(move |_| app.run.state.with(|state| state.seconds));
    let hidden = Memo::new(move |_| app.run.state.with(|state| state.hidden));
    let parts = Memo::new(move |_| {
        let s = seconds.get();
        [s.download, s.data, s.compile, s.upload, s.steps, s.readback, s.evaluation, s.aside, s.asleep]
    });
    let names = [
        t.time_download,
        t.time_data,
        t.time_compile,
        t.time_upload,
        t.time_steps,
        t.time_readback,
        t.time_evaluation,
        t.time_aside,
        t.time_asleep,
    ];
    let row = move |(i, name): (usize, &'static str)| {
        let value = move || parts.get()[i];
        let part = move || value() / parts.get().iter().sum::<f64>().max(1e-9);
        view! {
            <li>
                <span>{name}</span>
                <span class="track"><i style:transform=move || format!("scaleX({})", part())></i></span>
                <span class="value">{move || if value() > 0.0 { duration(value()) } else { t.no_value.into() }}</span>
                <span class="value">{move || if value() > 0.0 { percent(part()) } else { String::new() }}</span>
            </li>
        }
    };
    view! {
        <Panel name="timing" hint=t.timing_hint>
            <dl class="figures" translate="no">
                {figure(t.images_a_second, |state| state.images_per_second().map(number))}
                {figure(t.step_time, |state| state.speed().map(|speed| duration(1.0 / speed)))}
                {figure(t.gradient_norm, |state| state.gradient_norm.recent(1).map(number))}
                {figure(t.current_rate, |state| state.rate.map(|rate| number(rate.into())))}
            </dl>
            <ul translate="no">{names.into_iter().enumerate().map(row).collect_view()}</ul>
            <p class="muted small">{move || if hidden.get() { t.was_hidden } else { "" }}</p>
            <p class="muted small">{move || if seconds.get().asleep > 0.0 { t.was_asleep } else { "" }}</p>
        </Panel>
    }
}

/// Fetches [`Timing`].
#[wasm_split(timing, wasm_split_path = leptos::wasm_split, fallible)]
pub fn timing() -> Fetched {
    Ok((|| view! { <Timing /> }).into())
}
