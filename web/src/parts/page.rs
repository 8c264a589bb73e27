use leptos::prelude::*;
use protocol::Command;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::app::App;
use crate::browser;
use crate::link::Settings;
use crate::parts::confusion::Confusion;
use crate::parts::controls::Controls;
use crate::parts::curves::Curves;
use crate::parts::device::Devices;
use crate::parts::figures::Figures;
use crate::parts::files::{self, Files};
use crate::parts::header::Header;
use crate::parts::images::Images;
use crate::parts::mistakes::Mistakes;
use crate::parts::network::Layers;
use crate::parts::run_panel::RunPanel;
use crate::parts::runs::Runs;
use crate::parts::sketch::Sketch;
use crate::parts::strip::Strip;
use crate::parts::timing::Timing;
use crate::parts::tour::Tour;
use crate::problem::trouble_of;

/// The whole page.
#[component]
pub fn Page() -> impl IntoView {
    let app = App::start();
    provide_context(app);
    files::listen(app);
    let keys = window_event_listener(leptos::ev::keydown, move |event| shortcut(app, &event));
    let link = window_event_listener(leptos::ev::hashchange, move |_| app.read_link());
    let hidden = window_event_listener(leptos::ev::visibilitychange, move |_| app.pause_if_hidden());
    on_cleanup(move || {
        keys.remove();
        link.remove();
        hidden.remove();
    });
    Effect::new(move || {
        app.choice.settings.with(|settings| match *settings == Settings::default() {
            true => browser::set_fragment(""),
            false => browser::set_fragment(&settings.to_link()),
        })
    });
    // The first visit begins with the tour, unless it follows a link with a task of its own.
    let tour = RwSignal::new(browser::recall("tour").is_none() && !app.choice.linked);
    view! {
        <Header on_tour=move |()| tour.set(true) />
        // Everything else is made anew in another language: texts are plain then, not signals.
        {move || {
            app.language.track();
            view! { <Body tour /> }
        }}
    }
}

#[component]
fn Body(tour: RwSignal<bool>) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let notice = move || {
        app.notice.get().map(|notice| {
            view! {
                <div class="notice" class:problem=notice.is_problem()>
                    <p>{notice.say(t)}</p>
                    <button class="quiet" on:click=move |_| app.notice.set(None)>{t.close}</button>
                </div>
            }
        })
    };
    // A failure stays until it is closed or another run begins.
    let closed = RwSignal::new(None::<String>);
    let ended = Memo::new(move |_| app.run.state.with(|state| trouble_of(state, t)));
    let trouble = move || {
        ended.get().filter(|message| closed.read().as_ref() != Some(message)).map(|message| {
            view! {
                <div class="notice problem">
                    <p>{message.clone()}</p>
                    <button class="quiet" on:click=move |_| closed.set(Some(message.clone()))>{t.close}</button>
                </div>
            }
        })
    };
    view! {
        <div class="top">
            <Controls />
            <div class="alerts" role="alert">{notice}{trouble}</div>
        </div>
        <div class="columns">
            <aside
                class="settings card"
                hidden=move || app.choice.settings.with(|settings| settings.hide.iter().any(|name| name == "settings"))
                aria-labelledby="settings-title"
            >
                <details open=browser::is_wide()>
                    <summary><h2 id="settings-title">{t.settings}</h2></summary>
                    <RunPanel />
                </details>
            </aside>
            <main id="results" tabindex="-1" aria-label=t.results>
                <Figures />
                <Curves />
                <Strip />
                <Sketch />
                <Mistakes />
                <Confusion />
                <Images />
                <div class="pair"><Timing /><Devices /></div>
                <div class="pair"><Layers /><div class="stack"><Runs /><Files /></div></div>
            </main>
        </div>
        <footer class="muted"><b>{t.shortcuts}</b>" "{t.shortcuts_text}</footer>
        <Tour open=tour />
    }
}

/// Keys that do what buttons do, except where one types or draws.
fn shortcut(app: App, event: &web_sys::KeyboardEvent) {
    let typing = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let typing =
        typing.is_some_and(|element| ["INPUT", "SELECT", "TEXTAREA", "CANVAS"].contains(&element.tag_name().as_str()));
    if typing || event.ctrl_key() || event.meta_key() || event.alt_key() || event.repeat() {
        return;
    }
    let (live, started) = app.run.state.with_untracked(|state| (state.stage.is_live(), state.start.is_some()));
    match event.key().as_str() {
        "t" => app.train(),
        "p" => app.pause_or_resume(),
        "s" => app.step(),
        "r" if started => app.tell(Command::Rewind),
        "x" if live => app.tell(Command::Stop),
        _ => {}
    }
}
