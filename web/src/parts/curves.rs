use leptos::prelude::*;

use crate::app::App;
use crate::format::number;
use crate::parts::chart::{Chart, Look, Series};
use crate::state::RunState;

/// Loss and accuracy over the steps: training, validation, and the runs that are compared.
#[component]
pub fn Curves() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let series = move |training: fn(&RunState) -> Vec<(f64, f64)>, validation: fn(&RunState) -> Vec<(f64, f64)>| {
        Signal::derive(move || {
            let mut series: Vec<Series> = app.run.finished.with(|runs| {
                let shown = runs.iter().filter(|kept| kept.shown);
                shown
                    .map(|kept| Series {
                        name: format!("{} {}", t.run, kept.number),
                        look: Look::Other,
                        points: training(&kept.state),
                    })
                    .collect()
            });
            app.run.state.with(|state| {
                let name = |name: &str| name.to_owned();
                series.push(Series { name: name(t.training), look: Look::Training, points: training(state) });
                series.push(Series { name: name(t.validation), look: Look::Validation, points: validation(state) });
            });
            series
        })
    };
    let steps = Memo::new(move |_| {
        let present = app.run.state.with(|state| state.start.as_ref().map_or(0, |start| start.steps));
        app.run.finished.with(|runs| {
            let shown = runs.iter().filter(|kept| kept.shown);
            shown.filter_map(|kept| kept.state.start.as_ref()).map(|start| start.steps).fold(present, u64::max)
        })
    });
    view! {
        <div class="curves">
            <Chart title=t.loss hint=t.loss_hint equivalent=t.chart_loss steps show=number series=series(
                |state| state.loss.points().collect(),
                |state| state.validation.iter().map(|at| (at.step as f64, at.loss)).collect(),
            ) />
            <Chart title=t.accuracy hint=t.accuracy_hint equivalent=t.chart_accuracy steps unit=true
                show=|part| format!("{:.0}\u{a0}%", 100.0 * part)
                series=series(
                    |state| state.accuracy.points().collect(),
                    |state| state.validation.iter().map(|at| (at.step as f64, at.accuracy)).collect(),
                )
            />
        </div>
    }
}
