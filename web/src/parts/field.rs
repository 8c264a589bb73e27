use leptos::prelude::*;
use protocol::RunConfig;

use crate::app::App;
use crate::signals::Refused;

/// A control with its label; help follows the focus.
#[component]
pub fn Field(
    /// What is chosen.
    label: &'static str,
    /// What it means.
    hint: &'static str,
    /// Whether it takes a whole line.
    #[prop(optional)]
    wide: bool,
    /// Whether it waits for the next run.
    #[prop(optional, into)]
    changed: Signal<bool>,
    children: Children,
) -> impl IntoView {
    let topic = expect_context::<App>().choice.topic;
    view! {
        <label class="field" class:wide=wide class:changed=move || changed.get() on:focusin=move |_| topic.set(Some((label, hint)))>
            <span>{label}</span>
            {children()}
        </label>
    }
}

/// A number of the configuration. What is not accepted stays as it was typed, and nothing is trained until it is mended.
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
    /// Whether it takes a whole line.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let app = expect_context::<App>();
    let refused = app.choice.refused;
    let typed = move || refused.with(|refused| refused.get(path).map(|one| one.typed.clone()));
    let shown =
        Memo::new(move |_| typed().unwrap_or_else(|| app.choice.settings.with(|settings| value(&settings.config))));
    let message = Memo::new(move |_| refused.with(|refused| refused.get(path).map(|one| one.message.clone())));
    let changed = Memo::new(move |_| {
        let wanted = app.choice.settings.with(|settings| value(&settings.config));
        app.run.state.with(|state| match (&state.start, state.stage.is_live() && app.waits_for_next(path)) {
            (Some(start), true) => value(&start.config) != wanted,
            _ => false,
        })
    });
    let change = move |event| {
        let typed = event_target_value(&event);
        match app.set_typed(path, &typed) {
            Ok(()) => drop(refused.try_update(|refused| refused.remove(path))),
            Err(message) => refused.update(|refused| {
                refused.insert(path, Refused { label, typed, message });
            }),
        }
    };
    on_cleanup(move || drop(refused.try_update(|refused| refused.remove(path))));
    let id = format!("refused-{path}");
    let described_by = id.clone();
    view! {
        <div class="entry" class:wide=wide>
            <Field label hint changed>
                <input
                    type="text" inputmode="decimal" autocomplete="off" prop:value=move || shown.get() on:change=change
                    name=path aria-invalid=move || message.read().is_some().to_string() aria-describedby=described_by
                />
            </Field>
            <p class="problem refused" id=id role="alert">{move || message.get()}</p>
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
    /// Whether it takes a whole line.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let option = move |(value, text): (String, String)| {
        let selected = chosen.with(|chosen| *chosen == value);
        view! { <option disabled=value.is_empty() value=value selected=selected>{text}</option> }
    };
    view! {
        <Field label hint wide>
            <select name=name on:change=move |event| on_choose.run(event_target_value(&event))>
                {move || options.get().into_iter().map(option).collect_view()}
            </select>
        </Field>
    }
}
