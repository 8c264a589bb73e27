use leptos::prelude::*;
use models::{Layer, Network};
use protocol::Model;

use crate::app::App;
use crate::format::{fill, grouped};
use crate::layers::{kinds, numbers, rows_until_mistake, with_number};
use crate::notice::Notice;
use crate::text::Texts;

/// The layers of the chosen network, to be added, removed, moved and configured; mistakes are told where they are.
#[component]
pub fn Editor() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let network = Memo::new(move |_| app.settings.with(|settings| settings.config.network().unwrap_or_default()));
    let change = move |edit: &dyn Fn(&mut Vec<Layer>)| {
        let Network { mut layers, init } = network.get_untracked();
        edit(&mut layers);
        let mut config = app.settings.with_untracked(|settings| settings.config.clone());
        config.model = Model::Network(Network { layers, init });
        // Bounds are kept at once; what does not fit together is told beside the layer, so that it can be built up.
        match config.check() {
            Ok(()) => app.settings.update(|settings| settings.config = config),
            Err(error) => app.notice.set(Some(Notice::Refused(fill(t.refused, &[&error.to_string()])))),
        }
    };
    let list = move || {
        let network = network.get();
        let (rows, mistake) = rows_until_mistake(&network);
        let count = network.layers.len();
        let one = |(i, layer): (usize, Layer)| {
            let name = format!("{}. {}", i + 1, layer.name());
            let about = match (rows.get(i), &mistake) {
                (Some(row), _) => view! { <span class="muted">{format!("{} · {} {}", row.shape, grouped(row.parameters as i64), t.parameters)}</span> }.into_any(),
                (None, Some(mistake)) if i == rows.len() => view! { <span class="problem" role="alert">{mistake.clone()}</span> }.into_any(),
                (None, _) => ().into_any(),
            };
            let inputs = numbers(&layer).into_iter().map(|(number, value)| {
                let layer = layer.clone();
                let set = move |event| {
                    if let Some(changed) = with_number(&layer, number, &event_target_value(&event)) {
                        change(&|layers| layers[i] = changed.clone());
                    }
                };
                view! { <label>{number_name(number, t)}<input type="number" step="any" value=value on:change=set /></label> }
            }).collect_view();
            let label = |verb: &str| format!("{verb}: {name}");
            view! {
                <li>
                    <b>{name.clone()}</b>
                    <span class="editor-buttons">
                        <button
                            class="quiet" aria-label=label(t.up) disabled=i == 0
                            on:click=move |_| change(&|layers| layers.swap(i, i - 1))
                        >
                            "↑"
                        </button>
                        <button
                            class="quiet" aria-label=label(t.down) disabled=i + 1 == count
                            on:click=move |_| change(&|layers| layers.swap(i, i + 1))
                        >
                            "↓"
                        </button>
                        <button
                            class="quiet" aria-label=label(t.remove)
                            on:click=move |_| change(&|layers| { layers.remove(i); })
                        >
                            "×"
                        </button>
                    </span>
                    <span class="editor-numbers">{inputs}</span>
                    <span class="editor-about">{about}</span>
                </li>
            }
        };
        let items = network.layers.into_iter().enumerate().map(one).collect_view();
        // What ends in other than ten scores fits layer by layer, and is told by the worker.
        view! { <ol class="editor">{items}</ol> }
    };
    let add = move |event| {
        let chosen = event_target_value(&event);
        if let Some(layer) = kinds().into_iter().find(|layer| layer.name() == chosen) {
            // Before the last layer, which gives the scores.
            change(&|layers| layers.insert(layers.len().saturating_sub(1), layer.clone()));
        }
        event_target::<web_sys::HtmlSelectElement>(&event).set_selected_index(0);
    };
    view! {
        {list}
        <label class="editor-add">
            <span class="hidden">{t.add_layer}</span>
            <select on:change=add>
                <option value="">{t.add_layer}</option>
                {kinds().map(|layer| view! { <option value=layer.name()>{layer.name()}</option> })}
            </select>
        </label>
    }
}

fn number_name(number: &str, t: &'static Texts) -> &'static str {
    match number {
        "units" => t.units,
        "filters" => t.filters,
        "kernel" => t.kernel,
        "stride" => t.stride,
        "padding" => t.padding,
        "size" => t.size,
        "slope" => t.slope,
        _ => t.part_dropped,
    }
}
