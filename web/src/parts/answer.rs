use leptos::prelude::*;

use crate::app::App;
use crate::drawing::Doubt;
use crate::format::{fill, percent};
use crate::parts::strip::best;

/// What the network says of the drawing, in a sentence.
#[component]
pub fn Says() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let says = Memo::new(move |_| {
        let guess = app.questions.guess.get();
        let (doubt, is_drawn) = (app.questions.doubt.get(), app.questions.drawing.with(Option::is_some));
        match guess.as_deref() {
            Some(_) if doubt == Some(Doubt::Small) => (t.doubt_small.into(), String::new()),
            Some(_) if doubt == Some(Doubt::Full) => (t.doubt_full.into(), String::new()),
            Some(scores) => {
                let class = best(scores);
                let share = percent(scores.get(class).copied().unwrap_or_default().into());
                (fill(t.answer_is, &[&class.to_string()]), fill(t.answer_score, &[&share]))
            }
            None if is_drawn => (t.answer_none.into(), String::new()),
            None => (t.sketch_blank.into(), String::new()),
        }
    });
    view! {
        <p id="answer" translate="no"><b>{move || says.with(|says| says.0.clone())}</b>" "<span class="muted">{move || says.with(|says| says.1.clone())}</span></p>
    }
}

/// The scores of the drawing: a bar for each digit.
#[component]
pub fn Answer() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let score = move |class: usize| app.questions.guess.with(|guess| guess.as_ref()?.get(class).copied());
    let answer = Memo::new(move |_| app.questions.guess.with(|guess| guess.as_deref().map(best)));
    let bar = move |class: usize| {
        let part = Memo::new(move |_| score(class).unwrap_or_default().clamp(0.0, 1.0));
        view! {
            <li class:best=move || answer.get() == Some(class)>
                <span>{class}</span>
                <span class="track"><i style:transform=move || format!("scaleX({})", part.get())></i></span>
                <span>{move || score(class).map_or(t.no_value.into(), |score| percent(score.into()))}</span>
            </li>
        }
    };
    view! { <ol class="answers" aria-label=t.answers translate="no">{(0..10).map(bar).collect_view()}</ol> }
}
