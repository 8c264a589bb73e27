use leptos::prelude::*;

use crate::app::App;
use crate::browser;
use crate::format::fill;
use crate::parts::card::{Card, is_hidden};
use crate::parts::picture::Picture;
use crate::parts::tabs::TABS;
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
    let all = [
        (t.next_draw, "sketch", "board"),
        (t.next_mistakes, "mistakes", "tab-mistakes"),
        (t.next_change, "settings", "settings-title"),
        (t.next_compare, "runs", "tab-runs"),
    ];
    let one = move |(words, part, place): (&'static str, &'static str, &'static str)| {
        let go = move |_| {
            if TABS.contains(&part) {
                app.choice.tab.set(part);
            }
            browser::focus(place);
        };
        view! { <button class="quiet" on:click=go>{words}</button> }
    };
    // What a lesson hides is not offered.
    let there = move || all.into_iter().filter(|(_, part, _)| !is_hidden(app, part)).collect::<Vec<_>>();
    move || match there() {
        there if there.is_empty() => None,
        there => Some(view! { <b>{t.what_next}</b> {there.into_iter().map(one).collect_view()} }),
    }
}

/// The class with the largest score.
pub fn best(scores: &[f32]) -> usize {
    scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}
