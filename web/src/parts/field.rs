use leptos::prelude::*;
use protocol::RunConfig;

use crate::app::App;
use crate::format::fill;
use crate::parts::hint::Hint;

/// A control with its label and explanation.
#[component]
pub fn Field(
    /// What is chosen.
    label: &'static str,
    /// What it means.
    hint: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field">
            <label><span>{label}</span>{children()}</label>
            <Hint of=label text=hint />
        </div>
    }
}

/// A number of the configuration.
#[component]
pub fn Entry(
    /// What it is.
    label: &'static str,
    /// What it means.
    hint: &'static str,
    /// Where it is in the configuration.
    path: &'static str,
    /// How it is read; an empty text stands for none.
    value: fn(&RunConfig) -> String,
    /// What an arrow key adds, or `any`.
    #[prop(default = "1")]
    step: &'static str,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let refused = RwSignal::new(None::<String>);
    let shown = Memo::new(move |_| app.choice.settings.with(|settings| value(&settings.config)));
    let change = move |event| {
        let typed = event_target_value(&event);
        let json = if typed.trim().is_empty() { "null" } else { typed.trim() };
        let is_empty = json == "null";
        refused.set(app.set(path, json).err().map(|message| if is_empty { t.need_number.into() } else { message }));
    };
    let id = format!("refused-{path}");
    let described_by = id.clone();
    view! {
        <div class="entry">
            <Field label hint>
                <input
                    type="number" step=step inputmode="decimal" prop:value=move || shown.get() on:change=change
                    name=path aria-invalid=move || refused.read().is_some().to_string()
                    aria-describedby=described_by
                />
            </Field>
            <p class="problem refused" id=id role="alert">
                {move || refused.get().map(|message| fill(t.refused, &[&message]))}
            </p>
        </div>
    }
}

/// One of several.
#[component]
pub fn Choice(
    /// What is chosen.
    label: &'static str,
    /// What it means.
    hint: &'static str,
    /// Its name, for scripts.
    name: &'static str,
    /// Value and text of each; those with an empty value cannot be chosen.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
    /// The value that is chosen.
    #[prop(into)]
    chosen: Signal<String>,
    /// Gets the value that the visitor chooses.
    #[prop(into)]
    on_choose: Callback<String>,
) -> impl IntoView {
    let option = move |(value, text): (String, String)| {
        let selected = chosen.with(|chosen| *chosen == value);
        view! { <option disabled=value.is_empty() value=value selected=selected>{text}</option> }
    };
    view! {
        <Field label hint>
            <select name=name on:change=move |event| on_choose.run(event_target_value(&event))>
                {move || options.get().into_iter().map(option).collect_view()}
            </select>
        </Field>
    }
}
