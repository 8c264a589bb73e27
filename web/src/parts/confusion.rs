use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use protocol::Part;

use crate::app::App;
use crate::format::{fill, grouped};
use crate::parts::card::Panel;
use crate::parts::later::Fetched;
use crate::scores::{classes, worst};

/// Which digits are taken for which, and how good the network is at each.
#[component]
fn Confusion() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let matrix = Memo::new(move |_| app.run.state.with(|state| state.confusion.clone()));
    let of = move || match matrix.get() {
        None => t.confusion_empty.into(),
        Some((part, rows)) => {
            let part = match part {
                Part::Training => t.training,
                Part::Validation => t.validation,
                Part::Test => t.test,
            };
            let images: u64 = rows.iter().flatten().sum();
            let mistake = match worst(&rows) {
                None => t.confusion_none.into(),
                Some((label, answer, images)) => fill(
                    t.confusion_worst,
                    &[label, answer, images as usize].map(|n| n.to_string()).each_ref().map(String::as_str),
                ),
            };
            format!("{} {mistake}", fill(t.confusion_of, &[part, &grouped(images as i64)]))
        }
    };
    let cell = move |label: usize, answer: usize| {
        let at = Memo::new(move |_| {
            matrix.with(|matrix| {
                let row = &matrix.as_ref()?.1[label];
                Some((row[answer], row[answer] as f64 / row.iter().sum::<u64>().max(1) as f64))
            })
        });
        // Mistakes are few: their shade grows quickly.
        let shade =
            move || at.get().map_or(0.0, |(_, part)| if label == answer { 60.0 * part } else { 80.0 * part.sqrt() });
        view! {
            <td class:diagonal=label == answer style:--shade=move || format!("{:.0}%", shade())>
                {move || at.get().map_or(String::new(), |(images, _)| images.to_string())}
            </td>
        }
    };
    let row = move |label: usize| {
        view! {
            <tr><th scope="row">{label}</th>{(0..10).map(|answer| cell(label, answer)).collect_view()}</tr>
        }
    };
    let scores = Memo::new(move |_| matrix.with(|matrix| matrix.as_ref().map(|(_, rows)| classes(rows))));
    let class = move |class: usize| {
        let at = move || scores.with(|scores| scores.as_ref().and_then(|scores| scores.get(class).copied()));
        let part = |part: Option<f64>| part.map_or("–".to_owned(), |part| format!("{:.1}", 100.0 * part));
        view! {
            <tr>
                <th scope="row">{class}</th>
                <td>{move || part(at().and_then(|at| at.precision))}</td>
                <td>{move || part(at().and_then(|at| at.recall))}</td>
                <td>{move || part(at().and_then(|at| at.f1))}</td>
                <td>{move || at().map_or("–".to_owned(), |at| grouped(at.images as i64))}</td>
            </tr>
        }
    };
    let heads = [t.class, t.precision, t.recall, "F1", t.count].map(|name| view! { <th scope="col">{name}</th> });
    view! {
        <Panel name="confusion" hint=t.confusion_hint>
            <p class="confusion-of" translate="no">{of}</p>
            <div class="scores" translate="no">
                <table class="matrix">
                    <thead><tr><th scope="col">{t.actual}</th>{(0..10).map(|i| view! { <th scope="col">{i}</th> }).collect_view()}</tr></thead>
                    <tbody>{(0..10).map(row).collect_view()}</tbody>
                </table>
                <div>
                    <table class="classes">
                        <thead><tr>{heads}</tr></thead>
                        <tbody>{(0..10).map(class).collect_view()}</tbody>
                    </table>
                    <p class="muted small">{t.classes_hint}</p>
                </div>
            </div>
        </Panel>
    }
}

/// Fetches [`Confusion`].
#[wasm_split(confusion, wasm_split_path = leptos::wasm_split, fallible)]
pub fn confusion() -> Fetched {
    Ok((|| view! { <Confusion /> }).into())
}
