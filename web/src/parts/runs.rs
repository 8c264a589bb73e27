use leptos::prelude::*;
use protocol::{DeviceState, EngineName};

use crate::app::App;
use crate::browser;
use crate::format::{duration, fill, number, percent};
use crate::kept::{Kept, to_csv, to_json};
use crate::parts::device::engine_name;
use crate::parts::hint::Card;
use crate::text::Texts;

/// Finished runs side by side, and one configuration on two devices.
#[component]
pub fn Runs() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let can_compare = Memo::new(move |_| {
        app.run.devices.with(|devices| {
            let ready = |engine| {
                devices
                    .iter()
                    .flatten()
                    .any(|report| report.engine == engine && matches!(report.state, DeviceState::Ready { .. }))
            };
            ready(EngineName::Cpu) && ready(EngineName::Wgpu)
        })
    });
    let row = move |kept: &Kept| {
        let number_of = kept.number;
        let show = move |event| {
            app.run.finished.update(|runs| {
                if let Some(kept) = runs.iter_mut().find(|kept| kept.number == number_of) {
                    kept.shown = event_target_checked(&event);
                }
            })
        };
        let (Some(start), Some(summary)) = (&kept.state.start, &kept.state.summary) else { return None };
        let seconds = summary.seconds.steps + summary.seconds.readback;
        let network = match &start.config.model {
            protocol::Model::Preset(name) => name.clone(),
            protocol::Model::Network(_) => t.preset_own.into(),
        };
        let rate = match kept.state.first_and_last_rate()? {
            (rate, None) => rate.to_string(),
            (first, Some(last)) => format!("{first} → {last}"),
        };
        Some(view! {
            <tr>
                <th scope="row">{kept.number}</th>
                <td>{engine_name(summary.engine)}<small>{summary.device.clone()}</small></td>
                <td>{network}<small>{format!("{}: {} · {}: {}", t.rate, rate, t.batch, start.config.batch)}</small></td><td>{percent(summary.test_accuracy)}</td>
                <td>{number(summary.images_per_second)}</td><td>{duration(seconds)}</td>
                <td><input type="checkbox" prop:checked=kept.shown on:change=show aria-label=format!("{} {} {}", t.show, t.run, kept.number) /></td>
            </tr>
        })
    };
    let heads = move || {
        [t.run, t.engine, t.preset, t.accuracy, t.images_a_second, t.time, t.show]
            .map(|name| view! { <th scope="col">{name}</th> })
    };
    let table = move || match &*app.run.finished.read() {
        runs if runs.is_empty() => view! { <p class="muted">{t.runs_empty}</p> }.into_any(),
        runs => view! {
            <div class="scroll" tabindex="0" role="group" aria-label=t.runs><table>
                <thead><tr>{heads()}</tr></thead>
                <tbody>{runs.iter().map(row).collect_view()}</tbody>
            </table></div>
        }
        .into_any(),
    };
    let none = move || app.run.finished.with(Vec::is_empty);
    let export = move |name: &str, text: fn(&[Kept]) -> String| {
        browser::save(name, app.run.finished.with_untracked(|runs| text(runs)).as_bytes())
    };
    let differ = move || app.run.finished.with(|runs| difference(runs, t));
    view! {
        <Card name="runs" title=t.runs hint=t.runs_hint>
            {table}
            <p class="runs-differ">{differ}</p>
            <div class="files-buttons">
                <button
                    id="compare" disabled=move || !can_compare.get()
                    on:click=move |_| app.compare([EngineName::Cpu, EngineName::Wgpu])
                >
                    {t.compare}
                </button>
                <button
                    class="quiet" disabled=none on:click=move |_| export("runs.json", to_json)
                >
                    {t.export_json}
                </button>
                <button class="quiet" disabled=none on:click=move |_| export("runs.csv", to_csv)>{t.export_csv}</button>
                <button class="quiet" disabled=none on:click=move |_| app.forget_runs()>{t.forget}</button>
            </div>
            <p class="muted">{t.kept_here}</p>
            <p class="muted">{move || if can_compare.get() || app.run.devices.with(Option::is_none) { t.compare_hint } else { t.compare_missing }}</p>
        </Card>
    }
}

/// How far the latest run and the last one of the same configuration on another engine are apart.
fn difference(runs: &[Kept], t: &Texts) -> Option<String> {
    let of = |kept: &Kept| Some((kept.state.start.clone()?, kept.state.summary.clone()?));
    let latest = runs.first()?;
    let (start, summary) = of(latest)?;
    let (other, (_, other_summary)) = runs.iter().skip(1).find_map(|kept| {
        let found = of(kept)?;
        let is_same_job = found.0.config == start.config
            && kept.state.rates == latest.state.rates
            && kept.state.momenta == latest.state.momenta;
        (is_same_job && found.1.engine != summary.engine).then_some((kept, found))
    })?;
    let pairs = latest.state.loss.points().zip(other.state.loss.points());
    let most = pairs.map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max);
    let [(slow, slow_speed), (fast, fast_speed)] = {
        let one = |kept: &Kept, summary: &protocol::Summary| {
            (format!("{} ({} {})", engine_name(summary.engine), t.run, kept.number), summary.images_per_second)
        };
        let mut both = [one(latest, &summary), one(other, &other_summary)];
        both.sort_by(|a, b| a.1.total_cmp(&b.1));
        both
    };
    Some(fill(t.difference, &[&fast, &slow, &number(most), &fast, &number(fast_speed / slow_speed.max(1e-9))]))
}
