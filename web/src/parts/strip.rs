use leptos::prelude::*;

use crate::app::App;
use crate::format::fill;
use crate::parts::hint::Card;
use crate::parts::picture::Picture;
use crate::questions::SAMPLES;

/// Test digits, and what the network says of them now.
#[component]
pub fn Strip() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    // (label, answer)
    let read = Memo::new(move |_| {
        let labels = app.data.samples.with(|samples| samples.labels.clone());
        let answers =
            app.questions.answers.with(|answers| answers.iter().map(|scores| best(scores)).collect::<Vec<_>>());
        labels.into_iter().zip(answers).collect::<Vec<_>>()
    });
    let score = move || {
        read.with(|read| match read.len() {
            0 => t.strip_empty.into(),
            all => {
                let right = read.iter().filter(|(label, answer)| usize::from(*label) == *answer).count();
                fill(t.strip_right, &[&right.to_string(), &all.to_string()])
            }
        })
    };
    let one = move |i: usize| {
        let at = move || read.with(|read| read.get(i).copied());
        let right = move || at().map(|(label, answer)| usize::from(label) == answer);
        let pixels = Memo::new(move |_| app.data.samples.with(|samples| samples.pictures.get(i).cloned()));
        let width = 28;
        view! {
            <li class:right=move || right() == Some(true) class:wrong=move || right() == Some(false)>
                <Picture pixels width />
                <span aria-hidden="true">{move || match (at(), right()) {
                    (Some((_, answer)), Some(true)) => format!("{answer} ✓"),
                    (Some((_, answer)), _) => format!("{answer} ✗"),
                    (None, _) => t.no_value.into(),
                }}</span>
                <span class="hidden">{move || at().map(|(label, answer)| fill(t.strip_one, &[&label.to_string(), &answer.to_string()]))}</span>
            </li>
        }
    };
    view! {
        <Card name="strip" title=t.strip hint=t.strip_hint>
            <p class="strip-score muted">{score}</p>
            <ol>{(0..SAMPLES as usize).map(one).collect_view()}</ol>
        </Card>
    }
}

/// The class with the largest score.
pub fn best(scores: &[f32]) -> usize {
    scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}
