use leptos::prelude::*;

use crate::app::App;
use crate::format::fill;
use crate::nearest::{ASKED, vote};
use crate::parts::gallery::{Gallery, labelled};
use crate::parts::hint::Hint;

/// The training images nearest to the drawing, and what they say of it.
#[component]
pub fn Nearest() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let shown = move || labelled(app.questions.nearest.get(), t);
    let says = move || {
        let labels = app.questions.nearest.get().labels;
        match vote(&labels) {
            Some((label, count)) => {
                fill(t.nearest_vote, &[&count.to_string(), &labels.len().to_string(), &label.to_string()])
            }
            None => t.nearest_none.into(),
        }
    };
    view! {
        <div class="nearest">
            <div class="card-head"><h3>{t.nearest}</h3><Hint of=t.nearest text=t.nearest_hint /></div>
            <p class="muted" id="nearest">{says}</p>
            <Gallery shown=Box::new(shown) places=ASKED as usize />
        </div>
    }
}
