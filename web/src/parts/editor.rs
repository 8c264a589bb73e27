use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use models::{Layer, Network};
use protocol::Model;

use crate::app::App;
use crate::browser;
use crate::format::{fill, grouped};
use crate::layers::{Edit, Item, edit, items, kinds, moved, numbers, with_number};
use crate::notice::Notice;
use crate::parts::later::Fetched;
use crate::problem::Problem;
use crate::shapes::{place, rows};

/// The layers of the chosen network, those inside residual blocks below them, to be added, removed, moved and
/// configured; mistakes are told where they are.
#[component]
fn Editor() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let network =
        Memo::new(move |_| app.choice.settings.with(|settings| settings.config.network().unwrap_or_default()));
    let change = move |at: &[usize], what: Edit| {
        let Network { mut layers, init } = network.get_untracked();
        // The list is changed in place: where a layer moves, the focus of its button has to follow.
        let follow = match what {
            Edit::Up => Some("↑"),
            Edit::Down => Some("↓"),
            Edit::Remove | Edit::Set(_) | Edit::Add(_) => None,
        };
        let entry = id(&moved(at, &what));
        edit(&mut layers, at, what);
        let mut config = app.choice.settings.with_untracked(|settings| settings.config.clone());
        config.model = Model::Network(Network { layers, init });
        // Bounds are kept at once; what does not fit together is told beside the layer, so that it can be built up.
        match config.check() {
            Ok(()) => {
                app.choice.settings.update(|settings| settings.config = config);
                if let Some(sign) = follow {
                    request_animation_frame(move || {
                        browser::refocus(&entry);
                        browser::refocus(&(entry + sign)); // unless it is disabled there
                    });
                }
            }
            Err(error) => app.notice.set(Some(Notice::Refused(fill(t.refused, &[&error.say(t)]).into()))),
        }
    };
    let add = move |label: String, at: Vec<usize>| {
        let choose = move |event| {
            let chosen = event_target_value(&event);
            event_target::<web_sys::HtmlSelectElement>(&event).set_selected_index(0);
            if let Some(layer) = kinds().into_iter().find(|layer| layer.name() == chosen) {
                change(&at, Edit::Add(layer));
            }
        };
        let text = label.clone();
        view! {
            <select class="editor-add" aria-label=label on:change=choose>
                <option value="">{text}</option>
                {kinds().map(|layer| view! { <option value=layer.name()>{layer.name()}</option> })}
            </select>
        }
    };
    let list = move || {
        let network = network.get();
        let (rows, mistake) = rows(&network);
        let one = |Item { at, layer, is_last }: Item| {
            let name = format!("{}. {}", models::path(&at), layer.name());
            let about = rows.iter().find(|row| row.at == at).map(|row| {
                let numbers = [row.parameters as i64, row.flops as i64].map(grouped);
                let about = format!("{} · {} {} · {} {}", row.shape, numbers[0], t.parameters, numbers[1], t.flops);
                view! { <span class="editor-about muted">{about}</span> }
            });
            let problem = mistake.as_ref().filter(|mistake| place(mistake) == Some(&at)).map(|mistake| {
                view! { <span class="editor-about problem" role="alert">{mistake.say(t)}</span> }
            });
            let inputs = numbers(&layer).into_iter().map(|(number, value)| {
                let (at, layer, kept) = (at.clone(), layer.clone(), value.clone());
                let set = move |event| {
                    let typed = event_target_value(&event);
                    match with_number(&layer, number, &typed) {
                        Some(changed) => change(&at, Edit::Set(changed)),
                        None => {
                            let problem = format!("{} {typed}", number.name(t));
                            app.notice.set(Some(Notice::Refused(fill(t.refused, &[&problem]).into())));
                            event_target::<web_sys::HtmlInputElement>(&event).set_value(&kept);
                        }
                    }
                };
                view! { <label>{number.name(t)}<input type="number" step="any" prop:value=value on:change=set /></label> }
            }).collect_view();
            let inside = match &layer {
                Layer::Residual { layers } => {
                    Some(add(fill(t.add_inside, &[&name]), [&at[..], &[layers.len()]].concat()))
                }
                _ => None,
            };
            let button = |sign: &'static str, verb: &str, disabled: bool, what: Edit| {
                let (at, label) = (at.clone(), format!("{verb}: {name}"));
                let id = id(&at) + sign;
                view! {
                    <button class="quiet" id=id aria-label=label disabled=disabled on:click=move |_| change(&at, what.clone())>
                        {sign}
                    </button>
                }
            };
            view! {
                <li id=id(&at) tabindex="-1" style:margin-left=format!("{}rem", at.len() - 1)>
                    <b>{name.clone()}</b>
                    <span class="editor-buttons">
                        {button("↑", t.up, at.ends_with(&[0]), Edit::Up)}
                        {button("↓", t.down, is_last, Edit::Down)}
                        {button("×", t.remove, false, Edit::Remove)}
                    </span>
                    <span class="editor-numbers">{inputs}{inside}</span>
                    {about}
                    {problem}
                </li>
            }
        };
        let all = items(&network.layers).into_iter().map(one).collect_view();
        let end = mistake.filter(|mistake| place(mistake).is_none()).map(|mistake| {
            view! { <p class="problem" role="alert">{mistake.say(t)}</p> }
        });
        // Before the last layer, which gives the scores.
        let last = vec![network.layers.len().saturating_sub(1)];
        view! { <ol class="editor">{all}</ol>{end}{add(t.add_layer.into(), last)} }
    };
    view! { {list} }
}

/// Of a layer's entry.
fn id(at: &[usize]) -> String {
    format!("layer-{}-", models::path(at))
}

/// Fetches [`Editor`].
#[wasm_split(editor, wasm_split_path = leptos::wasm_split, fallible)]
pub fn editor() -> Fetched {
    Ok((|| view! { <Editor /> }).into())
}
