use leptos::prelude::*;

use crate::app::App;
use crate::browser;
use crate::text::Language;

/// Values of the switch for the appearance: what the root element's `data-theme` becomes.
const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// The title, and switches for language and appearance.
#[component]
pub fn Header(
    /// Opens the tour.
    #[prop(into)]
    on_tour: Callback<()>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let theme = RwSignal::new(browser::recall("theme").unwrap_or_else(|| "auto".into()));
    Effect::new(move || {
        let _ = browser::root().set_attribute("data-theme", &theme.read());
        browser::remember("theme", &theme.read());
    });
    Effect::new(move || {
        let language = app.language.get();
        browser::root().set_lang(language.tag());
        document().set_title(language.texts().title);
    });
    let t = move || app.texts();
    let choose = move |event| {
        let language = if event_target_value(&event) == "zh-Hans" { Language::Chinese } else { Language::English };
        browser::remember("language", language.tag());
        app.language.set(language);
    };
    let themes = move || {
        THEMES
            .into_iter()
            .zip([t().theme_auto, t().theme_light, t().theme_dark])
            .map(move |(value, name)| {
                view! { <option value=value selected=move || *theme.read() == value>{name}</option> }
            })
            .collect_view()
    };
    view! {
        <a class="skip" href="#results" on:click=move |event| {
            event.prevent_default(); // the address holds the settings
            browser::focus("results");
        }>{move || t().skip}</a>
        <header class="header">
            <div class="header-title">
                <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
                    <path d="M3 5c5 0 6 20 12 21c5 1 8 1 14 1" />
                    <circle cx="3" cy="5" r="2.5" /><circle cx="12" cy="23" r="2.5" /><circle cx="29" cy="27" r="2.5" />
                </svg>
                <div>
                    <h1>{move || t().title}</h1>
                    <p>{move || t().tagline}</p>
                </div>
            </div>
            <div class="header-switches">
                <button class="quiet" on:click=move |_| on_tour.run(())>{move || t().tour}</button>
                <label>
                    <span class="hidden">{move || t().language}</span>
                    <select on:change=choose>
                        <option
                            value="en" lang="en" selected=move || app.language.get() == Language::English
                        >
                            "English"
                        </option>
                        <option
                            value="zh-Hans" lang="zh-Hans" selected=move || app.language.get() == Language::Chinese
                        >
                            "简体中文"
                        </option>
                    </select>
                </label>
                <label>
                    <span class="hidden">{move || t().theme}</span>
                    <select on:change=move |event| theme.set(event_target_value(&event))>{themes}</select>
                </label>
            </div>
        </header>
    }
}
