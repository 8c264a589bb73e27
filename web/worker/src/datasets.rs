//! Data sets: drawn here, fetched from the site, or given by the visitor.

use std::collections::BTreeMap;

use data::{
    DataError, SIDE,
    files::{Dataset, File, MNIST, spellings},
    gzip, idx,
};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use protocol::{
    Cause, Failure,
    worker::{Reply, Work},
};
use train::Set;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_time::Instant;

use crate::line::Line;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = self)]
    fn fetch(address: &str) -> Promise;

    /// Of `web/worker.js`: a stream of what a gzip file holds.
    #[wasm_bindgen(js_namespace = self)]
    fn unpack(bytes: &[u8]) -> JsValue;
}

/// What is there: the visitor's sets, and the last one that was drawn or fetched, with the number of digits asked for.
#[derive(Default)]
pub(crate) struct Store {
    given: BTreeMap<String, Set>,
    last: Option<(Set, usize)>,
}

impl Store {
    /// A data set by its name in a configuration; `count` is the number of training images to draw.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(crate) async fn load(&mut self, name: &str, count: usize, line: &Line) -> Result<Set, Failure> {
        if let Some(set) = self.given.get(name) {
            return Ok(set.clone());
        }
        let is_wanted = |set: &Set, digits: usize| match name {
            "auto" => set.name == MNIST.name,
            "digits" => set.name == name && digits == count,
            _ => set.name == name,
        };
        if let Some((set, _)) = self.last.as_ref().filter(|(set, digits)| is_wanted(set, *digits)) {
            return Ok(set.clone());
        }
        let clock = Instant::now();
        let to_fetch = match (name, Dataset::by_name(name)) {
            ("digits", _) => None,
            ("auto", _) => is_on_site(&MNIST).await.is_ok_and(|there| there).then_some(MNIST),
            (_, Some(dataset)) => match is_on_site(&dataset).await {
                Ok(true) => Some(dataset),
                Ok(false) => return Err(absent(name)),
                Err(words) => return Err(unreachable(name, &words)),
            },
            (_, None) => return Err(absent(name)),
        };
        self.last = None; // there may not be room for both
        let set = match to_fetch {
            Some(dataset) => fetched(&dataset, line, clock).await?,
            None => drawn(count, line)?,
        };
        self.last = Some((Set { download: 0.0, ..set.clone() }, count)); // the next run need not wait for it
        Ok(set)
    }

    /// Takes the visitor's four files: images and labels to learn from, and for the test.
    ///
    /// # Errors
    /// Which file is missing, or what is wrong with one. Images must be of the size that is drawn on the page.
    pub(crate) async fn give(
        &mut self,
        name: String,
        names: &[String],
        buffers: Vec<Vec<u8>>,
    ) -> Result<[u64; 2], Failure> {
        let mut four = vec![];
        for file in MNIST.files() {
            let wanted = file.name.trim_end_matches(".gz");
            let spellings = spellings(wanted);
            let found = names.iter().position(|name| spellings.iter().any(|spelling| name.ends_with(spelling)));
            let bytes = found.and_then(|i| buffers.get(i));
            let bytes = bytes.ok_or_else(|| Failure {
                message: format!("a file `{wanted}` is missing: drop all four files at once"),
                cause: Some(Cause::MissingFile(wanted.into())),
            })?;
            four.push(unpacked(bytes).await.map_err(|error| bad(format!("{wanted}: {error}")))?);
        }
        let set = pool(name.clone(), &four)?;
        let data::Images { height, width, .. } = *set.images;
        if (height, width) != (SIDE, SIDE) {
            let message = format!(
                "the images are {height}×{width}, but this page draws and shows {SIDE}×{SIDE}: use the command line"
            );
            return Err(Failure { message, cause: Some(Cause::OtherSize([height, width])) });
        }
        let images = [set.training as u64, (set.images.len() - set.training) as u64];
        self.given.insert(name, set);
        Ok(images)
    }
}

/// What to do without a data set.
const INSTEAD: &str = "drop its four IDX files on the page, or train on the built-in digits";

/// Nobody has put the data set here.
fn absent(name: &str) -> Failure {
    let owner = match name == MNIST.name {
        true => " (whoever runs this site sets PLAYGROUND_DATA when building it)",
        false => "",
    };
    Failure {
        message: format!("there is no data set `{name}` here{owner}: {INSTEAD}"),
        cause: Some(Cause::NoDataSet(name.into())),
    }
}

/// It cannot be told whether the site has the data set.
fn unreachable(name: &str, words: &str) -> Failure {
    let message = format!(
        "the data set `{name}` does not come from this site ({words}), which is asked for it by the first run that wants \
         it: see whether you are online and try again; or {INSTEAD}"
    );
    Failure { message, cause: Some(Cause::Unreachable) }
}

/// What is wrong with a file.
fn bad(message: String) -> Failure {
    Failure { message, cause: Some(Cause::BadFile) }
}

fn drawn(count: usize, line: &Line) -> Result<Set, Failure> {
    line.tell(&Reply::Progress { what: Work::Data, done: 0, total: None });
    Ok(Set::digits(count).map_err(|error| error.to_string())?)
}

