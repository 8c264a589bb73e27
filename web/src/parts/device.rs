use leptos::prelude::*;
use protocol::{DeviceState, Missing, worker::DeviceReport};

use crate::app::App;
use crate::compare::engine_name;
use crate::format::fill;
use crate::parts::card::Panel;
use crate::text::Texts;

/// What the visitor's machine offers, and why it does not offer more.
#[component]
pub fn Devices() -> impl IntoView {
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
