use leptos::prelude::*;
use protocol::Command;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::app::App;
use crate::browser;
use crate::failure::{Remedy, Trouble, trouble_of};
use crate::format::{fill, grouped};
use crate::link::Settings as Chosen;
use crate::parts::bar::Bar;
use crate::parts::card::is_hidden;
use crate::parts::curves::curves;
use crate::parts::files;
use crate::parts::header::Header;
use crate::parts::help::help;
use crate::parts::later::Later;
use crate::parts::settings::Settings;
use crate::parts::sketch::Sketch;
use crate::parts::strip::Strip;
use crate::parts::tabs::Tabs;
use crate::parts::tour::tour;
use crate::state::{RunState, Stage};
use crate::text::Language;

/// The whole page.
#[component]
pub fn Page(
    /// What it speaks at first, or the name of the language whose texts did not come.
    spoken: Result<Language, String>,
) -> impl IntoView {
    let app = App::start(spoken);
    provide_context(app);
    let dragging = RwSignal::new(false);
    files::listen(app, dragging);
    // The first visit begins with the tour, unless it follows a link with a task of its own.
    let touring = RwSignal::new(browser::recall("tour").is_none() && !app.choice.linked);
    let helping = RwSignal::new(false);
    let keys = window_event_listener(leptos::ev::keydown, move |event| match event.key().as_str() {
        "Escape" if touring.get_untracked() => touring.set(false),
        "Escape" if helping.get_untracked() => helping.set(false),
        _ => shortcut(app, &event),
    });
    let link = window_event_listener(leptos::ev::hashchange, move |_| app.read_link());
    let hidden = window_event_listener(leptos::ev::visibilitychange, move |_| {
        app.pause_if_hidden();
        app.save_if_due();
    });
    on_cleanup(move || {
        keys.remove();
        link.remove();
        hidden.remove();
    });
    Effect::new(move || {
        app.choice.settings.with(|settings| match *settings == Chosen::default() {
            true => browser::set_fragment(""),
            false => browser::set_fragment(&settings.to_link()),
        })
    });
    // Before a run the network that is chosen answers as it is: untrained.
    Effect::new(move || {
        app.choice.settings.track();
        if app.run.devices.with(Option::is_some) && app.run.state.with(|state| state.stage == Stage::Idle) {
            app.ask_preview();
        }
    });
    view! {
        <div class="page">
            <Header help=helping />
            // Everything else is made anew in another language: texts are plain then, not signals.
            {move || {
                app.language.track();
                view! { <Body touring helping dragging /> }
            }}
        </div>
    }
}

#[component]
fn Body(touring: RwSignal<bool>, helping: RwSignal<bool>, dragging: RwSignal<bool>) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    view! {
        <Bar />
        <div class="alerts" role="alert"><Notices /></div>
        {move || helping.get().then(|| view! { <Later part=move || help(helping, touring) /> })}
        <main class="work" id="results" tabindex="-1" aria-label=t.results>
            <Settings />
            <Strip />
            <Sketch />
            <div class="charts" id="charts" hidden=move || is_hidden(app, "charts")><Later part=curves /></div>
            <Tabs />
        </main>
        {move || touring.get().then(|| view! { <div class="tour-place"><Later part=move || tour(touring) /></div> })}
        <div class="drop" hidden=move || !dragging.get() aria-hidden="true"><p>{t.drop_here}</p></div>
    }
}

/// What the page has to tell, what is wrong with the run, and the run that was left.
#[component]
fn Notices() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let notice = move || {
        app.notice.get().map(|notice| {
            view! {
                <div class="notice" class:problem=notice.is_problem()>
                    <p>{notice.say(t)}</p>
                    {notice.remedy().map(|remedy| remedy_button(app, remedy))}
                    {notice.can_be_undone().then(|| view! { <button class="undo" on:click=move |_| app.undo()>{t.undo}</button> })}
                    {notice.needs_reload().then(|| view! { <button on:click=move |_| browser::reload()>{t.reload}</button> })}
                    <button class="quiet" on:click=move |_| app.notice.set(None)>{t.close}</button>
                </div>
            }
        })
    };
    // A trouble stays until it is closed or another run begins.
    let closed = RwSignal::new(None::<String>);
    let ended = Memo::new(move |_| app.run.state.with(|state| trouble_of(state, t)));
    let trouble = move || {
        let Trouble { message, remedy } =
            ended.get().filter(|trouble| closed.read().as_ref() != Some(&trouble.message))?;
        let close = message.clone();
        let help = remedy.map(|remedy| remedy_button(app, remedy));
        Some(view! {
            <div class="notice problem">
                <p>{message}</p>
                {help}
                <button class="quiet" on:click=move |_| closed.set(Some(close.clone()))>{t.close}</button>
            </div>
        })
    };
    let left = move || {
        app.run.left.with(|left| {
            let (_, state, _) = left.as_ref()?;
            Some(view! {
                <div class="notice left">
                    <p>{say_left(state, app)}</p>
                    <button id="go-on" on:click=move |_| app.go_on()>{t.go_on}</button>
                    <button class="quiet" id="give-up" on:click=move |_| app.give_up_left()>{t.give_up}</button>
                </div>
            })
        })
    };
    view! { {notice} {trouble} {left} }
}

fn remedy_button(app: App, remedy: Remedy) -> impl IntoView {
    let t = app.language.get_untracked().texts();
    let label = match remedy {
        Remedy::Cpu => t.on_cpu.to_owned(),
        Remedy::Calmer(rate) => fill(t.train_calmer, &[&rate.to_string()]),
    };
    view! { <button class="remedy" on:click=move |_| app.remedy(remedy)>{label}</button> }
}

fn say_left(state: &RunState, app: App) -> String {
    let t = app.language.get_untracked().texts();
    let start = state.start.as_ref();
    let network = match start.map(|start| &start.config.model) {
        Some(protocol::Model::Preset(name)) => name.clone(),
        _ => t.preset_own.into(),
    };
    let steps = start.map_or(0, |start| start.steps);
    fill(t.left_behind, &[&network, &grouped(state.step as i64), &grouped(steps as i64)])
}

/// Keys that do what buttons do, except where one types or draws, or wants none.
fn shortcut(app: App, event: &web_sys::KeyboardEvent) {
    let typing = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let typing =
        typing.is_some_and(|element| ["INPUT", "SELECT", "TEXTAREA", "CANVAS"].contains(&element.tag_name().as_str()));
    let other = event.ctrl_key() || event.meta_key() || event.alt_key() || event.repeat();
    if typing || other || !app.choice.keys.get_untracked() {
        return;
    }
    // Where letters are others, the place on the keyboard counts.
    let key = event.key().to_lowercase();
    let code = event.code().to_lowercase();
    let key = if key.is_ascii() { key.as_str() } else { code.trim_start_matches("key") };
    let (live, started) =
        app.run.state.with_untracked(|state| (state.stage.is_live(), state.start.is_some() && !state.is_past));
    match key {
        // It begins a run and never ends one: that of a lesson would be gone by one key.
        "t" if !live => app.train_or_pause(),
        "p" if live => app.train_or_pause(),
        "s" => app.step(),
        "r" if started => app.tell(Command::Rewind),
        "x" if live => app.tell(Command::Stop),
        _ => {}
    }
}
