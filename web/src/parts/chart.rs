use leptos::prelude::*;

use crate::app::App;
use crate::format::{fill, grouped};
use crate::parts::hint::Hint;
use crate::plot::{Axis, line, smooth};

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it shows, for the text equivalent.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Step and value.
    pub points: Vec<(f64, f64)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Look {
    /// Pale as it is, and above it a smooth line.
    Training,
    Validation,
    /// Of another run.
    Other,
}

/// What a chart draws at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
struct Drawn {
    paths: Vec<(&'static str, String)>,
    /// Place from 0 to 1, and text.
    ticks: Vec<(f64, String)>,
    summary: String,
}

/// Curves over the steps of a run.
#[component]
pub fn Chart(
    /// The heading.
    title: &'static str,
    /// What it is.
    hint: &'static str,
    /// The text equivalent, with a place for its numbers.
    equivalent: &'static str,
    /// The curves.
    #[prop(into)]
    series: Signal<Vec<Series>>,
    /// Steps of the whole run.
    #[prop(into)]
    steps: Signal<u64>,
    /// Shows values as they are to be read.
    show: fn(f64) -> String,
    /// Values are parts of a whole: the axis goes from 0 to 1.
    #[prop(optional)]
    unit: bool,
) -> impl IntoView {
    let t = expect_context::<App>().language.get_untracked().texts();
    let logarithmic = RwSignal::new(false);
    let drawn = Memo::new(move |_| {
        series.with(|series| draw(series, steps.get() as f64, unit, logarithmic.get(), show, t.chart_part))
    });
    let label = move || match drawn.with(|drawn| drawn.summary.clone()) {
        summary if summary.is_empty() => fill(equivalent, &[t.chart_empty]),
        summary => fill(equivalent, &[&summary]),
    };
    let ticks = Memo::new(move |_| drawn.with(|drawn| drawn.ticks.clone()));
    let lines = move || {
        let line = |(place, _): (f64, String)| view! { <line x1="0" x2="1000" y1=1000.0 * (1.0 - place) y2=1000.0 * (1.0 - place) /> };
        ticks.get().into_iter().map(line).collect_view()
    };
    let labels = move || {
        let label =
            |(place, text): (f64, String)| view! { <span style:bottom=format!("{}%", 100.0 * place)>{text}</span> };
        ticks.get().into_iter().map(label).collect_view()
    };
    let paths = move || {
        let path = |(class, d): (&'static str, String)| view! { <path class=class d=d /> };
        drawn.with(|drawn| drawn.paths.clone()).into_iter().map(path).collect_view()
    };
    view! {
        <figure class="card chart">
            <figcaption class="card-head">
                <h2>{title}</h2>
                <Hint of=title text=hint />
                <span class="legend"><i class="training"></i>{t.training}</span>
                <span class="legend"><i class="validation"></i>{t.validation}</span>
                <span
                    class="legend"
                    hidden=move || series.with(|series| series.iter().all(|one| one.look != Look::Other))
                >
                    <i class="other"></i>{t.selected}
                </span>
                {(!unit).then(|| view! {
                    <label class="chart-log">
                        <input type="checkbox" on:change=move |event| logarithmic.set(event_target_checked(&event)) />
                        {t.logarithmic}
                    </label>
                })}
            </figcaption>
            <div class="plot" role="img" aria-label=label>
                <p
                    class="plot-empty muted" class:shown=move || drawn.with(|drawn| drawn.summary.is_empty())
                >
                    {t.chart_empty}
                </p>
                <div class="plot-y">{labels}</div>
                <svg viewBox="0 0 1000 1000" preserveAspectRatio="none"><g class="grid">{lines}</g>{paths}</svg>
                <div class="plot-x">
                    <span>"0"</span>
                    <span>{move || format!("{} {}", grouped(steps.get() as i64), t.steps)}</span>
                </div>
            </div>
        </figure>
    }
}

fn draw(series: &[Series], width: f64, unit: bool, logarithmic: bool, show: fn(f64) -> String, part: &str) -> Drawn {
    let smoothed: Vec<_> = series
        .iter()
        .map(|one| match one.look {
            Look::Training | Look::Other => smooth(&one.points),
            Look::Validation => one.points.clone(),
        })
        .collect();
    let axis = match unit {
        true => Axis::UNIT,
        false => Axis::over(smoothed.iter().flatten().map(|point| point.1), logarithmic),
    };
    let (mut paths, mut summary) = (vec![], vec![]);
    for (one, smoothed) in series.iter().zip(&smoothed) {
        let class = match one.look {
            Look::Training => {
                paths.push(("raw", line(&one.points, width, axis)));
                "training"
            }
            Look::Validation => "validation",
            Look::Other => "other",
        };
        paths.push((class, line(smoothed, width, axis)));
        if let (Some(first), Some(last)) = (smoothed.first(), smoothed.last()) {
            summary.push(fill(part, &[&one.name, &show(first.1), &show(last.1)]));
        }
    }
    let ticks = axis
        .ticks()
        .into_iter()
        .map(|value| (axis.place(value), if unit { show(value) } else { tick(value) }))
        .collect();
    Drawn { paths, ticks, summary: summary.join(" ") }
}

/// A round value without zeros at its end.
fn tick(value: f64) -> String {
    if value >= 1e6 { format!("{value:.0e}") } else { ((value * 1e6).round() / 1e6).to_string() }
}
