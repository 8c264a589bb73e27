use leptos::html::Dialog;
use leptos::prelude::*;

use crate::app::App;
use crate::browser;

/// Five steps through the page; each brings what it speaks of into view.
#[component]
pub fn Tour(
    /// Counts how often it was asked for.
    #[prop(into)]
    asked: Signal<u32>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let dialog = NodeRef::<Dialog>::new();
    let at = RwSignal::new(0_usize);
    let steps = [
        (t.tour_1, t.tour_1_text, "controls"), (t.tour_2, t.tour_2_text, "chart"), (t.tour_3, t.tour_3_text, "sketch"),
        (t.tour_4, t.tour_4_text, "settings"), (t.tour_5, t.tour_5_text, "files"),
    ];
    let go = move |to: usize| {
        browser::point_out(Some(steps[to].2));
        at.set(to);
    };
    let end = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    Effect::new(move |before: Option<u32>| {
        let asked = asked.get();
        if let Some(dialog) = dialog.get().filter(|_| before.is_some_and(|before| before != asked)) {
            dialog.show(); // not modal: the page it speaks of stays in use
            let _ = dialog.focus();
            go(0);
        }
        asked
    });
    view! {
        <dialog class="tour card" node_ref=dialog aria-labelledby="tour-title" tabindex="-1"
            on:close=move |_| browser::point_out(None)
            on:keydown=move |event| if event.key() == "Escape" { end() }>
            <p class="muted">{move || crate::format::fill(t.tour_place, &[&(at.get() + 1).to_string()])}</p>
            <h2 id="tour-title">{move || steps[at.get()].0}</h2>
            <p aria-live="polite">{move || steps[at.get()].1}</p>
            <div class="tour-buttons">
                <button class="quiet" on:click=move |_| end()>{t.close}</button>
                <button disabled=move || at.get() == 0 on:click=move |_| go(at.get_untracked().saturating_sub(1))>{t.tour_back}</button>
                <button class="primary" on:click=move |_| if at.get_untracked() + 1 < steps.len() { go(at.get_untracked() + 1) } else { end() }>
                    {move || if at.get() + 1 < steps.len() { t.tour_next } else { t.tour_end }}
                </button>
            </div>
        </dialog>
    }
}
