use leptos::prelude::*;

use crate::app::App;
use crate::drawing::Doubt;
use crate::format::{fill, percent};
use crate::parts::strip::best;

/// What the network says of the drawing: a bar for each digit.
#[component]
pub fn Answer() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let score = move |class: usize| app.questions.guess.with(|guess| guess.as_ref()?.get(class).copied());
    let answer = Memo::new(move |_| app.questions.guess.with(|guess| guess.as_deref().map(best)));
    let says = move || match (answer.get(), app.questions.drawing.with(Option::is_some)) {
        (Some(_), _) if app.questions.doubt.get() == Some(Doubt::Small) => t.doubt_small.into(),
        (Some(_), _) if app.questions.doubt.get() == Some(Doubt::Full) => t.doubt_full.into(),
        (Some(class), _) => {
            let share = percent(score(class).unwrap_or_default().into());
            fill(t.answer_is, &[&class.to_string(), &share])
        }
        (None, true) => t.answer_none.into(),
        (None, false) => t.sketch_blank.into(),
    };
    let bar = move |class: usize| {
        let part = Memo::new(move |_| score(class).unwrap_or_default().clamp(0.0, 1.0));
        view! {
            <li class:best=move || answer.get() == Some(class)>
                <b>{class}</b>
                <span class="bar"><i style:transform=move || format!("scaleX({})", part.get())></i></span>
                <span class="value">{move || score(class).map_or(t.no_value.into(), |score| percent(score.into()))}</span>
            </li>
        }
    };
    view! {
        <div class="answer">
            <p id="answer">{says}</p>
            <ol aria-label=t.answers>{(0..10).map(bar).collect_view()}</ol>
        </div>
    }
}
