//! The little that the page asks of the browser itself.

use js_sys::{Array, Uint8Array};
use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, HtmlAnchorElement, HtmlElement, Url};

use crate::text::{Language, suiting};

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

/// A language whose texts are a file of the site: the page's HTML says which there are.
pub struct Offer {
    /// As HTML's `lang` has it.
    pub tag: String,
    /// In itself.
    pub name: String,
    address: String,
}

/// All that can be chosen beside English.
pub fn offers() -> Vec<Offer> {
    let found = document().query_selector_all("meta[name=texts]").expect("a selector that CSS knows");
    let elements = (0..found.length()).filter_map(|i| found.get(i)?.dyn_into::<web_sys::Element>().ok());
    let offer = |element: web_sys::Element| {
        let [tag, name, address] = ["lang", "title", "content"].map(|name| element.get_attribute(name));
        Some(Offer { tag: tag?, name: name?, address: address? })
    };
    elements.filter_map(offer).collect()
}

/// The language that the visitor chose, or else the browser's, or else English.
///
/// # Errors
/// As [`language`].
pub async fn spoken() -> Result<Language, String> {
    let languages = window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect::<Vec<_>>();
    let offers = offers();
    let english = Language::ENGLISH.tag();
    let tags: Vec<&str> = std::iter::once(english).chain(offers.iter().map(|offer| offer.tag.as_str())).collect();
    language(suiting(recall("language").into_iter().chain(languages), &tags).unwrap_or(english)).await
}

/// The language with this tag, which is offered or English.
///
/// # Errors
/// Its name, where its texts do not come.
pub async fn language(tag: &str) -> Result<Language, String> {
    let Some(Offer { tag, name, address }) = offers().into_iter().find(|offer| offer.tag == tag) else {
        return Ok(Language::ENGLISH);
    };
    let file = text_at(&address).await.ok().and_then(|file| file.as_string()).ok_or(name)?;
    Ok(Language::of(tag, file))
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
    #[wasm_bindgen(js_namespace = keptRuns, catch, js_name = all)]
    async fn all_kept() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = keptRuns, catch)]
    async fn add(text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = keptRuns, catch, js_name = put)]
    async fn put_kept(number: f64, text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = keptRuns, catch)]
    async fn forget(first: f64, last: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(thread_local_v2, js_name = keptRuns)]
    static KEPT_RUNS: JsValue;
    #[wasm_bindgen(js_namespace = leftRuns, catch, js_name = all)]
    async fn all_left() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = leftRuns, catch, js_name = put)]
    async fn put_left(text: &str, bytes: Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = leftRuns, catch, js_name = drop)]
    async fn drop_left(id: Option<&str>) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = shadesOf, catch)]
    async fn shades_of(bytes: Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = textAt, catch)]
    async fn text_at(address: &str) -> Result<JsValue, JsValue>;
}

/// What is kept of runs that have ended: number and text of each.
///
/// # Errors
/// Why nothing is kept here, in the browser's words; likewise below.
pub async fn kept_runs() -> Result<Vec<(u64, String)>, String> {
    let parts: Array = answer(all_kept().await)?;
    let [numbers, texts]: [Array; 2] = [0, 1].map(|i| parts.get(i).into());
    let run = |(number, text): (JsValue, JsValue)| Some((number.as_f64()? as u64, text.as_string()?));
    Ok(numbers.iter().zip(texts.iter()).filter_map(run).collect())
}

/// Keeps the text of a run, and returns its number.
pub async fn keep_run(text: &str) -> Result<u64, String> {
    answer(add(text).await).map(|parts| parts.get(0).as_f64().unwrap_or_default() as u64)
}

/// Replaces the text of a run.
pub async fn keep_again(number: u64, text: &str) -> Result<(), String> {
    answer(put_kept(number as f64, text).await).map(drop)
}

/// Forgets the runs from number `first` to `last`.
pub async fn forget_runs(first: u64, last: u64) -> Result<(), String> {
    answer(forget(first as f64, last as f64).await).map(drop)
}

/// Has `changed` called when another tab keeps or forgets a run.
pub fn on_runs_of_others(changed: impl Fn() + 'static) {
    let changed = Closure::<dyn Fn()>::new(changed).into_js_value();
    // It fails for what is no object.
    let _ = KEPT_RUNS.with(|runs| js_sys::Reflect::set(runs, &"changed".into(), &changed));
}

/// Runs that were left before their end, the latest last: id, text, and the checkpoint that they go on from.
pub async fn left_runs() -> Result<Vec<(String, String, Vec<u8>)>, String> {
    let parts: Array = answer(all_left().await)?;
    let [ids, texts, bytes]: [Array; 3] = [0, 1, 2].map(|i| parts.get(i).into());
    let run = |i: u32| {
        let bytes = bytes.get(i).dyn_into::<Uint8Array>().ok()?;
        Some((ids.get(i).as_string()?, texts.get(i).as_string()?, bytes.to_vec()))
    };
    Ok((0..ids.length()).filter_map(run).collect())
}

/// Keeps the run of this tab, which has not ended, in place of what was kept of it.
pub fn keep_left(text: String, checkpoint: &[u8]) -> impl Future<Output = Result<(), String>> + use<> {
    let bytes = Uint8Array::from(checkpoint); // the one copy
    async move { answer(put_left(&text, bytes).await).map(drop) }
}

/// The run of this id, or of this tab, need not be kept any more.
pub async fn drop_run(id: Option<&str>) -> Result<(), String> {
    answer(drop_left(id).await).map(drop)
}

/// A picture file in shades of gray: width, height and bytes.
pub async fn shades(file: &[u8]) -> Result<(u32, u32, Vec<u8>), String> {
    let parts: Array = answer(shades_of(Uint8Array::from(file)).await)?;
    let side = |i| parts.get(i).as_f64().unwrap_or_default() as u32;
    Ok((side(0), side(1), Uint8Array::new(&parts.get(2)).to_vec()))
}

fn answer(parts: Result<JsValue, JsValue>) -> Result<Array, String> {
    let words =
        |error: JsValue| error.as_string().unwrap_or_else(|| String::from(js_sys::Object::from(error).to_string()));
    parts.map(Array::unchecked_from_js).map_err(words)
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

/// Scrolls to the beginning of the page.
pub fn to_top() {
    window().scroll_to_with_x_and_y(0.0, 0.0);
}

/// Loads the page again.
pub fn reload() {
    let _ = window().location().reload(); // a browser that does not lets the visitor do it
}

/// The page's address, with all settings.
pub fn address() -> String {
    window().location().href().unwrap_or_default()
}

/// The page's address with `fragment` behind `#`.
pub fn address_of(fragment: &str) -> String {
    let address = address();
    let page = address.split('#').next().unwrap_or_default();
    format!("{page}#{fragment}")
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

/// Whether the settings have a column of their own.
pub fn has_room_for_settings() -> bool {
    window().inner_width().ok().and_then(|width| width.as_f64()).is_none_or(|width| width >= 1280.0)
}

/// What the browser calls itself.
pub fn agent() -> String {
    window().navigator().user_agent().unwrap_or_default()
}

/// Whether this browser forgets what a page keeps where it is not visited for a week: Safari does.
pub fn forgets_soon() -> bool {
    let agent = agent();
    agent.contains("Safari/") && !agent.contains("Chrome/") && !agent.contains("Chromium/")
}

/// Takes away what the page showed while it was loading.
pub fn clear() {
    document().body().expect("a document has one").set_inner_html("");
}

/// Whether nobody can see the page: its tab or window is in the background.
pub fn is_hidden() -> bool {
    document().hidden()
}
