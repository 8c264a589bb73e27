use leptos::prelude::*;

use crate::app::App;
use crate::browser;
use crate::format::fill;
use crate::parts::card::Card;
use crate::parts::picture::Picture;
use crate::questions::SAMPLES;
use crate::state::Stage;

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
    let score = Signal::derive(move || {
        read.with(|read| match read.len() {
            0 => String::new(),
            all => {
                let right = read.iter().filter(|(label, answer)| usize::from(*label) == *answer).count();
                fill(t.strip_right, &[&right.to_string(), &all.to_string()])
            }
        })
    });
    let stage = Memo::new(move |_| app.run.state.with(|state| (state.stage, state.step > 0)));
    let untrained = move || !stage.get().1;
    let one = move |i: usize| {
        let at = move || read.with(|read| read.get(i).copied());
        let right = move || at().map(|(label, answer)| usize::from(label) == answer);
        let pixels = Memo::new(move |_| app.data.samples.with(|samples| samples.pictures.get(i).cloned()));
        let says = move || at().map(|(label, answer)| fill(t.strip_one, &[&label.to_string(), &answer.to_string()]));
        view! {
            <li class:right=move || right() == Some(true) class:wrong=move || right() == Some(false)>
                <Picture pixels width=data::SIDE />
                <b aria-hidden="true">{move || match (at(), right()) {
                    (Some((_, answer)), Some(true)) => format!("{answer}\u{a0}✓"),
                    (Some((_, answer)), _) => format!("{answer}\u{a0}✗"),
                    (None, _) => t.no_value.into(),
                }}</b>
                <span class="hidden">{says}</span>
            </li>
        }
    };
    let about = move || match (stage.get().0, read.with(Vec::is_empty)) {
        (_, true) => Some(t.strip_empty),
        _ if untrained() => Some(t.strip_untrained),
        _ => None,
    };
    let foot = move || match stage.get().0 {
        Stage::Done => view! { <Next /> }.into_any(),
        _ => about().into_any(),
    };
    view! {
        <Card name="strip" title=t.strip hint=t.strip_hint aside=score>
            <ol class:untrained=untrained translate="no">{(0..SAMPLES as usize).map(one).collect_view()}</ol>
            <div class="strip-foot small">{foot}</div>
        </Card>
    }
}

/// What to do with a network that has been trained.
#[component]
fn Next() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let look = move |name: &'static str| {
        move |_| {
            app.choice.tab.set(name);
            browser::focus(&format!("tab-{name}"));
        }
    };
    view! {
        <b>{t.what_next}</b>
        <button class="quiet" on:click=move |_| browser::focus("board")>{t.next_draw}</button>
        <button class="quiet" on:click=look("mistakes")>{t.next_mistakes}</button>
        <button class="quiet" on:click=move |_| browser::focus("settings-title")>{t.next_change}</button>
        <button class="quiet" on:click=look("runs")>{t.next_compare}</button>
    }
}

/// The class with the largest score.
pub fn best(scores: &[f32]) -> usize {
    scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}
