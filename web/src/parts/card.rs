use leptos::prelude::*;

use crate::app::App;

/// Whether a lesson does without a part of the page.
pub fn is_hidden(app: App, name: &str) -> bool {
    app.choice.settings.with(|settings| settings.hide.iter().any(|hidden| hidden == name))
}

/// A part of the page with a heading.
#[component]
pub fn Card(
    /// Its style, and the id of the section.
    name: &'static str,
    /// The heading.
    title: &'static str,
    /// What it is.
    hint: &'static str,
    /// What stands beside the heading.
    #[prop(optional, into)]
    aside: Signal<String>,
    children: Children,
) -> impl IntoView {
    let app = expect_context::<App>();
    view! {
        <section
            id=name hidden=move || is_hidden(app, name) class=format!("card {name}") aria-labelledby=format!("{name}-title")
            on:focusin=move |_| app.choice.topic.set(Some((title, hint)))
        >
            <div class="card-head">
                <h2 id=format!("{name}-title")>{title}</h2>
                <p class="card-aside" translate="no">{move || aside.get()}</p>
            </div>
            {children()}
        </section>
    }
}

/// What a tab shows: what it is, and then the thing itself.
#[component]
pub fn Panel(
    /// Its style.
    name: &'static str,
    /// What it is.
    hint: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class=format!("panel {name}")>
            <p class="muted small">{hint}</p>
            {children()}
        </div>
    }
}
