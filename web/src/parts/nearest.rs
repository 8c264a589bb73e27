use leptos::prelude::*;

use crate::app::{App, Samples};
use crate::format::fill;
use crate::nearest::{ASKED, vote};
use crate::parts::gallery::{Gallery, Shown};
use crate::parts::hint::Hint;

/// The training images nearest to the drawing, and what they say of it.
#[component]
pub fn Nearest() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let shown = move || {
        let Samples { size, pictures, labels } = app.nearest.get();
        let one = |(picture, label): (Vec<u8>, u8)| {
            let label = label.to_string();
            let says = fill(t.to_board, &[&label]);
            Shown { picture, width: size[1], says, label, answer: String::new() }
        };
        pictures.into_iter().zip(labels).map(one).collect::<Vec<_>>()
    };
    let says = move || {
        app.nearest.with(|nearest| match vote(&nearest.labels) {
            Some((label, count)) => {
                fill(t.nearest_vote, &[&count.to_string(), &nearest.labels.len().to_string(), &label.to_string()])
            }
            None => t.nearest_none.into(),
        })
    };
    view! {
        <div class="nearest">
            <div class="card-head"><h3>{t.nearest}</h3><Hint of=t.nearest text=t.nearest_hint /></div>
            <p class="muted" id="nearest">{says}</p>
            <Gallery shown=Signal::derive(shown) places=ASKED as usize />
        </div>
    }
}
