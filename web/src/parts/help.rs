use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::browser;
use crate::parts::later::Fetched;

/// Explanations in one place: of what has the focus, and of everything.
#[component]
fn Help(
    /// Whether it is shown.
    open: RwSignal<bool>,
    /// Whether the tour is.
    tour: RwSignal<bool>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let topics = [
        (t.data, t.data_hint),
        (t.preset, t.preset_hint),
        (t.engine, t.engine_hint),
        (t.optimizer, t.optimizer_hint),
        (t.schedule, t.schedule_hint),
        (t.rate, t.rate_hint),
        (t.batch, t.batch_hint),
        (t.epochs, t.epochs_hint),
        (t.seed, t.seed_hint),
        (t.momentum, t.momentum_hint),
        (t.evaluate_every, t.evaluate_hint),
        (t.warm_up, t.warm_up_hint),
        (t.loss, t.loss_hint),
        (t.accuracy, t.accuracy_hint),
        (t.strip, t.strip_hint),
        (t.sketch, t.sketch_hint),
        (t.precision, t.precision_hint),
        (t.recall, t.recall_hint),
    ];
    let now = move || {
        app.choice.topic.get().map(|(name, text)| view! { <div class="help-now"><h3>{name}</h3><p>{text}</p></div> })
    };
    let keys = move |event| {
        let on = event_target_checked(&event);
        browser::remember("keys", if on { "true" } else { "false" });
        app.choice.keys.set(on);
    };
    let start_tour = move |_| {
        open.set(false);
        tour.set(true);
    };
    view! {
        <aside class="help card" id="help" aria-labelledby="help-title" tabindex="-1">
            <div class="card-head">
                <h2 id="help-title">{t.help}</h2>
                <button class="quiet" on:click=move |_| open.set(false)>{t.close}</button>
            </div>
            {now}
            <p><button on:click=start_tour>{t.tour}</button></p>
            <h3>{t.shortcuts}</h3>
            <p>{t.shortcuts_text}</p>
            <label class="check"><input type="checkbox" id="keys" prop:checked=move || app.choice.keys.get() on:change=keys />{t.shortcuts_on}</label>
            <dl>{topics.map(|(name, text)| view! { <dt>{name}</dt><dd>{text}</dd> })}</dl>
        </aside>
    }
}

/// Fetches [`Help`].
#[wasm_split(help, wasm_split_path = leptos::wasm_split, fallible)]
pub fn help(open: RwSignal<bool>, tour: RwSignal<bool>) -> Fetched {
    Ok((move || view! { <Help open tour /> }).into())
}
