use leptos::prelude::*;

use crate::app::App;
use crate::course::{course, known};
use crate::format::{fill, grouped, number};

/// The learning rate over the steps of the next run.
#[component]
pub fn Course() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    // The visitor's own images are counted when a run has loaded them.
    let loaded = move |name: &str| {
        app.run.state.with(|state| {
            let data =
                state.start.as_ref().map(|start| &start.data).filter(|data| data.name == name || name == "auto")?;
            Some([data.training + data.validation, data.test])
        })
    };
    let drawn = Memo::new(move |_| {
        let config = app.choice.settings.with(|settings| settings.config.clone());
        let images = known(&config).or_else(|| loaded(&config.dataset.name));
        let Some((steps, points)) = images.and_then(|images| course(&config, images)) else {
            return (String::new(), t.course_unknown.to_owned());
        };
        let rates = || points.iter().map(|point| point.1);
        let [first, last] = [points[0], points[points.len() - 1]].map(|point| number(point.1));
        let most = number(rates().fold(0.0, f64::max));
        let text = match first == most && most == last {
            true => fill(t.course_constant, &[&grouped(steps as i64), &first]),
            false => fill(t.course, &[&grouped(steps as i64), &first, &most, &last]),
        };
        (path(&points), text)
    });
    view! {
        <figure class="course">
            <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
                <path d=move || drawn.with(|drawn| drawn.0.clone()) />
            </svg>
            <figcaption class="muted">{move || drawn.with(|drawn| drawn.1.clone())}</figcaption>
        </figure>
    }
}

/// The points in a square of 1000 × 1000, from 0 to the largest rate.
fn path(points: &[(f64, f64)]) -> String {
    let (end, most) =
        points.iter().fold((1.0_f64, f64::MIN_POSITIVE), |(x, y), point| (x.max(point.0), y.max(point.1)));
    let place = |(i, (x, y)): (usize, &(f64, f64))| {
        let letter = if i == 0 { 'M' } else { 'L' };
        format!("{letter}{:.0} {:.0}", 1000.0 * x / end, 1000.0 - 960.0 * y / most)
    };
    points.iter().enumerate().map(place).collect()
}
