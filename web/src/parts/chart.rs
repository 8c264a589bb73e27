use std::time::Duration;

use leptos::html::Div;
use leptos::prelude::*;
use plot::{Chart as Drawn, Mark, Scale, Series};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;

use crate::app::App;
use crate::format::{grouped, number};
use crate::signals::Run;

/// Between two drawings of a chart.
const REDRAWN_EVERY: Duration = Duration::from_millis(100);

/// What a chart shows, whatever its size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The curves.
    pub series: Vec<Series>,
    /// What happened.
    pub marks: Vec<Mark>,
    /// The last step of the longest run.
    pub last: f64,
}

/// Curves over the steps of a run, with a cross-hair that all charts share.
#[component]
pub fn Chart(
    /// The heading.
    title: &'static str,
    /// What is said while there is nothing to draw.
    empty: &'static str,
    /// Makes what is drawn, of the run and those that are listed.
    content: Box<dyn Fn() -> Content + Send + Sync>,
    /// Values are parts of a whole.
    #[prop(optional)]
    share: bool,
    /// The step that is read off, in this chart and the others.
    hair: RwSignal<Option<f64>>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let logarithmic = RwSignal::new(false);
    let place = NodeRef::<Div>::new();
    let size = RwSignal::new((0.0, 0.0));
    watch_size(place, size);
    let shown = RwSignal::new(content());
    follow(app.run, content, shown);
    let drawn = Memo::new(move |_| {
        let ((width, height), Content { series, marks, last }) = (size.get(), shown.get());
        let scale = match (share, logarithmic.get()) {
            (true, _) => Scale::Share,
            (false, true) => Scale::Logarithmic,
            (false, false) => Scale::Linear,
        };
        let (x_title, y_title) = (t.step_axis.into(), title.to_lowercase());
        Drawn { width, height, x_title, y_title, last, scale, series, marks }
    });
    let svg = move || drawn.with(|drawn| if drawn.width > 0.0 { drawn.svg() } else { String::new() });
    let show = move |value: f64| if share { format!("{:.1}\u{a0}%", 100.0 * value) } else { number(value) };
    // The step there is a point for, its place in pixels, and the value of each curve.
    let read = Memo::new(move |_| {
        let step = hair.get()?;
        drawn.with(|drawn| {
            let reading = drawn.reading(step)?;
            let value = |(series, point): (&Series, &Option<plot::Point>)| {
                point.map(|point| (series.name.clone(), series.class.clone(), show(point.smooth)))
            };
            let values: Vec<_> = drawn.series.iter().zip(&reading.points).filter_map(value).collect();
            Some((reading.x, drawn.place(reading.x), values))
        })
    });
    let point = move |event: web_sys::PointerEvent| {
        let Some(element) = place.get_untracked() else { return };
        let x = f64::from(event.client_x()) - element.get_bounding_client_rect().left();
        hair.set(drawn.with_untracked(|drawn| drawn.at(x)).map(|reading| reading.x));
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let step = hair.get_untracked();
        let to = |from: f64, forward| drawn.with_untracked(|drawn| drawn.next(from, forward));
        let next = match event.key().as_str() {
            "ArrowRight" => to(step.unwrap_or(f64::NEG_INFINITY), true),
            "ArrowLeft" => to(step.unwrap_or(f64::INFINITY), false),
            "Home" => to(f64::NEG_INFINITY, true),
            "End" => to(f64::INFINITY, false),
            "Escape" => None,
            _ => return,
        };
        event.prevent_default();
        hair.set(next.or(step).filter(|_| event.key() != "Escape"));
    };
    let values = move || {
        read.get().map(|(step, place, values)| {
            let right = place > size.get().0 / 2.0;
            let one = |(name, class, value): (String, String, String)| view! { <li class=class><span>{name}</span><b>{value}</b></li> };
            view! {
                <i class="hair" style:left=format!("{place}px")></i>
                <ul class="values" class:right=right style:left=format!("{place}px")>
                    <li>{format!("{} {}", t.step_axis, grouped(step as i64))}</li>
                    {values.into_iter().map(one).collect_view()}
                </ul>
            }
        })
    };
    let spoken = move || {
        read.get().map(|(step, _, values)| {
            let values = values.into_iter().map(|(name, _, value)| format!("{name} {value}")).collect::<Vec<_>>();
            format!("{} {step}: {}", t.step_axis, values.join(", "))
        })
    };
    let is_empty = Memo::new(move |_| shown.with(|content| content.series.iter().all(|one| one.points.is_empty())));
    let open = RwSignal::new(false);
    let table = move || {
        open.get().then(|| {
            let (names, rows) = drawn.with(|drawn| {
                let names: Vec<_> = drawn.series.iter().map(|series| series.name.clone()).collect();
                (names, drawn.table())
            });
            let row = move |(step, values): (f64, Vec<Option<f64>>)| {
                let cell = move |value: Option<f64>| view! { <td>{value.map_or(t.no_value.to_owned(), show)}</td> };
                view! { <tr><th scope="row">{grouped(step as i64)}</th>{values.into_iter().map(cell).collect_view()}</tr> }
            };
            view! {
                <div class="scroll" tabindex="0" role="group" aria-label=title><table>
                    <thead><tr>
                        <th scope="col">{t.step_axis}</th>
                        {names.into_iter().map(|name| view! { <th scope="col">{name}</th> }).collect_view()}
                    </tr></thead>
                    <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                </table></div>
            }
        })
    };
    let scale = move |name: &'static str, is_log: bool| {
        let pressed = move || (logarithmic.get() == is_log).to_string();
        view! { <button aria-pressed=pressed on:click=move |_| logarithmic.set(is_log)>{name}</button> }
    };
    view! {
        <figure class="card chart">
            <figcaption class="card-head">
                <h2>{title}</h2>
                {(!share).then(|| view! {
                    <div class="switch" role="group" aria-label=t.axis>{scale(t.linear, false)}{scale(t.logarithmic, true)}</div>
                })}
            </figcaption>
            <div
                class="plot" class:empty=move || is_empty.get() node_ref=place tabindex="0" role="group" translate="no"
                aria-label=format!("{title}. {}", t.chart_keys) on:pointermove=point on:pointerdown=point
                on:pointerleave=move |_| hair.set(None) on:keydown=key on:blur=move |_| hair.set(None)
            >
                <div class="plot-svg" inner_html=svg></div>
                <p class="promise muted" hidden=move || !is_empty.get()>{empty}</p>
                <div class="plot-values" aria-hidden="true">{values}</div>
                <p class="hidden" role="status">{spoken}</p>
            </div>
            <details class="chart-table" on:toggle=move |event| open.set(event_target::<web_sys::Element>(&event).has_attribute("open"))>
                <summary>{t.as_table}</summary>
                {table}
            </details>
        </figure>
    }
}

