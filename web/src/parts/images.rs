use leptos::prelude::*;
use protocol::Part;

use crate::app::{App, Browse, Browsed};
use crate::format::{fill, grouped, percent};
use crate::parts::gallery::{Gallery, Shown};
use crate::parts::hint::Card;

/// Images a page.
const PAGE: u32 = 48;

/// The images of the run: how many there are of each digit, and all of them, page by page.
#[component]
pub fn Images() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let open = RwSignal::new(false);
    let browse = app.browse;
    let started = Memo::new(move |_| app.state.with(|state| state.start.is_some()));
    // Nothing is asked before somebody looks.
    Effect::new(move || {
        let wanted = browse.get();
        if open.get() && started.get() {
            app.ask_images(wanted, PAGE);
        }
    });
    let counts = Memo::new(move |_| app.browsed.with(|browsed| browsed.counts.clone()));
    let count = move |class: usize| counts.with(|counts| counts.get(class).copied().unwrap_or_default());
    let all = move || counts.with(|counts| counts.iter().sum::<u64>());
    let bar = move |digit: usize| {
        let most = move || counts.with(|counts| counts.iter().copied().max().unwrap_or_default()).max(1);
        let this = Some(digit as u8);
        let chosen = move || browse.with(|browse| browse.class == this);
        let choose = move |_| {
            browse.update(|browse| {
                *browse = Browse { class: this.filter(|_| browse.class != this), first: 0, ..*browse }
            });
        };
        let share = move || percent(count(digit) as f64 / all().max(1) as f64);
        view! {
            <li>
                <button class="quiet" aria-pressed=move || chosen().to_string() on:click=choose>
                    <b>{digit}</b>
                    <span class="bar"><i style:transform=move || format!("scaleX({})", count(digit) as f64 / most() as f64)></i></span>
                    <span class="value">{move || grouped(count(digit) as i64)}</span>
                    <span class="value">{share}</span>
                </button>
            </li>
        }
    };
    let shown = move || {
        let Browsed { samples, .. } = app.browsed.get();
        let one = |(picture, label): (Vec<u8>, u8)| {
            let label = label.to_string();
            let says = fill(t.to_board, &[&label]);
            Shown { picture, width: samples.size[1], says, label, answer: String::new() }
        };
        samples.pictures.into_iter().zip(samples.labels).map(one).collect::<Vec<_>>()
    };
    // Of those that are chosen.
    let total = move || browse.with(|browse| browse.class).map_or_else(all, |class| count(class.into()));
    let first = move || u64::from(browse.with(|browse| browse.first));
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
        let choose = move |_| browse.update(|browse| *browse = Browse { part: chosen, first: 0, ..*browse });
        let pressed = move || browse.with(|browse| browse.part == chosen).to_string();
        view! { <button aria-pressed=pressed on:click=choose>{name}</button> }
    };
    let turn = move |forward: bool| {
        browse.update(|Browse { first, .. }| *first = if forward { *first + PAGE } else { first.saturating_sub(PAGE) });
    };
    view! {
        <Card name="images" title=t.images hint=t.images_hint>
            <details on:toggle=move |event| open.set(event_target::<web_sys::Element>(&event).has_attribute("open"))>
                <summary>{t.images_open}</summary>
                <div hidden=move || started.get()>
                    <p class="muted">{t.images_empty}</p>
                    <button on:click=move |_| app.step()>{t.images_load}</button>
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
                    <Gallery shown=Signal::derive(shown) places=PAGE as usize />
                </div>
            </details>
        </Card>
    }
}
