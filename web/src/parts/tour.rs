use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::browser;
use crate::format::fill;
use crate::parts::card::is_hidden;
use crate::parts::later::Fetched;
use crate::parts::tabs::TABS;

/// Five steps through the page; each brings what it speaks of into view.
#[component]
fn Tour(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let dialog = NodeRef::<Dialog>::new();
    let at = RwSignal::new(0_usize);
    let all = [
        (t.tour_1, t.tour_1_text, "bar"),
        (t.tour_2, t.tour_2_text, "charts"),
        (t.tour_3, t.tour_3_text, "sketch"),
        (t.tour_4, t.tour_4_text, "settings"),
        (t.tour_5, t.tour_5_text, "files"),
    ];
    // What a lesson hides is not spoken of.
    let steps = move || all.into_iter().filter(|(_, _, part)| !is_hidden(app, part)).collect::<Vec<_>>();
    let step = move || steps()[at.get().min(steps().len() - 1)];
    let go = move |to: usize| {
        at.set(to);
        let part = step().2;
        if TABS.contains(&part) {
            app.choice.tab.set(part);
            browser::point_out(Some("tabs"));
        } else {
            browser::point_out(Some(part));
        }
    };
    let end = move || open.set(false);
    Effect::new(move || {
        if let Some(dialog) = dialog.get() {
            dialog.show(); // not modal: the page it speaks of stays in use
            let _ = dialog.focus();
        }
    });
    // Also where a key has ended it.
    on_cleanup(|| {
        browser::remember("tour", "seen");
        browser::point_out(None);
        browser::to_top();
        browser::refocus("train");
    });
    view! {
        <dialog class="tour card" node_ref=dialog aria-labelledby="tour-title" tabindex="-1">
            <p class="muted">{move || fill(t.tour_place, &[&(at.get() + 1).to_string(), &steps().len().to_string()])}</p>
            <h2 id="tour-title">{move || step().0}</h2>
            <p aria-live="polite">{move || step().1}</p>
            <div class="tour-buttons">
                <button class="quiet" on:click=move |_| end()>{t.close}</button>
                <button
                    disabled=move || at.get() == 0 on:click=move |_| go(at.get_untracked().saturating_sub(1))
                >
                    {t.tour_back}
                </button>
                <button
                    class="primary"
                    on:click=move |_| if at.get_untracked() + 1 < steps().len() { go(at.get_untracked() + 1) } else { end() }
                >
                    {move || if at.get() + 1 < steps().len() { t.tour_next } else { t.tour_end }}
                </button>
            </div>
        </dialog>
    }
}

/// Fetches [`Tour`].
#[wasm_split(tour, wasm_split_path = leptos::wasm_split, fallible)]
pub fn tour(open: RwSignal<bool>) -> Fetched {
    Ok((move || view! { <Tour open /> }).into())
}
