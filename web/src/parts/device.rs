use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use protocol::worker::{CheckReport, DeviceReport};
use protocol::{DeviceState, Missing};

use crate::app::App;
use crate::compare::engine_name;
use crate::format::{fill, number};
use crate::parts::card::Panel;
use crate::parts::later::Fetched;
use crate::text::Texts;

/// What the visitor's machine offers, and why it does not offer more.
#[component]
fn Devices() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let used = Memo::new(move |_| app.run.state.with(|state| state.start.as_ref().map(|start| start.device.clone())));
    let used = move || {
        used.get().map(|device| {
            let name = format!("{}: {}", engine_name(device.engine), device.name);
            view! { <p class="device-used"><b>{fill(t.device_used, &[&name])}</b></p> }
        })
    };
    let list = move || match app.run.devices.get() {
        None => view! { <p class="muted">{t.looking}</p> }.into_any(),
        Some(devices) => devices.into_iter().map(|report| one(report, t)).collect_view().into_any(),
    };
    view! {
        <Panel name="device" hint=t.device_hint>
            {used}
            {list}
            {move || app.run.check.get().map(|report| found(&report, t))}
        </Panel>
    }
}

fn one(report: DeviceReport, t: &'static Texts) -> impl IntoView {
    let name = engine_name(report.engine);
    let body = match report.state {
        DeviceState::Ready { device, facts, features } => {
            let features = (!features.is_empty()).then(|| (t.features.to_owned(), features.join(", ")));
            let row = |(name, value)| view! { <tr><th scope="row">{name}</th><td>{value}</td></tr> };
            let rows = facts.into_iter().chain(features).map(row).collect_view();
            let rows = (!rows.is_empty()).then(|| {
                view! {
                    <details>
                        <summary>{t.facts}</summary>
                        <div class="scroll" tabindex="0" role="group" aria-label=t.facts><table>{rows}</table></div>
                    </details>
                }
            });
            view! {
                <p>{device.name}</p>
                {device.software.then(|| view! { <p class="muted">{t.software}</p> })}
                {rows}
            }
            .into_any()
        }
        DeviceState::Missing(missing) => {
            let why = match missing {
                Missing::InsecureContext => t.missing_insecure.into(),
                Missing::NoApi => t.missing_api.into(),
                Missing::NoAdapter => t.missing_adapter.into(),
                Missing::Refused { reason } => fill(t.missing_refused, &[&reason]),
            };
            view! { <p class="problem">{t.missing}</p><p>{why}</p><p>{t.cpu_instead}</p> }.into_any()
        }
    };
    view! { <div class="device-one"><h3>{name}</h3>{body}</div> }
}

/// Fetches [`Devices`].
#[wasm_split(devices, wasm_split_path = leptos::wasm_split, fallible)]
pub fn devices() -> Fetched {
    Ok((|| view! { <Devices /> }).into())
}

/// What one small step on the GPU and on the CPU has shown.
fn found(report: &CheckReport, t: &'static Texts) -> impl IntoView + use<> {
    let agrees = fill(if report.failure().is_none() { t.check_right } else { t.check_wrong }, &[&number(report.gap)]);
    let dispatch = match report.dispatch_microseconds {
        cost if cost > 0.0 => format!("{}\u{a0}µs", number(cost)),
        _ => t.check_short.into(),
    };
    let side = report.product_side.to_string();
    let speed = format!("{}\u{a0}GFLOP/s", number(report.gflop_per_second));
    view! {
        <table class="check-report">
            <tr><th scope="row">{t.check_agreement}</th><td>{agrees}</td></tr>
            <tr><th scope="row">{t.check_dispatch}</th><td>{dispatch}</td></tr>
            <tr><th scope="row">{fill(t.check_product, &[&side])}</th><td>{speed}</td></tr>
        </table>
    }
}
