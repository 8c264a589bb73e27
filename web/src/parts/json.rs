use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::format::{fill, indented};
use crate::parts::later::Fetched;

/// The whole run as JSON, to be edited.
#[component]
fn Json() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let json = RwSignal::new(app.choice.settings.with_untracked(|settings| indented(&settings.json())));
    let refused = RwSignal::new(None::<String>);
    let apply = move |_| refused.set(app.open_config(&json.read_untracked()).err());
    view! {
        <p class="muted">{t.edit_hint}</p>
        <textarea rows="16" spellcheck="false" aria-label=t.edit_json prop:value=move || json.get()
            on:input=move |event| json.set(event_target_value(&event))></textarea>
        <p class="problem" role="alert">{move || refused.get().map(|message| fill(t.refused, &[&message]))}</p>
        <button on:click=apply>{t.apply}</button>
    }
}

/// Fetches [`Json`].
#[wasm_split(json, wasm_split_path = leptos::wasm_split, fallible)]
pub fn json() -> Fetched {
    Ok((|| view! { <Json /> }).into())
}
