//! The little that the page asks of the browser itself.

use js_sys::{Array, Uint8Array};
use leptos::prelude::{document, window};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, HtmlAnchorElement, HtmlElement, Url};

use crate::text::Language;

/// The part of the address after `#`.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default().trim_start_matches('#').into()
}

/// Puts `fragment` after `#` without a new entry in the history; an empty one takes the `#` away.
pub fn set_fragment(fragment: &str) {
    let address = match fragment {
        "" => window().location().pathname().unwrap_or_default(),
        fragment => format!("#{fragment}"),
    };
    if let Ok(history) = window().history() {
        // It fails where a page may not touch its history; then the link is only what it was.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}

/// The language that the visitor chose, or else the browser's.
pub fn language() -> Language {
    let languages = window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect::<Vec<_>>();
    Language::of(recall("language").into_iter().chain(languages))
}

/// What was remembered under `key` on an earlier visit.
pub fn recall(key: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(key).ok()?
}

/// Remembers `value`; in vain where the visitor has forbidden it.
pub fn remember(key: &str, value: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(key, value);
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = keptRuns, catch)]
    async fn all() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = keptRuns, catch)]
    async fn add(text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = keptRuns, catch)]
    async fn forget(last: f64) -> Result<JsValue, JsValue>;
}

/// What is kept of finished runs: number and text of each.
///
/// # Errors
/// Why nothing is kept here, in the browser's words; likewise below.
pub async fn kept_runs() -> Result<Vec<(u64, String)>, String> {
    let parts: Array = answer(all().await)?;
    let [numbers, texts]: [Array; 2] = [0, 1].map(|i| parts.get(i).into());
    let run = |(number, text): (JsValue, JsValue)| Some((number.as_f64()? as u64, text.as_string()?));
    Ok(numbers.iter().zip(texts.iter()).filter_map(run).collect())
}

/// Keeps the text of a run, and returns its number.
pub async fn keep_run(text: &str) -> Result<u64, String> {
    answer(add(text).await).map(|parts| parts.get(0).as_f64().unwrap_or_default() as u64)
}

/// Forgets the runs up to number `last`.
pub async fn forget_runs(last: u64) -> Result<(), String> {
    answer(forget(last as f64).await).map(drop)
}

fn answer(parts: Result<JsValue, JsValue>) -> Result<Array, String> {
    parts.map(Array::unchecked_from_js).map_err(|error| error.as_string().unwrap_or_default())
}

/// Milliseconds since some moment.
pub fn now() -> f64 {
    window().performance().map_or(0.0, |clock| clock.now())
}

/// Where the worker's module is: the page's HTML says so, since the name carries a hash.
pub fn worker_address() -> String {
    let link = document().query_selector("link[data-worker]").ok().flatten();
    link.and_then(|link| link.get_attribute("href")).unwrap_or_else(|| "./worker.js".into())
}

/// The root element, which carries language and appearance.
pub fn root() -> HtmlElement {
    document().document_element().expect("a document has one").unchecked_into()
}

/// Hands `bytes` to the visitor as a file.
pub fn save(name: &str, bytes: &[u8]) {
    let save = || {
        let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)))?;
        let address = Url::create_object_url_with_blob(&blob)?;
        let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
        link.set_href(&address);
        link.set_download(name);
        link.click();
        Url::revoke_object_url(&address)
    };
    if let Err(error) = save() {
        leptos::logging::error!("{error:?}");
    }
}

/// Moves the focus to the element with this id.
pub fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        element.scroll_into_view();
        refocus(id);
    }
}

/// Brings the element with this id into view, if it is not.
pub fn show(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Moves the focus, and the page only as far as it has to.
pub fn refocus(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let element: HtmlElement = element.unchecked_into();
        let _ = element.focus(); // what cannot take it leaves it where it was
    }
}

/// The page's address, with all settings.
pub fn address() -> String {
    window().location().href().unwrap_or_default()
}

/// Puts `text` on the clipboard; in vain where the visitor has forbidden it.
pub fn copy(text: &str) -> bool {
    let clipboard = window().navigator().clipboard();
    let is_there = !clipboard.is_undefined();
    if is_there {
        let _ = clipboard.write_text(text);
    }
    is_there
}

/// The bytes of a file.
///
/// # Errors
/// What the browser says where it cannot be read.
pub async fn read(file: &web_sys::File) -> Result<Vec<u8>, String> {
    let buffer = wasm_bindgen_futures::JsFuture::from(file.array_buffer()).await;
    buffer.map(|buffer| Uint8Array::new(&buffer).to_vec()).map_err(|error| format!("{}: {error:?}", file.name()))
}

/// Brings the first element of this class into view and marks it, in place of any other.
pub fn point_out(class: Option<&str>) {
    if let Ok(Some(before)) = document().query_selector(".pointed") {
        let _ = before.class_list().remove_1("pointed");
    }
    if let Some(Ok(Some(element))) = class.map(|class| document().query_selector(&format!(".{class}"))) {
        let _ = element.class_list().add_1("pointed");
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Center);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Whether the page is wide enough for two columns.
pub fn is_wide() -> bool {
    window().inner_width().ok().and_then(|width| width.as_f64()).is_none_or(|width| width >= 960.0)
}

/// Adds styles to the page.
pub fn add_style(text: &str) {
    let style = document().create_element("style").expect("a name that HTML knows");
    style.set_text_content(Some(text));
    document().head().expect("a document has one").append_child(&style).expect("an element goes anywhere");
}

/// Takes away what the page showed while it was loading.
pub fn clear() {
    document().body().expect("a document has one").set_inner_html("");
}

/// Whether nobody can see the page: its tab or window is in the background.
pub fn is_hidden() -> bool {
    document().hidden()
}