/// Where a file of a data set is: beside the page, as is the worker's own script.
fn address(dataset: &Dataset, file: &File) -> String {
    format!("./data/{}/{}", dataset.name, file.name)
}

/// Whether the site has a data set: its smallest file says so.
///
/// # Errors
/// Why nobody knows.
async fn is_on_site(dataset: &Dataset) -> Result<bool, String> {
    let smallest = dataset.test.labels;
    match get(&address(dataset, &smallest), smallest.bytes, |_| {}).await {
        // Some hosts answer everything with a page.
        Ok(bytes) => Ok(unpacked(&bytes).await.is_ok_and(|content| smallest.check(&bytes, &content).is_ok())),
        Err(Fault::Absent(_)) => Ok(false),
        Err(Fault::Unreachable(words)) => Err(words),
    }
}

/// The data set, whose download began at `clock`.
async fn fetched(dataset: &Dataset, line: &Line, clock: Instant) -> Result<Set, Failure> {
    let total = dataset.files().iter().map(|file| file.bytes).sum();
    let mut before = 0;
    let mut packed = vec![];
    for file in dataset.files() {
        let tell = |done: u64| {
            line.tell(&Reply::Progress { what: Work::Download, done: before + done, total: Some(total) });
        };
        let address = address(dataset, &file);
        packed.push(get(&address, file.bytes, tell).await.map_err(|error| {
            let (Fault::Absent(words) | Fault::Unreachable(words)) = error;
            unreachable(dataset.name, &format!("{address}: {words}"))
        })?);
        before += file.bytes;
    }
    let download = clock.elapsed().as_secs_f64();
    line.tell(&Reply::Progress { what: Work::Data, done: 0, total: None });
    let mut four = vec![];
    for (file, bytes) in dataset.files().into_iter().zip(packed) {
        let address = address(dataset, &file);
        let content = unpacked(&bytes).await.map_err(|error| bad(format!("{address}: {error}")))?;
        file.check(&bytes, &content)
            .map_err(|error| bad(format!("{address}: {error}: reload the page, or tell its owner")))?;
        four.push(content);
    }
    Ok(Set { download, ..pool(dataset.name.into(), &four)? })
}

fn pool(name: String, four: &[Vec<u8>]) -> Result<Set, Failure> {
    let set = || Set::new(name, idx::images(&four[0], &four[1])?, idx::images(&four[2], &four[3])?);
    set().map_err(|error: DataError| bad(error.to_string()))
}

/// What a file holds, which may be packed.
async fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if !gzip::is_packed(bytes) {
        return Ok(bytes.to_vec());
    }
    match read(&unpack(bytes), gzip::LIMIT, |_| {}).await {
        Ok(Some(content)) => Ok(content),
        Ok(None) => Err(DataError::Unpacked { limit: gzip::LIMIT }.to_string()),
        Err(cause) => Err(DataError::Gzip { cause }.to_string()),
    }
}

/// Why a file does not come from the site, in words.
enum Fault {
    /// The site has no such file.
    Absent(String),
    /// The site does not answer, or not now.
    Unreachable(String),
}

impl From<String> for Fault {
    fn from(words: String) -> Self {
        Fault::Unreachable(words)
    }
}

/// A file of about `size` packed bytes from the site. Some servers unpack what they send; nothing larger is waited for.
async fn get(address: &str, size: u64, tell: impl FnMut(u64)) -> Result<Vec<u8>, Fault> {
    let limit = 8 * size + (64 << 10);
    let response = JsFuture::from(fetch(address)).await.map_err(words)?;
    let status = member(&response, "status")?.as_f64().unwrap_or_default();
    let answer = || format!("the server answers {status}");
    match status {
        200.0 => {}
        400.0..500.0 => return Err(Fault::Absent(answer())),
        _ => return Err(Fault::Unreachable(answer())),
    }
    let bytes = read(&member(&response, "body")?, limit, tell).await?;
    bytes.ok_or_else(|| Fault::Absent(format!("it sends more than {limit} bytes")))
}

/// All that a stream gives; nothing where that is more than `limit` bytes. Tells how many have come.
async fn read(stream: &JsValue, limit: u64, mut tell: impl FnMut(u64)) -> Result<Option<Vec<u8>>, String> {
    let reader = call(stream, "getReader")?;
    let mut bytes = vec![];
    loop {
        let read: Promise = call(&reader, "read")?.into();
        let part = JsFuture::from(read).await.map_err(words)?;
        if member(&part, "done")?.is_truthy() {
            return Ok(Some(bytes));
        }
        bytes.extend(Uint8Array::new(&member(&part, "value")?).to_vec());
        if bytes.len() as u64 > limit {
            call(&reader, "cancel")?;
            return Ok(None);
        }
        tell(bytes.len() as u64);
    }
}

fn member(object: &JsValue, name: &str) -> Result<JsValue, String> {
    Reflect::get(object, &name.into()).map_err(words)
}

fn call(object: &JsValue, name: &str) -> Result<JsValue, String> {
    let method: Function = member(object, name)?.dyn_into().map_err(words)?;
    Reflect::apply(&method, object, &Array::new()).map_err(words)
}

fn words(error: JsValue) -> String {
    error.as_string().unwrap_or_else(|| String::from(js_sys::Object::from(error).to_string()))
}
