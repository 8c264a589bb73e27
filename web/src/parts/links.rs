use leptos::html::Input;
use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::browser;
use crate::link::Settings;
use crate::parts::card::is_hidden;
use crate::parts::later::Fetched;
use crate::parts::tabs::{TABS, name_of};
use crate::text::Texts;

/// All that a link can hide, as links and as the page call it.
fn parts(t: &'static Texts) -> impl Iterator<Item = (&'static str, &'static str)> {
    let beside = [("settings", t.settings), ("strip", t.strip), ("sketch", t.sketch), ("charts", t.charts)];
    beside.into_iter().chain(TABS.map(|tab| (tab, name_of(tab, t))))
}

/// Makes a link for a lesson: what it hides, and what it brings along.
#[component]
fn Links() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    // Who has opened a lesson's link goes on from it.
    let parts: Vec<_> =
        parts(t).map(|(name, title)| (name, title, RwSignal::new(untrack(|| is_hidden(app, name))))).collect();
    let [with_settings, with_engine] = [(); 2].map(|()| RwSignal::new(true));
    let ticks = parts.iter().map(|(name, title, hidden)| tick(name, title, *hidden)).collect_view();
    let link = Memo::new(move |_| {
        let hide = parts.iter().filter(|(_, _, hidden)| hidden.get()).map(|(name, ..)| (*name).to_owned()).collect();
        let chosen = app.choice.settings.get();
        let lesson = Settings { hide, engine: chosen.engine.filter(|_| with_engine.get()), ..chosen };
        browser::address_of(&if with_settings.get() { lesson.to_link() } else { lesson.to_link_without_run() })
    });
    // Where none is chosen, the page takes the best in any case.
    let has_engine = Memo::new(move |_| app.choice.settings.with(|settings| settings.engine.is_some()));
    let field = NodeRef::<Input>::new();
    let copied = RwSignal::new(None);
    let copy = move |_| {
        let is_there = browser::copy(&link.read_untracked());
        if let (false, Some(field)) = (is_there, field.get_untracked()) {
            let _ = field.focus(); // a field that is shown takes it
            field.select();
        }
        copied.set(Some((link.get_untracked(), if is_there { t.copied } else { t.links_selected })));
    };
    // Not of another link than the one that is there.
    let says = move || copied.get().filter(|(of, _)| *of == *link.read()).map(|(_, words)| words);
    view! {
        <div class="links">
            <p class="muted small">{t.links_hint}</p>
            <fieldset class="links-hide"><legend>{t.links_hide}</legend>{ticks}</fieldset>
            <fieldset>
                <legend>{t.links_with}</legend>
                {tick("with-settings", t.links_settings, with_settings)}
                {move || has_engine.get().then(|| tick("with-engine", t.links_engine, with_engine))}
            </fieldset>
            <label class="field">
                <span>{t.links_link}</span>
                <input type="text" id="lesson" readonly=true node_ref=field prop:value=move || link.get() />
            </label>
            <div class="files-buttons">
                <button id="copy-lesson" on:click=copy>{t.copy_link}</button>
                <a id="preview-lesson" target="_blank" rel="noopener" href=move || link.get()>{t.links_preview}</a>
            </div>
            <p class="small" role="status">{says}</p>
        </div>
    }
}

/// One thing that can be ticked.
fn tick(name: &'static str, title: &'static str, ticked: RwSignal<bool>) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="checkbox" name=name prop:checked=move || ticked.get()
                on:change=move |event| ticked.set(event_target_checked(&event))
            />
            {title}
        </label>
    }
}

/// Fetches [`Links`].
#[wasm_split(links, wasm_split_path = leptos::wasm_split, fallible)]
pub fn links() -> Fetched {
    Ok((|| view! { <Links /> }).into())
}
