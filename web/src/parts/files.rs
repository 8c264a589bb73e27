use std::pin::Pin;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use protocol::RunConfig;
use protocol::worker::Request;
use wasm_bindgen::JsCast;
use web_sys::{File, FileList, HtmlInputElement};

use crate::app::App;
use crate::browser;
use crate::checkpoint::Unusable;
use crate::failure::trouble_of;
use crate::kept::{Place, from_events, from_json, is_log};
use crate::notice::Notice;
use crate::parts::card::Panel;
use crate::parts::later::{Fetched, Folded};
use crate::parts::links::links;
use crate::problem::Problem;
use crate::shapes::rows;

/// Largest file that is read, in bytes: above any checkpoint of a network that is within bounds, and any image set.
const MOST: u64 = 700_000_000;

/// Checkpoints to keep, files to open, and links for lessons.
#[component]
fn Files() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let can_save = Memo::new(move |_| app.run.state.with(|state| state.start.is_some() && !state.is_past));
    let choose = move |event: web_sys::Event| {
        let input: HtmlInputElement = event_target(&event);
        app.open_files(input.files());
        input.set_value(""); // so that the same file can be chosen again
    };
    view! {
        <Panel name="files" hint=t.files_hint>
            <div class="files-buttons">
                <button id="save" disabled=move || !can_save.get() on:click=move |_| app.save()>{t.save}</button>
                <label class="button">
                    {t.open}
                    <input type="file" multiple=true on:change=choose />
                </label>
            </div>
            <p class="muted">{t.drop}</p>
            <Folded title=t.links part=links />
        </Panel>
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
            match open(self, read).await {
                Ok(opening) => {
                    if let Err(notice) = opening.await {
                        self.notice.set(Some(notice));
                    }
                }
                Err(_) => self.notice.set(Some(Notice::PartMissing)),
            }
        });
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
        self.take(config);
        Ok(())
    }
}

/// Takes what files hold.
async fn opened(app: App, mut files: Vec<(String, Vec<u8>)>) -> Result<(), Notice> {
    let kind = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match &mut files[..] {
        [(name, bytes)] if kind(name) == "safetensors" => {
            app.open_checkpoint(std::mem::take(bytes)).map_err(|unusable| match unusable {
                Unusable::Other => Notice::UnknownFile(name.clone()),
                Unusable::Damaged => Notice::Damaged(name.clone()),
            })?;
        }
        [(name, bytes)] if ["json", "jsonl", "ndjson", "txt", "log"].contains(&kind(name).as_str()) => {
            let text = data::text(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned());
            open_text(app, &text)?;
        }
        [(name, bytes)] if ["png", "jpg", "jpeg", "webp", "gif", "bmp", "avif"].contains(&kind(name).as_str()) => {
            let (width, height, gray) = browser::shades(bytes).await.map_err(|_| Notice::NoPicture(name.clone()))?;
            let picture = data::prepare::pixels(&paper_is_black(gray), width, height);
            app.put_on_board(&picture.map_err(|_| Notice::NoPicture(name.clone()))?);
        }
        all => {
            if let Some((name, _)) = all.iter().find(|(name, _)| !name.contains("idx")) {
                return Err(Notice::UnknownFile(name.clone()));
            }
            let names = all.iter().map(|(name, _)| name.clone()).collect();
            let buffers: Vec<&[u8]> = all.iter().map(|(_, bytes)| bytes.as_slice()).collect();
            app.ask(&Request::Files { name: "own".into(), names }, &buffers);
        }
    }
    Ok(())
}

/// Runs that the page has saved, a run that the command line told of, or a configuration.
fn open_text(app: App, text: &str) -> Result<(), Notice> {
    if let Some(runs) = from_json(text) {
        app.notice.set(Some(Notice::Listed { number: runs.len(), failure: None }));
        app.keep_all(runs);
    } else if let Some(run) = from_events(text) {
        let t = app.language.get_untracked().texts();
        let failure = trouble_of(&run, t).map(|trouble| trouble.message);
        app.notice.set(Some(Notice::Listed { number: 1, failure }));
        app.keep(run, Place::File);
    } else if is_log(text) {
        return Err(Notice::UnfinishedLog);
    } else {
        app.open_config(text).map_err(|message| Notice::Refused(message.into()))?;
    }
    Ok(())
}

type Opening = Pin<Box<dyn Future<Output = Result<(), Notice>>>>;

/// Fetches [`opened`], and calls it.
#[wasm_split(open, wasm_split_path = leptos::wasm_split, fallible)]
fn open(app: App, files: Vec<(String, Vec<u8>)>) -> Result<Opening, SplitLoaderError> {
    Ok(Box::pin(opened(app, files)))
}

/// Dark ink on light paper, as pictures mostly have it, becomes light ink on black.
fn paper_is_black(mut gray: Vec<u8>) -> Vec<u8> {
    let sum: u64 = gray.iter().copied().map(u64::from).sum();
    if sum > 127 * gray.len() as u64 {
        gray.iter_mut().for_each(|shade| *shade = 255 - *shade);
    }
    gray
}

/// Takes files that are dropped anywhere on the page; text goes where it is dropped.
pub fn listen(app: App, dragging: RwSignal<bool>) {
    let has_files = |event: &web_sys::DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
    };
    // Without the first a browser opens what is dropped in place of the page.
    let over = window_event_listener(leptos::ev::dragover, move |event| {
        if has_files(event.unchecked_ref()) {
            event.prevent_default();
            dragging.set(true);
        }
    });
    let left = window_event_listener(leptos::ev::dragleave, move |event| {
        let event: &web_sys::DragEvent = event.unchecked_ref();
        if event.related_target().is_none() {
            dragging.set(false);
        }
    });
    let dropped = window_event_listener(leptos::ev::drop, move |event| {
        dragging.set(false);
        let event: &web_sys::DragEvent = event.unchecked_ref();
        if has_files(event) {
            event.prevent_default();
            app.open_files(event.data_transfer().and_then(|data| data.files()));
        }
    });
    on_cleanup(move || {
        over.remove();
        left.remove();
        dropped.remove();
    });
}

/// Fetches [`Files`].
#[wasm_split(files, wasm_split_path = leptos::wasm_split, fallible)]
pub fn files_panel() -> Fetched {
    Ok((|| view! { <Files /> }).into())
}
