//! Data sets: drawn here, fetched from the site, or given by the visitor.

use std::{collections::BTreeMap, sync::Arc};

use data::{
    DataError, Images, digits,
    files::{Dataset, File, MNIST},
    idx,
};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use protocol::worker::{Reply, Work};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_time::Instant;

use crate::line::Line;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = self)]
    fn fetch(address: &str) -> Promise;
}

/// Images in memory.
#[derive(Clone)]
pub(crate) struct Set {
    /// What a configuration calls it: never `auto`.
    pub(crate) name: String,
    /// Training images followed by test images.
    pub(crate) images: Arc<Images>,
    /// How many are for training.
    pub(crate) training: usize,
}

/// What is there: the visitor's sets, and the last one that was drawn or fetched, with the number of digits asked for.
#[derive(Default)]
pub(crate) struct Store {
    given: BTreeMap<String, Set>,
    last: Option<(Set, usize)>,
}

impl Store {
    /// A data set by its name in a configuration, and the seconds that its download took; `count` is the number of
    /// training images to draw.
    ///
    /// # Errors
    /// What is wrong and what to do, in words.
    pub(crate) async fn load(&mut self, name: &str, count: usize, line: &Line) -> Result<(Set, f64), String> {
        if let Some(set) = self.given.get(name) {
            return Ok((set.clone(), 0.0));
        }
        let is_wanted = |set: &Set, digits: usize| match name {
            "auto" => set.name == MNIST.name,
            "digits" => set.name == name && digits == count,
            _ => set.name == name,
        };
        if let Some((set, _)) = self.last.as_ref().filter(|(set, digits)| is_wanted(set, *digits)) {
            return Ok((set.clone(), 0.0));
        }
        self.last = None; // there may not be room for both
        let clock = Instant::now();
        let (set, download) = match (name, Dataset::by_name(name)) {
            ("digits", _) => (drawn(count, line)?, 0.0),
            ("auto", _) => match is_on_site(&MNIST).await {
                true => fetched(&MNIST, line, clock).await?,
                false => (drawn(count, line)?, 0.0),
            },
            (_, Some(dataset)) if is_on_site(&dataset).await => fetched(&dataset, line, clock).await?,
            (_, Some(dataset)) => {
                return Err(format!(
                    "this site does not have {}: drop its four files on the page, or train on the built-in digits",
                    dataset.title
                ));
            }
            (other, None) => {
                return Err(format!("there is no data set `{other}` here: drop its four IDX files on the page"));
            }
        };
        self.last = Some((set.clone(), count));
        Ok((set, download))
    }

    /// Takes the visitor's files: two of training images and labels, and perhaps two for the test.
    ///
    /// # Errors
    /// Which file is missing, or what is wrong with one.
    pub(crate) fn give(&mut self, name: String, names: &[String], buffers: &[Vec<u8>]) -> Result<[u64; 2], String> {
        let find = |wanted: &str| {
            let found = names.iter().position(|name| name.trim_end_matches(".gz").ends_with(wanted));
            let bytes = found.and_then(|i| buffers.get(i)).map(Vec::as_slice);
            bytes.ok_or_else(|| format!("a file `{wanted}` is missing: drop all four files at once"))
        };
        let pair =
            |images: &str, labels: &str| idx::images(find(images)?, find(labels)?).map_err(|error| error.to_string());
        let mut images = pair("train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
        let test = pair("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?;
        let (training, tested) = (images.len(), test.len());
        images.append(test).map_err(|error| error.to_string())?;
        self.given.insert(name.clone(), Set { name, images: images.into(), training });
        Ok([training as u64, tested as u64])
    }
}

fn drawn(training: usize, line: &Line) -> Result<Set, String> {
    line.tell(&Reply::Progress { what: Work::Data, done: 0, total: None });
    let images = digits::set(u32::try_from(training).map_err(|_| "there are not so many digits")?);
    Ok(Set { name: "digits".into(), images: images.into(), training })
}

/// Where a file of a data set is: beside the page, as is the worker's own script.
fn address(dataset: &Dataset, file: &File) -> String {
    format!("./data/{}/{}", dataset.name, file.name)
}

/// Whether the site has a data set: its smallest file says so.
async fn is_on_site(dataset: &Dataset) -> bool {
    let smallest = dataset.test.labels;
    match get(&address(dataset, &smallest), smallest.bytes, |_| {}).await {
        Ok(bytes) => smallest.content(&bytes).is_ok(), // some hosts answer everything with a page
        Err(_) => false,
    }
}

/// The data set, and the seconds since `clock` until its files were here.
async fn fetched(dataset: &Dataset, line: &Line, clock: Instant) -> Result<(Set, f64), String> {
    let total = dataset.files().iter().map(|file| file.bytes).sum();
    let mut before = 0;
    let mut packed = vec![];
    for file in dataset.files() {
        let tell = |done: u64| {
            line.tell(&Reply::Progress { what: Work::Download, done: before + done, total: Some(total) });
        };
        let address = address(dataset, &file);
        packed.push(get(&address, file.bytes, tell).await.map_err(|error| format!("{address}: {error}"))?);
        before += file.bytes;
    }
    let download = clock.elapsed().as_secs_f64();
    line.tell(&Reply::Progress { what: Work::Data, done: 0, total: None });
    let content = |(file, bytes): (File, Vec<u8>)| {
        file.content(&bytes).map_err(|error| match error {
            DataError::Checksum { .. } => {
                format!("{}: {error}: reload the page, or tell its owner", address(dataset, &file))
            }
            damaged => format!("{}: {damaged}", address(dataset, &file)),
        })
    };
    let four = dataset.files().into_iter().zip(packed).map(content).collect::<Result<Vec<_>, _>>()?;
    let pair = |i: usize| idx::images(&four[i], &four[i + 1]).map_err(|error| error.to_string());
    let mut images = pair(0)?;
    let training = images.len();
    images.append(pair(2)?).map_err(|error| error.to_string())?;
    Ok((Set { name: dataset.name.into(), images: images.into(), training }, download))
}

/// A file of about `size` packed bytes from the site. Some servers unpack what they send; nothing larger is waited for.
async fn get(address: &str, size: u64, mut tell: impl FnMut(u64)) -> Result<Vec<u8>, String> {
    let limit = 8 * size + (64 << 10);
    let response = JsFuture::from(fetch(address)).await.map_err(words)?;
    let status = member(&response, "status")?.as_f64().unwrap_or_default();
    if status != 200.0 {
        return Err(format!("the server answers {status}"));
    }
    let reader = call(&member(&response, "body")?, "getReader")?;
    let mut bytes = vec![];
    loop {
        let read: Promise = call(&reader, "read")?.into();
        let part = JsFuture::from(read).await.map_err(words)?;
        if member(&part, "done")?.is_truthy() {
            return Ok(bytes);
        }
        bytes.extend(Uint8Array::new(&member(&part, "value")?).to_vec());
        if bytes.len() as u64 > limit {
            call(&reader, "cancel")?;
            return Err(format!("it sends more than {limit} bytes"));
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
