use leptos::prelude::*;

use crate::app::App;
use crate::format::{duration, number, percent};
use crate::state::RunState;

/// The run in a row of numbers.
#[component]
pub fn Figures() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let figure = move |name: &'static str, value: fn(&RunState) -> Option<String>| {
        let value = Memo::new(move |_| app.run.state.with(value).unwrap_or_else(|| t.no_value.into()));
        view! { <div><dt>{name}</dt><dd>{move || value.get()}</dd></div> }
    };
    view! {
        <dl class="figures card">
            {figure(t.accuracy, |state| state.accuracy_now().map(percent))}
            {figure(t.loss, |state| state.loss.recent(20).map(number))}
            {figure(t.images_a_second, |state| state.images_per_second().map(number))}
            {figure(t.step_time, |state| state.speed().map(|speed| duration(1.0 / speed)))}
            {figure(t.gradient_norm, |state| state.gradient_norm.recent(1).map(number))}
            {figure(t.current_rate, |state| state.rate.map(|rate| number(rate.into())))}
        </dl>
    }
}
