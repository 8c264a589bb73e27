use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::format::fill;
use crate::nearest::{ASKED, vote};
use crate::parts::card::Panel;
use crate::parts::gallery::{Gallery, labelled};
use crate::parts::later::Fetched;

/// The training images nearest to the drawing, and what they say of it.
#[component]
fn Nearest() -> impl IntoView {
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
        <Panel name="nearest" hint=t.nearest_hint>
            <p id="nearest">{says}</p>
            <Gallery shown=Box::new(shown) places=ASKED as usize />
        </Panel>
    }
}

/// Fetches [`Nearest`].
#[wasm_split(nearest, wasm_split_path = leptos::wasm_split, fallible)]
pub fn nearest() -> Fetched {
    Ok((|| view! { <Nearest /> }).into())
}
