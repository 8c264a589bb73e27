use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use plot::{Curve, Mark, Point, Series, Symbol};

use crate::app::App;
use crate::format::{fill, number};
use crate::kept::Kept;
use crate::parts::chart::{Chart, Content};
use crate::parts::later::Fetched;
use crate::state::{Evaluated, RunState, Stage};
use crate::text::Texts;

/// Loss and accuracy over the steps: training, validation, and the runs that are compared.
#[component]
fn Curves() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let content = move |curve: fn(&RunState) -> &Curve, value: fn(&Evaluated) -> f64| {
        Box::new(move || {
            let mut content = Content::default();
            app.run.finished.with_untracked(|runs| {
                for kept in runs.iter().filter(|kept| kept.shown) {
                    content.series.push(other(kept, curve, t));
                    content.last = content.last.max(steps(&kept.state));
                }
            });
            app.run.state.with_untracked(|state| {
                content.series.push(training(state, curve, t));
                content.series.push(validation(state, value, t));
                content.marks = marks(state, t);
                content.last = content.last.max(steps(state));
            });
            content
        })
    };
    let hair = RwSignal::new(None);
    view! {
        <Chart title=t.loss empty=t.loss_promise hair content=content(|state| &state.loss, |at| at.loss) />
        <Chart
            title=t.accuracy empty=t.accuracy_promise hair share=true
            content=content(|state| &state.accuracy, |at| at.accuracy)
        />
    }
}

/// Fetches [`Curves`].
#[wasm_split(curves, wasm_split_path = leptos::wasm_split, fallible)]
pub fn curves() -> Fetched {
    Ok((|| view! { <Curves /> }).into())
}

fn steps(state: &RunState) -> f64 {
    state.start.as_ref().map_or(0.0, |start| start.steps as f64)
}

fn training(state: &RunState, curve: fn(&RunState) -> &Curve, t: &Texts) -> Series {
    Series { name: t.training.into(), class: "training".into(), symbol: None, points: curve(state).points().collect() }
}

fn validation(state: &RunState, value: fn(&Evaluated) -> f64, t: &Texts) -> Series {
    let points = state.validation.iter().map(|at| Point::exact(at.step as f64, value(at))).collect();
    Series { name: t.validation.into(), class: "validation".into(), symbol: Some(Symbol::Circle), points }
}

/// The training curve of another run, in a colour and a dash of its own.
fn other(kept: &Kept, curve: fn(&RunState) -> &Curve, t: &Texts) -> Series {
    let name = if kept.name.is_empty() { format!("{} {}", t.run, kept.number) } else { kept.name.clone() };
    let points = curve(&kept.state).points().collect();
    Series { name, class: format!("other other-{}", kept.number % 5), symbol: None, points }
}

/// What happened in the run.
fn marks(state: &RunState, t: &Texts) -> Vec<Mark> {
    let mark = |step: f64, text: String| Mark { x: step, title: text.clone(), text };
    let rates = state.rates.iter().map(|(rate, step)| mark((*step).into(), fill(t.mark_rate, &[&number(*rate)])));
    let momenta =
        state.momenta.iter().map(|(value, step)| mark((*step).into(), fill(t.mark_momentum, &[&number(*value)])));
    let mut all: Vec<Mark> = rates.chain(momenta).collect();
    if let Some(best) = best(&state.validation).filter(|_| !state.stage.is_live()) {
        all.push(mark(best.step as f64, t.mark_best.into()));
    }
    match state.stage {
        Stage::Stopped => all.push(mark(state.step as f64, t.mark_stopped.into())),
        Stage::Failed => all.push(mark(state.step as f64, t.mark_failed.into())),
        _ => {}
    }
    all
}

/// The evaluation with the smallest loss, unless it is the last one.
fn best(validation: &[Evaluated]) -> Option<&Evaluated> {
    let best = validation.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
    (Some(best) != validation.last()).then_some(best)
}
