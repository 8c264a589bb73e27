use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::HtmlSelectElement;

use crate::app::App;
use crate::browser;
use crate::notice::Notice;
use crate::parts::icon::{Icon, Sign};
use crate::text::Language;

/// Appearances: what the root element's `data-theme` becomes.
const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// The title, and switches for language, appearance and help.
#[component]
pub fn Header(
    /// Whether help is shown.
    help: RwSignal<bool>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let theme = RwSignal::new(browser::recall("theme").unwrap_or_else(|| "auto".into()));
    Effect::new(move || {
        let _ = browser::root().set_attribute("data-theme", &theme.read());
        browser::remember("theme", &theme.read());
    });
    Effect::new(move || browser::root().set_lang(app.language.get().tag()));
    let t = move || app.texts();
    let choose = move |event| {
        let select: HtmlSelectElement = event_target(&event);
        spawn_local(async move {
            match browser::language(&select.value()).await {
                Ok(language) => {
                    browser::remember("language", language.tag());
                    app.language.set(language);
                }
                Err(name) => {
                    app.notice.set(Some(Notice::NoTexts(name)));
                    select.set_value(app.language.get_untracked().tag());
                }
            }
        });
    };
    let english = Language::ENGLISH;
    let offered = browser::offers().into_iter().map(|offer| (offer.tag, offer.name));
    let languages = std::iter::once((english.tag().to_owned(), english.texts().language_name.to_owned()))
        .chain(offered)
        .map(|(tag, name)| {
            let spoken = app.language.get_untracked().tag() == tag;
            view! { <option value=tag.clone() lang=tag selected=spoken>{name}</option> }
        })
        .collect_view();
    let at = move || THEMES.iter().position(|name| *name == *theme.read()).unwrap_or_default();
    let theme_says = move || {
        let name = [t().theme_auto, t().theme_light, t().theme_dark][at()];
        format!("{}: {name}", t().theme)
    };
    let next_theme = move |_| theme.set(THEMES[(at() + 1) % THEMES.len()].into());
    view! {
        <a class="skip" href="#strip" on:click=move |event| {
            event.prevent_default(); // the address holds the settings
            browser::focus("strip-title");
        }>{move || t().skip}</a>
        <header class="header">
            <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
                <path d="M3 5c5 0 6 20 12 21c5 1 8 1 14 1" />
            </svg>
            <div class="header-title">
                <h1>{move || t().title}</h1>
                <p class="header-run">{move || t().tagline}</p>
            </div>
            <div class="header-switches">
                <label>
                    <span class="hidden">{move || t().language}</span>
                    <select id="language" on:change=choose>{languages}</select>
                </label>
                <button class="quiet" id="theme" aria-label=theme_says title=theme_says on:click=next_theme>
                    <Icon sign=Sign::Theme /><span class="word">{move || t().theme}</span>
                </button>
                <button
                    class="quiet" id="help-button" aria-expanded=move || help.get().to_string() aria-controls="help"
                    aria-label=move || t().help on:click=move |_| help.update(|help| *help = !*help)
                >
                    <b aria-hidden="true">"?"</b><span class="word">{move || t().help}</span>
                </button>
            </div>
        </header>
    }
}