/// Has `shown` follow the runs, at most ten times a second and in a task of its own: two charts that are drawn in one task
/// keep a slow processor busy for longer than a person waits.
fn follow(run: Run, content: Box<dyn Fn() -> Content + Send + Sync>, shown: RwSignal<Content>) {
    let (is_due, content) = (StoredValue::new(false), StoredValue::new(content));
    Effect::new(move || {
        run.state.track();
        run.finished.track();
        if is_due.get_value() {
            return;
        }
        is_due.set_value(true);
        let draw = move || {
            // A chart that is gone draws nothing.
            if is_due.try_set_value(false).is_none()
                && let Some(content) = content.try_with_value(|content| content())
            {
                let _ = shown.try_set(content);
            }
        };
        set_timeout(draw, REDRAWN_EVERY);
    });
}

/// Keeps the size of an element in CSS pixels, as it changes.
fn watch_size(element: NodeRef<Div>, size: RwSignal<(f64, f64)>) {
    let measure = move || {
        if let Some(element) = element.get_untracked() {
            let now = (f64::from(element.client_width()), f64::from(element.client_height()));
            if now != size.get_untracked() {
                size.set(now);
            }
        }
    };
    let observer = StoredValue::new_local(None::<web_sys::ResizeObserver>);
    Effect::new(move || {
        let Some(element) = element.get() else { return };
        measure();
        let changed = Closure::<dyn Fn()>::new(measure).into_js_value();
        if let Ok(watch) = web_sys::ResizeObserver::new(changed.unchecked_ref()) {
            watch.observe(&element);
            observer.set_value(Some(watch));
        }
    });
    on_cleanup(move || {
        observer.with_value(|observer| {
            if let Some(observer) = observer {
                observer.disconnect();
            }
        });
    });
}
