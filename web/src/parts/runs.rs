use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use protocol::{DeviceState, EngineName};

use crate::app::App;
use crate::browser;
use crate::compare::{Facet, device, differing, verdict};
use crate::failure::trouble_of;
use crate::format::{duration, number, percent};
use crate::kept::{Kept, to_csv, to_json};
use crate::parts::card::Panel;
use crate::parts::later::Fetched;
use crate::state::Stage;

/// Runs that have ended: how they differ, how good and how fast they were.
#[component]
fn Runs() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let finished = app.run.finished;
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
    let facets = Memo::new(move |_| finished.with(|runs| differing(runs, t)));
    // The network is said of each run, also where all have the same.
    let columns = Memo::new(move |_| {
        let mut columns = facets.get();
        if !columns.contains(&Facet::Network) {
            columns.insert(0, Facet::Network);
        }
        columns
    });
    let table = move || match &*finished.read() {
        runs if runs.is_empty() => view! { <p class="muted">{t.runs_empty}</p> }.into_any(),
        runs => {
            let columns = columns.get();
            let names = [t.run, t.engine].into_iter().chain(columns.iter().map(|facet| facet.name(t)));
            let names = names.chain([t.accuracy, t.images_a_second, t.time, t.show]);
            let heads = names.map(|name| view! { <th scope="col">{name}</th> }).collect_view();
            let rows = runs.iter().map(|run| row(app, run, &columns)).collect_view();
            view! {
                <div class="scroll" tabindex="0" role="group" aria-label=t.runs translate="no"><table>
                    <thead><tr>{heads}<th scope="col"><span class="hidden">{t.acts}</span></th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            }
            .into_any()
        }
    };
    let none = move || finished.with(Vec::is_empty);
    let export = move |name: &str, text: fn(&[Kept]) -> String| {
        browser::save(name, finished.with_untracked(|runs| text(runs)).as_bytes())
    };
    view! {
        <Panel name="runs" hint=t.runs_hint>
            <p class="runs-differ">{move || finished.with(|runs| verdict(runs, t))}</p>
            {table}
            <div class="files-buttons">
                <button
                    id="compare" disabled=move || !can_compare.get()
                    on:click=move |_| app.compare([EngineName::Cpu, EngineName::Wgpu])
                >
                    {t.compare}
                </button>
                <button class="quiet" disabled=none on:click=move |_| export("runs.json", to_json)>{t.export_json}</button>
                <button class="quiet" disabled=none on:click=move |_| export("runs.csv", to_csv)>{t.export_csv}</button>
                <button class="quiet" disabled=none on:click=move |_| app.forget_runs(|_| true)>{t.forget}</button>
            </div>
            <p class="muted small">
                {move || if can_compare.get() || app.run.devices.with(Option::is_none) { t.compare_hint } else { t.compare_missing }}
            </p>
            <p class="muted small">{t.kept_here}" "{browser::forgets_soon().then_some(t.kept_week)}</p>
        </Panel>
    }
}

fn row(app: App, kept: &Kept, columns: &[Facet]) -> impl IntoView + use<> {
    let t = app.language.get_untracked().texts();
    let Kept { number: number_of, state, .. } = kept;
    let number_of = *number_of;
    let show = move |event| {
        app.run.finished.update(|runs| {
            if let Some(kept) = runs.iter_mut().find(|kept| kept.number == number_of) {
                kept.shown = event_target_checked(&event);
            }
        })
    };
    let ended = match state.stage {
        Stage::Stopped => Some(t.mark_stopped),
        Stage::Failed => Some(t.mark_failed),
        _ => None,
    };
    let ended = ended.map(|ended| {
        let why = trouble_of(state, t).map(|trouble| trouble.message);
        view! { <small title=why>{ended}</small> }
    });
    let spent = state.seconds.steps + state.seconds.readback;
    let name = |name: &'static str| name;
    let facets = columns.iter().map(|facet| {
        let value = facet.of(kept, t).unwrap_or_default();
        view! { <td data-name=name(facet.name(t))>{value}</td> }
    });
    let device_name = state.start.as_ref().map(|start| start.device.name.clone());
    let default_name = format!("{} {number_of}", t.run);
    let label = format!("{}: {default_name}", t.name);
    view! {
        <tr>
            <th scope="row">
                <i class=format!("chip other-{}", number_of % 5) aria-hidden="true"></i>
                <input
                    type="text" class="run-name" maxlength="60" aria-label=label placeholder=default_name.clone()
                    prop:value=kept.name.clone() on:change=move |event| app.name_run(number_of, event_target_value(&event))
                />
            </th>
            <td data-name=t.engine>{device(kept, t)}<small>{device_name}</small></td>
            {facets.collect_view()}
            <td data-name=t.accuracy>{state.accuracy_now().map_or(t.no_value.into(), percent)}{ended}</td>
            <td data-name=t.images_a_second>
                {state.measured().map_or(t.no_value.into(), number)}
                {(state.seconds.asleep > 0.0).then(|| view! { <small title=t.was_asleep>{t.time_asleep}</small> })}
            </td>
            <td data-name=t.time>{if spent > 0.0 { duration(spent) } else { t.no_value.into() }}</td>
            <td data-name=t.show>
                <input type="checkbox" prop:checked=kept.shown on:change=show aria-label=format!("{}: {default_name}", t.show) />
            </td>
            <td class="run-acts">
                <button class="quiet" aria-label=format!("{}: {default_name}", t.open_run) on:click=move |_| app.open_run(number_of)>
                    {t.open_run}
                </button>
                <button
                    class="quiet" aria-label=format!("{}: {default_name}", t.remove)
                    on:click=move |_| app.forget_runs(move |run| run.number == number_of)
                >
                    "×"
                </button>
            </td>
        </tr>
    }
}

/// Fetches [`Runs`].
#[wasm_split(runs, wasm_split_path = leptos::wasm_split, fallible)]
pub fn runs() -> Fetched {
    Ok((|| view! { <Runs /> }).into())
}
