use leptos::html::Dialog;
use leptos::prelude::*;

use crate::app::App;
use crate::browser;

/// Five steps through the page; each brings what it speaks of into view.
#[component]
pub fn Tour(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let dialog = NodeRef::<Dialog>::new();
    let at = RwSignal::new(0_usize);
    let steps = [
        (t.tour_1, t.tour_1_text, "controls"),
        (t.tour_2, t.tour_2_text, "chart"),
        (t.tour_3, t.tour_3_text, "sketch"),
        (t.tour_4, t.tour_4_text, "settings"),
        (t.tour_5, t.tour_5_text, "files"),
    ];
    let go = move |to: usize| {
        browser::point_out(Some(steps[to].2));
        at.set(to);
    };
    let end = move || {
        browser::remember("tour", "seen");
        browser::point_out(None);
        at.set(0);
        open.set(false);
    };
    Effect::new(move || match (dialog.get(), open.get()) {
        (Some(dialog), true) => {
            dialog.show(); // not modal: the page it speaks of stays in use
            let _ = dialog.focus();
        }
        (Some(dialog), false) => dialog.close(),
        (None, _) => {}
    });
    view! {
        <dialog class="tour card" node_ref=dialog aria-labelledby="tour-title" tabindex="-1"
            on:keydown=move |event| if event.key() == "Escape" { end() }>
            <p class="muted">{move || crate::format::fill(t.tour_place, &[&(at.get() + 1).to_string()])}</p>
            <h2 id="tour-title">{move || steps[at.get()].0}</h2>
            <p aria-live="polite">{move || steps[at.get()].1}</p>
            <div class="tour-buttons">
                <button class="quiet" on:click=move |_| end()>{t.close}</button>
                <button
                    disabled=move || at.get() == 0 on:click=move |_| go(at.get_untracked().saturating_sub(1))
                >
                    {t.tour_back}
                </button>
                <button
                    class="primary"
                    on:click=move |_| if at.get_untracked() + 1 < steps.len() { go(at.get_untracked() + 1) } else { end() }
                >
                    {move || if at.get() + 1 < steps.len() { t.tour_next } else { t.tour_end }}
                </button>
            </div>
        </dialog>
    }
}
