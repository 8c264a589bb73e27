use leptos::prelude::*;

use crate::app::App;
use crate::format::{duration, percent};
use crate::parts::hint::Card;

/// Where the time of the run went.
#[component]
pub fn Timing() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let seconds = Memo::new(move |_| app.run.state.with(|state| state.seconds));
    let hidden = Memo::new(move |_| app.run.state.with(|state| state.hidden));
    let parts = Memo::new(move |_| {
        let s = seconds.get();
        [s.download, s.data, s.compile, s.upload, s.steps, s.readback, s.evaluation]
    });
    let names =
        [t.time_download, t.time_data, t.time_compile, t.time_upload, t.time_steps, t.time_readback, t.time_evaluation];
    let row = move |(i, name): (usize, &'static str)| {
        let value = move || parts.get()[i];
        let part = move || value() / parts.get().iter().sum::<f64>().max(1e-9);
        view! {
            <li>
                <span>{name}</span>
                <span class="bar"><i style:transform=move || format!("scaleX({})", part())></i></span>
                <span class="value">{move || if value() > 0.0 { duration(value()) } else { t.no_value.into() }}</span>
                <span class="value">{move || if value() > 0.0 { percent(part()) } else { String::new() }}</span>
            </li>
        }
    };
    view! {
        <Card name="timing" title=t.timing hint=t.timing_hint>
            <ul>{names.into_iter().enumerate().map(row).collect_view()}</ul>
            <p class="muted">{move || if hidden.get() { t.was_hidden } else { "" }}</p>
        </Card>
    }
}
