use leptos::prelude::*;

use crate::app::App;
use crate::format::{fill, percent};
use crate::mistakes::{MOST, Mistake};
use crate::parts::card::Panel;
use crate::parts::gallery::{Gallery, Shown};

/// The test images that the network is most wrong about.
#[component]
pub fn Mistakes() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let one = move |Mistake { label, answer, sure, picture }: Mistake| {
        let (label, answer) = (label.to_string(), answer.to_string());
        let says = fill(t.mistakes_one, &[&label, &answer, &percent(sure.into())]);
        Shown { picture, width: data::SIDE, says, label: label + " → ", answer }
    };
    let shown = move || app.questions.mistakes.get().unwrap_or_default().into_iter().map(one).collect::<Vec<_>>();
    let about = move || match app.questions.mistakes.with(|mistakes| mistakes.as_ref().map(Vec::len)) {
        None => t.mistakes_empty,
        Some(0) => t.confusion_none,
        Some(_) => "",
    };
    view! {
        <Panel name="mistakes" hint=t.mistakes_hint>
            <p class="strip-score muted">{about}</p>
            <Gallery shown=Box::new(shown) places=MOST />
        </Panel>
    }
}
