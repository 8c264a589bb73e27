use leptos::prelude::*;
use leptos::wasm_split::wasm_split;
use protocol::Part;

use crate::app::App;
use crate::format::{fill, grouped, percent};
use crate::parts::card::Panel;
use crate::parts::gallery::{Gallery, labelled};
use crate::parts::later::Fetched;
use crate::signals::Browse;

/// Images a page.
const PAGE: u32 = 48;

/// The images of the run: how many there are of each digit, and all of them, page by page.
#[component]
fn Images() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let browse = app.data.browse;
    let started = Memo::new(move |_| app.run.state.with(|state| state.start.is_some()));
    // Nothing is asked before somebody looks: the tab is made when it is opened.
    Effect::new(move || {
        let wanted = browse.get();
        if started.get() {
            app.ask_images(wanted, PAGE);
        }
    });
    let count = move |class: usize| app.data.counts.get().get(class).copied().unwrap_or_default();
    let all = move || app.data.counts.get().into_iter().sum::<u64>();
    let bar = move |digit: usize| {
        let most = move || app.data.counts.get().into_iter().max().unwrap_or_default().max(1);
        let this = Some(digit as u8);
        let choose = move |_| {
            let now = browse.get_untracked();
            browse.set(Browse { class: this.filter(|_| now.class != this), first: 0, ..now });
        };
        let share = move || percent(count(digit) as f64 / all().max(1) as f64);
        view! {
            <li>
                <button class="quiet" aria-pressed=move || (browse.get().class == this).to_string() on:click=choose>
                    <b>{digit}</b>
                    <span class="track"><i style:transform=move || format!("scaleX({})", count(digit) as f64 / most() as f64)></i></span>
                    <span class="value">{move || grouped(count(digit) as i64)}</span>
                    <span class="value">{share}</span>
                </button>
            </li>
        }
    };
    let shown = move || labelled(app.data.browsed.get(), t);
    // Of those that are chosen.
    let total = move || browse.get().class.map_or_else(all, |class| count(class.into()));
    let first = move || u64::from(browse.get().first);
    let last = move || (first() + u64::from(PAGE)).min(total());
    let at_end = move || last() == total();
    let place = move || match total() {
        0 => t.images_none.into(),
        total => fill(
            t.images_place,
            &[first() + 1, last(), total].map(|n| grouped(n as i64)).each_ref().map(String::as_str),
        ),
    };
    let parts = [(Part::Training, t.training), (Part::Validation, t.validation), (Part::Test, t.test)];
    let choose_part = move |chosen: Part, name: &'static str| {
        let choose = move |_| browse.set(Browse { part: chosen, first: 0, ..browse.get_untracked() });
        let pressed = move || (browse.get().part == chosen).to_string();
        view! { <button aria-pressed=pressed on:click=choose>{name}</button> }
    };
    let turn = move |forward: bool| {
        let now = browse.get_untracked();
        let first = if forward { now.first + PAGE } else { now.first.saturating_sub(PAGE) };
        browse.set(Browse { first, ..now });
    };
    view! {
        <Panel name="images" hint=t.images_hint>
            <div hidden=move || started.get()>
                <p class="muted">{t.images_empty}</p>
                <button on:click=move |_| app.prepare()>{t.images_load}</button>
            </div>
            <div hidden=move || !started.get()>
                <div class="images-parts" role="group" aria-label=t.images>
                    {parts.map(|(part, name)| choose_part(part, name))}
                </div>
                <ol class="images-classes" aria-label=t.images_classes>{(0..10).map(bar).collect_view()}</ol>
                <div class="images-pages">
                    <button disabled=move || first() == 0 on:click=move |_| turn(false)>{t.images_back}</button>
                    <p class="muted" role="status">{place}</p>
                    <button
                        disabled=at_end on:click=move |_| turn(true)
                    >
                        {t.images_next}
                    </button>
                </div>
                <Gallery shown=Box::new(shown) places=PAGE as usize />
            </div>
        </Panel>
    }
}

/// Fetches [`Images`].
#[wasm_split(images, wasm_split_path = leptos::wasm_split, fallible)]
pub fn images() -> Fetched {
    Ok((|| view! { <Images /> }).into())
}
