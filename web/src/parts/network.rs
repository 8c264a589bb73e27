use leptos::prelude::*;
use leptos::wasm_split::wasm_split;

use crate::app::App;
use crate::format::grouped;
use crate::parts::card::Panel;
use crate::parts::editor::editor;
use crate::parts::json::json;
use crate::parts::later::{Fetched, Folded};
use crate::problem::Problem;
use crate::shapes::{Row, rows};

/// The layers of the network that is chosen, with what each makes of an image; and the whole run as JSON.
#[component]
fn Layers() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let network = Memo::new(move |_| app.choice.settings.with(|settings| settings.config.network()));
    let table = move || {
        let (rows, mistake) = match network.get() {
            Ok(network) => {
                let (rows, mistake) = rows(&network);
                (rows, mistake.map(|mistake| mistake.say(t)))
            }
            Err(error) => (vec![], Some(error.say(t))),
        };
        // A block's numbers contain those of the layers inside it.
        let outermost = rows.iter().filter(|row| row.at.len() == 1);
        let (parameters, flops) = outermost.fold((0, 0), |a, row| (a.0 + row.parameters, a.1 + row.flops as usize));
        let one = |row: Row| {
            view! {
                <tr>
                    <th scope="row" style:padding-left=format!("{}rem", row.at.len() - 1)>{row.name}</th>
                    <td>{row.shape}</td><td>{grouped(row.parameters as i64)}</td><td>{grouped(row.flops as i64)}</td>
                </tr>
            }
        };
        let total = mistake.is_none().then(|| {
            view! {
                <tfoot><tr>
                    <th scope="row">{t.total}</th><td></td>
                    <td>{grouped(parameters as i64)}</td><td>{grouped(flops as i64)}</td>
                </tr></tfoot>
            }
        });
        view! {
            <div class="scroll" tabindex="0" role="group" aria-label=t.network><table>
                <thead><tr>
                    <th scope="col">{t.layer}</th><th scope="col">{t.shape}</th>
                    <th scope="col">{t.parameters}</th><th scope="col">{t.flops}</th>
                </tr></thead>
                <tbody>{rows.into_iter().map(one).collect_view()}</tbody>
                {total}
            </table></div>
            {mistake.map(|mistake| view! { <p class="problem" role="alert">{mistake}</p> })}
        }
    };
    view! {
        <Panel name="network" hint=t.network_hint>
            {table}
            <Folded title=t.edit part=editor />
            <Folded title=t.edit_json part=json />
        </Panel>
    }
}

/// Fetches [`Layers`].
#[wasm_split(layers, wasm_split_path = leptos::wasm_split, fallible)]
pub fn layers() -> Fetched {
    Ok((|| view! { <Layers /> }).into())
}
