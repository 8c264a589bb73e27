use leptos::prelude::*;

use crate::app::App;
use crate::browser;
use crate::parts::card::is_hidden;
use crate::parts::confusion::confusion;
use crate::parts::device::devices;
use crate::parts::files::files_panel;
use crate::parts::images::images;
use crate::parts::later::Later;
use crate::parts::mistakes::Mistakes;
use crate::parts::nearest::nearest;
use crate::parts::network::layers;
use crate::parts::runs::runs;
use crate::parts::timing::timing;
use crate::text::Texts;

/// Names of the tabs, as links hide them.
pub const TABS: [&str; 9] =
    ["mistakes", "confusion", "nearest", "images", "network", "timing", "runs", "files", "device"];

/// What the page calls a tab.
pub fn name_of(tab: &str, t: &'static Texts) -> &'static str {
    match tab {
        "mistakes" => t.mistakes,
        "confusion" => t.confusion,
        "nearest" => t.nearest,
        "images" => t.images,
        "network" => t.network,
        "timing" => t.timing,
        "runs" => t.runs,
        "files" => t.files,
        _ => t.device,
    }
}

/// What one looks at more closely, one at a time; each is made when it is opened.
#[component]
pub fn Tabs() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let there = Memo::new(move |_| TABS.into_iter().filter(|name| !is_hidden(app, name)).collect::<Vec<_>>());
    let open = Memo::new(move |_| {
        let wanted = app.choice.tab.get();
        there.with(|there| there.iter().copied().find(|name| *name == wanted).or(there.first().copied()))
    });
    let go = move |event: web_sys::KeyboardEvent| {
        let (all, Some(now)) = (there.get_untracked(), open.get_untracked()) else { return };
        let at = all.iter().position(|name| *name == now).unwrap_or_default();
        let to = match event.key().as_str() {
            "ArrowRight" => (at + 1) % all.len(),
            "ArrowLeft" => (at + all.len() - 1) % all.len(),
            "Home" => 0,
            "End" => all.len() - 1,
            _ => return,
        };
        event.prevent_default();
        app.choice.tab.set(all[to]);
        browser::refocus(&format!("tab-{}", all[to]));
    };
    let tab = move |name: &'static str| {
        let is_open = move || open.get() == Some(name);
        view! {
            <button
                role="tab" id=format!("tab-{name}") aria-controls="tab-panel" aria-selected=move || is_open().to_string()
                tabindex=move || if is_open() { "0" } else { "-1" } on:click=move |_| app.choice.tab.set(name)
            >
                {name_of(name, t)}
            </button>
        }
    };
    let panel = move || match open.get() {
        Some("mistakes") => view! { <Mistakes /> }.into_any(),
        Some("confusion") => view! { <Later part=confusion /> }.into_any(),
        Some("nearest") => view! { <Later part=nearest /> }.into_any(),
        Some("images") => view! { <Later part=images /> }.into_any(),
        Some("network") => view! { <Later part=layers /> }.into_any(),
        Some("timing") => view! { <Later part=timing /> }.into_any(),
        Some("runs") => view! { <Later part=runs /> }.into_any(),
        Some("files") => view! { <Later part=files_panel /> }.into_any(),
        Some(_) => view! { <Later part=devices /> }.into_any(),
        None => ().into_any(),
    };
    let label = move || open.get().map(|name| format!("tab-{name}"));
    view! {
        <section class="tabs card" id="tabs" aria-label=t.closer hidden=move || there.with(Vec::is_empty)>
            <div class="tabs-list" role="tablist" aria-label=t.closer on:keydown=go>
                {move || there.get().into_iter().map(tab).collect_view()}
            </div>
            <div class="tabs-panel" id="tab-panel" role="tabpanel" aria-labelledby=label>{panel}</div>
        </section>
    }
}
