use leptos::prelude::*;

use crate::app::App;
use crate::format::fill;

/// A short explanation that opens beside what it explains.
#[component]
pub fn Hint(
    /// What is explained.
    of: &'static str,
    /// The explanation.
    text: &'static str,
) -> impl IntoView {
    let t = expect_context::<App>().language.get_untracked().texts();
    view! {
        <details class="hint" name="hint">
            <summary aria-label=fill(t.help, &[of])>"?"</summary>
            <p>{text}</p>
        </details>
    }
}

/// A card with a heading, its explanation, and what it shows.
#[component]
pub fn Card(
    /// Its style, and the id of the section.
    name: &'static str,
    /// The heading.
    title: &'static str,
    /// What it is.
    #[prop(optional)]
    hint: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let settings = expect_context::<App>().choice.settings;
    let hidden = move || settings.with(|settings| settings.hide.iter().any(|hidden| hidden == name));
    view! {
        <section hidden=hidden class=format!("card {name}") aria-labelledby=format!("{name}-title")>
            <div class="card-head">
                <h2 id=format!("{name}-title")>{title}</h2>
                {hint.map(|text| view! { <Hint of=title text /> })}
            </div>
            {children()}
        </section>
    }
}
