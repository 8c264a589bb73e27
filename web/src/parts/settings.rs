use leptos::prelude::*;
use protocol::{DeviceState, EngineName, Length, Model, Rule, RunConfig, presets};

use crate::app::App;
use crate::browser;
use crate::compare::engine_name;
use crate::format::fill;
use crate::notice::Notice;
use crate::parts::card::is_hidden;
use crate::parts::choices::{RULES, about, rule, shape, shape_json};
use crate::parts::course::Course;
use crate::parts::field::{Choice, Entry};
use crate::problem::Problem;

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// What the next run computes, and where.
#[component]
pub fn Settings() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let chosen = move |of: fn(&RunConfig) -> String| {
        Signal::derive(move || app.choice.settings.with(|settings| of(&settings.config)))
    };
    let is = move |test: fn(&RunConfig) -> bool| {
        Memo::new(move |_| app.choice.settings.with(|settings| test(&settings.config)))
    };
    let set = move |path: &'static str, json: &str| {
        if let Err(error) = app.set(path, json) {
            app.notice.set(Some(Notice::Refused(fill(t.refused, &[&error.say(t)]).into())));
        }
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
    };

    let data = Signal::derive(move || {
        let mut options = pairs(&[("digits", t.data_digits), ("mnist", t.data_mnist)]);
        let name = app.choice.settings.with(|settings| settings.config.dataset.name.clone());
        if name == "auto" {
            options.push((name.clone(), t.data_auto.into()));
        }
        if options.iter().all(|(value, _)| *value != name) {
            options.push((name.clone(), name));
        }
        options
    });
    let networks = Signal::derive(move || {
        let all = presets().map(|(name, _)| (name.to_owned(), name.to_owned()));
        let own = app.choice.settings.with(|settings| matches!(settings.config.model, Model::Network(_)));
        all.chain(own.then(|| ("own".to_owned(), t.preset_own.to_owned()))).collect::<Vec<_>>()
    });
    let engines = Signal::derive(move || {
        let devices = app.run.devices.get().unwrap_or_default();
        let ready = |state: &DeviceState| matches!(state, DeviceState::Ready { .. });
        let best =
            devices.iter().find(|report| ready(&report.state)).map_or("…", |report| engine_name(report.engine));
        let mut options = vec![("best".to_owned(), fill(t.engine_best, &[best]))];
        for report in &devices {
            let name = engine_name(report.engine);
            options.push(match &report.state {
                DeviceState::Ready { device, .. } if device.software => {
                    (report.engine.to_string(), fill(t.engine_software, &[name]))
                }
                DeviceState::Ready { .. } => (report.engine.to_string(), name.into()),
                // Only a link chooses what is missing.
                DeviceState::Missing(_) => {
                    let chosen = app.choice.settings.with(|settings| settings.engine == Some(report.engine));
                    let value = if chosen { report.engine.to_string() } else { String::new() };
                    (value, fill(t.engine_missing, &[name]))
                }
            });
        }
        options
    });
    let engine = Signal::derive(move || {
        app.choice.settings.with(|settings| settings.engine.map_or("best".into(), |engine| engine.to_string()))
    });
    let choose_engine = move |name: String| {
        let engine = [EngineName::Wgpu, EngineName::Cpu].into_iter().find(|engine| engine.to_string() == name);
        app.choice.settings.update(|settings| settings.engine = engine);
    };
    let choose_rule = move |name: String| {
        if let Some((_, json, _)) = RULES.iter().find(|(value, ..)| *value == name) {
            set("optimizer.rule", json);
        }
    };
    let choose_shape = move |name: String| set("schedule.shape", &shape_json(&name));
    let choose_preset = move |name: String| app.choose(|settings| settings.with_preset(&name));
    let choose_data = move |name: String| app.choose(|settings| settings.with_data(&name));
    let shapes = Signal::stored(pairs(&[
        ("constant", t.shape_constant),
        ("step", t.shape_step),
        ("exponential", t.shape_exponential),
        ("cosine", t.shape_cosine),
        ("one_cycle", t.shape_one_cycle),
    ]));
    let rules =
        Signal::stored(RULES.iter().map(|(value, _, name)| ((*value).to_owned(), (*name).to_owned())).collect());
    let preset = chosen(|config| match &config.model {
        Model::Preset(name) => name.clone(),
        Model::Network(_) => "own".into(),
    });
    let digits = is(|config| config.dataset.name == "digits");
    let momentum = Memo::new(move |_| {
        app.choice.settings.with(|settings| match settings.config.optimizer.rule {
            Rule::Momentum { .. } => Some("optimizer.rule.momentum.momentum"),
            Rule::Nesterov { .. } => Some("optimizer.rule.nesterov.momentum"),
            _ => None,
        })
    });
    let in_epochs = is(|config| matches!(config.length, Length::Epochs(_)));
    let differs = Memo::new(move |_| app.differs());
    let link = move |_| {
        let copied = browser::copy(&browser::address());
        app.notice.set(Some(if copied {
            Notice::LinkCopied
        } else {
            Notice::Refused(t.copy_yourself.to_owned().into())
        }));
    };
    let hidden = move || is_hidden(app, "settings");
    let now = move || {
        app.choice.settings.with(|settings| {
            let RunConfig { dataset, schedule, .. } = &settings.config;
            let network = match &settings.config.model {
                Model::Preset(name) => name.as_str(),
                Model::Network(_) => t.preset_own,
            };
            format!("{} · {network} · {} {}", dataset.name, rule(&settings.config), schedule.rate)
        })
    };
    view! {
        <details class="settings card" id="settings" open=browser::has_room_for_settings() hidden=hidden>
            <summary><h2 id="settings-title" tabindex="-1">{t.settings}</h2><span class="settings-now">{now}</span></summary>
            <div class="settings-body">
                <Choice
                    label=t.data hint=t.data_hint name="data" options=data wide=true
                    chosen=chosen(|config| config.dataset.name.clone()) on_choose=choose_data
                />
                {move || digits.get().then(|| view! {
                    <Entry
                        label=t.digits hint=t.digits_hint path="dataset.digits" wide=true
                        value=|config| config.dataset.digits.to_string()
                    />
                })}
                <Choice
                    label=t.preset hint=t.preset_hint name="preset" options=networks chosen=preset wide=true
                    on_choose=choose_preset
                />
                <p class="settings-about muted small">{move || about(&preset.read(), t)}</p>
                <Choice
                    label=t.engine hint=t.engine_hint name="engine" options=engines chosen=engine wide=true
                    on_choose=choose_engine
                />
                <Choice
                    label=t.optimizer hint=t.optimizer_hint name="optimizer" options=rules
                    chosen=chosen(|config| rule(config).into()) on_choose=choose_rule
                />
                <Choice
                    label=t.schedule hint=t.schedule_hint name="schedule" options=shapes
                    chosen=chosen(|config| shape(config).into()) on_choose=choose_shape
                />
                <Course />
                <Entry label=t.rate hint=t.rate_hint path="schedule.rate" value=|config| config.schedule.rate.to_string() />
                <Entry label=t.batch hint=t.batch_hint path="batch" value=|config| config.batch.to_string() />
                {move || in_epochs.get().then(|| view! {
                    <Entry label=t.epochs hint=t.epochs_hint path="length.epochs" value=|config| match config.length {
                        Length::Epochs(epochs) => epochs.to_string(),
                        Length::Steps(_) => String::new(),
                    } />
                })}
                {move || (!in_epochs.get()).then(|| view! {
                    <Entry label=t.steps_field hint=t.steps_hint path="length.steps" value=|config| match config.length {
                        Length::Steps(steps) => steps.to_string(),
                        Length::Epochs(_) => String::new(),
                    } />
                })}
                <Entry label=t.seed hint=t.seed_hint path="seed" value=|config| config.seed.to_string() />
                {move || momentum.get().map(|path| view! {
                    <Entry label=t.momentum hint=t.momentum_hint path=path value=|config| match config.optimizer.rule {
                        Rule::Momentum { momentum } | Rule::Nesterov { momentum } => momentum.to_string(),
                        _ => String::new(),
                    } />
                })}
                <details class="settings-more">
                    <summary>{t.more}</summary>
                    <div class="settings-body">
                        <Entry
                            label=t.evaluate_every hint=t.evaluate_hint path="evaluate_every" wide=true
                            value=|config| optional(config.evaluate_every)
                        />
                        <Entry
                            label=t.warm_up hint=t.warm_up_hint path="schedule.warm_up" wide=true
                            value=|config| config.schedule.warm_up.to_string()
                        />
                        <label class="check">
                            <input type="checkbox" prop:checked=move || app.choice.pause_hidden.get() on:change=move |event| {
                                let pause = event_target_checked(&event);
                                browser::remember("pause-hidden", if pause { "true" } else { "false" });
                                app.choice.pause_hidden.set(pause);
                            } />
                            {t.pause_hidden}
                        </label>
                        <h3>{t.stop_when}</h3>
                        <Entry
                            label=t.stop_accuracy hint=t.stop_hint path="stop.accuracy" wide=true
                            value=|config| optional(config.stop.accuracy)
                        />
                        <Entry
                            label=t.stop_patience hint=t.stop_hint path="stop.patience" wide=true
                            value=|config| optional(config.stop.patience)
                        />
                        <Entry
                            label=t.stop_seconds hint=t.stop_hint path="stop.seconds" wide=true
                            value=|config| optional(config.stop.seconds)
                        />
                    </div>
                </details>
                <div class="settings-buttons">
                    <button class="quiet" on:click=link>{t.copy_link}</button>
                    <button class="quiet" on:click=move |_| app.reset()>{t.reset}</button>
                </div>
            </div>
            <div class="settings-wait" role="status" hidden=move || !differs.get()>
                <p>{t.restart_needed}</p>
                <button disabled=move || app.why_not().is_some() on:click=move |_| app.train()>{t.restart}</button>
            </div>
        </details>
    }
}
