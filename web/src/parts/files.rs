use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::RunConfig;
use protocol::worker::Request;
use wasm_bindgen::JsCast;
use web_sys::{File, FileList, HtmlInputElement};

use crate::app::App;
use crate::browser;
use crate::kept::from_events;
use crate::notice::Notice;
use crate::parts::hint::Card;
use crate::problem::Problem;
use crate::shapes::rows;

/// Largest file that is read, in bytes: above any checkpoint of a network that is within bounds, and any image set.
const MOST: u64 = 700_000_000;

/// Checkpoints to keep, and files to open.
#[component]
pub fn Files() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let can_save = Memo::new(move |_| app.run.state.with(|state| state.start.is_some()));
    let choose = move |event: web_sys::Event| {
        let input: HtmlInputElement = event_target(&event);
        app.open_files(input.files());
        input.set_value(""); // so that the same file can be chosen again
    };
    view! {
        <Card name="files" title=t.files hint=t.files_hint>
            <div class="files-buttons">
                <button id="save" disabled=move || !can_save.get() on:click=move |_| app.save()>{t.save}</button>
                <label class="button">
                    {t.open}
                    <input type="file" multiple=true on:change=choose />
                </label>
            </div>
            <p class="muted">{t.drop}</p>
        </Card>
    }
}

impl App {
    /// Opens files that the visitor chose or dropped.
    pub fn open_files(self, files: Option<FileList>) {
        let files: Vec<File> =
            files.iter().flat_map(|files| (0..files.length()).filter_map(|i| files.get(i))).collect();
        if files.is_empty() {
            return;
        }
        if let Some(large) = files.iter().find(|file| file.size() > MOST as f64) {
            return self.notice.set(Some(Notice::LargeFile { name: large.name(), most: MOST }));
        }
        spawn_local(async move {
            let mut read = vec![];
            for file in files {
                match browser::read(&file).await {
                    Ok(bytes) => read.push((file.name(), bytes)),
                    Err(message) => return self.notice.set(Some(Notice::Refused(message.into()))),
                }
            }
            if let Err(notice) = self.open(read) {
                self.notice.set(Some(notice));
            }
        });
    }

    fn open(self, mut files: Vec<(String, Vec<u8>)>) -> Result<(), Notice> {
        let kind = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        match &mut files[..] {
            [(name, bytes)] if kind(name) == "safetensors" => {
                if !self.open_checkpoint(std::mem::take(bytes)) {
                    return Err(Notice::UnknownFile(name.clone()));
                }
            }
            [(name, bytes)] if ["json", "jsonl", "ndjson", "txt", "log"].contains(&kind(name).as_str()) => {
                let text = data::text(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned());
                match from_events(&text) {
                    Some(run) => self.keep(run),
                    None => self.open_config(&text).map_err(|message| Notice::Refused(message.into()))?,
                }
            }
            all => {
                if let Some((name, _)) = all.iter().find(|(name, _)| !name.contains("idx")) {
                    return Err(Notice::UnknownFile(name.clone()));
                }
                let names = all.iter().map(|(name, _)| name.clone()).collect();
                let buffers: Vec<&[u8]> = all.iter().map(|(_, bytes)| bytes.as_slice()).collect();
                self.ask(&Request::Files { name: "own".into(), names }, &buffers);
            }
        }
        Ok(())
    }

    /// Takes a whole configuration.
    ///
    /// # Errors
    /// What is wrong with it, in words; nothing changes then.
    pub fn open_config(self, json: &str) -> Result<(), String> {
        let t = self.language.get_untracked().texts();
        let config = RunConfig::from_json(json).map_err(|error| error.say(t))?;
        if let Some(mistake) = rows(&config.network().map_err(|error| error.say(t))?).1 {
            return Err(mistake.say(t));
        }
        self.choice.settings.update(|settings| settings.config = config);
        Ok(())
    }
}

/// Takes files that are dropped anywhere on the page.
pub fn listen(app: App) {
    // Without the first a browser opens what is dropped in place of the page.
    let over = window_event_listener(leptos::ev::dragover, |event| event.prevent_default());
    let dropped = window_event_listener(leptos::ev::drop, move |event| {
        event.prevent_default();
        let event: &web_sys::DragEvent = event.unchecked_ref();
        app.open_files(event.data_transfer().and_then(|data| data.files()));
    });
    on_cleanup(move || (over.remove(), dropped.remove()).0);
}
