use leptos::prelude::*;

use crate::app::App;
use crate::format::fill;
use crate::parts::picture::Picture;
use crate::signals::Samples;
use crate::text::Texts;

/// A picture to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Bytes row by row.
    pub picture: Vec<u8>,
    /// Pixels a row.
    pub width: usize,
    /// What a click does, for those who do not see it.
    pub says: String,
    /// What stands below it.
    pub label: String,
    /// Behind that, if it is something else: what it was taken for.
    pub answer: String,
}

/// Images and what they are.
pub fn labelled(Samples { size, pictures, labels }: Samples, t: &Texts) -> Vec<Shown> {
    let one = |(picture, label): (Vec<u8>, u8)| {
        let label = label.to_string();
        Shown { picture, width: size[1], says: fill(t.to_board, &[&label]), label, answer: String::new() }
    };
    pictures.into_iter().zip(labels).map(one).collect()
}

/// Pictures side by side; one that is clicked goes to the drawing board.
#[component]
pub fn Gallery(
    /// What is shown; asked again when a signal that it reads changes.
    shown: Box<dyn Fn() -> Vec<Shown> + Send + Sync>,
    /// As many places as there can be, so that nothing moves when they fill.
    places: usize,
) -> impl IntoView {
    let app = expect_context::<App>();
    let one = move |Shown { picture, width, says, label, answer }: Shown| {
        let pixels = Signal::stored(Some(picture.clone()));
        view! {
            <li>
                <button class="quiet" aria-label=says on:click=move |_| app.put_on_board(&picture)>
                    <Picture pixels width />
                    <span aria-hidden="true">{label}<b>{answer}</b></span>
                </button>
            </li>
        }
    };
    let list = move || {
        let shown = shown();
        let empty = (shown.len()..places)
            .map(|_| view! { <li aria-hidden="true"><span class="picture"></span><span>"–"</span></li> });
        view! { {shown.into_iter().map(one).collect_view()} {empty.collect_view()} }
    };
    view! { <ol class="gallery">{list}</ol> }
}
