use leptos::prelude::*;

use crate::app::App;
use crate::format::{fill, percent};
use crate::mistakes::{MOST, Mistake};
use crate::parts::hint::Card;
use crate::parts::picture::Picture;

/// The test images that the network is most wrong about; one that is clicked goes to the drawing board.
#[component]
pub fn Mistakes() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let one = move |mistake: Mistake| {
        let (label, answer) = (mistake.label.to_string(), mistake.answer.to_string());
        let says = fill(t.mistakes_one, &[&label, &answer, &percent(mistake.sure.into())]);
        let pixels = Signal::stored(Some(mistake.picture.clone()));
        let take = move |_| app.to_board.set(Some(mistake.picture.clone()));
        view! {
            <li>
                <button class="quiet" aria-label=says on:click=take>
                    <Picture pixels width=data::SIDE />
                    <span aria-hidden="true">{label}" → "<b>{answer}</b></span>
                </button>
            </li>
        }
    };
    // As many places as there can be, so that nothing moves when they fill.
    let list = move || {
        let mistakes = app.mistakes.get().unwrap_or_default();
        let empty = mistakes.len()..MOST;
        let empty = empty.map(|_| view! { <li aria-hidden="true"><span class="picture"></span><span>"–"</span></li> });
        view! { {mistakes.into_iter().map(one).collect_view()} {empty.collect_view()} }
    };
    let about = move || match app.mistakes.with(|mistakes| mistakes.as_ref().map(Vec::len)) {
        None => t.mistakes_empty,
        Some(0) => t.confusion_none,
        Some(_) => "",
    };
    view! {
        <Card name="mistakes" title=t.mistakes hint=t.mistakes_hint>
            <p class="strip-score muted">{about}</p>
            <ol>{list}</ol>
        </Card>
    }
}
