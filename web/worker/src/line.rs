//! The line to the page.

use futures_channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use js_sys::{Array, ArrayBuffer, Uint8Array};
use protocol::{
    Failure,
    worker::{Reply, Request},
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = self, js_name = postMessage)]
    fn post_message(message: &Array, transfer: &Array);

    #[wasm_bindgen(js_namespace = self, js_name = addEventListener)]
    fn listen(event: &str, listener: &Closure<dyn FnMut(JsValue)>);

    /// Of `web/worker.js`: returns after messages that wait were let in.
    #[wasm_bindgen(js_namespace = self)]
    pub(crate) async fn breathe();
}

/// What the page said: a request, and the buffers that it speaks of.
pub(crate) struct Heard {
    pub(crate) request: Request,
    pub(crate) buffers: Vec<Vec<u8>>,
}

/// Both directions.
pub(crate) struct Line {
    heard: UnboundedReceiver<Heard>,
}

impl Line {
    /// Listens from now on.
    pub(crate) fn new(early: Array) -> Self {
        let (sender, heard) = mpsc::unbounded();
        early.iter().for_each(|data| take(&data, &sender));
        let listener = Closure::new(move |event: JsValue| {
            let data = js_sys::Reflect::get(&event, &"data".into()).unwrap_or_default();
            take(&data, &sender);
        });
        js_sys::Reflect::set(&js_sys::global(), &"onmessage".into(), &JsValue::NULL).expect("it can be set");
        listen("message", &listener);
        listener.forget(); // it listens as long as the worker lives
        Line { heard }
    }

    /// What was said and not heard yet.
    pub(crate) fn heard(&mut self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    /// Waits for something to be said.
    pub(crate) async fn listen(&mut self) -> Heard {
        self.heard.recv().await.expect("the listener is never dropped")
    }

    /// Says something.
    pub(crate) fn tell(&self, reply: &Reply) {
        send(reply, None);
    }

    /// Says something that speaks of a buffer.
    pub(crate) fn tell_with(&self, reply: &Reply, bytes: &[u8]) {
        send(reply, Some(bytes));
    }

    /// Says that what was asked cannot be done.
    pub(crate) fn refuse(&self, request: Option<u64>, failure: impl Into<Failure>) {
        self.tell(&Reply::Refused { request, failure: failure.into() });
    }
}

/// Says that the worker has come to its end.
pub(crate) fn crashed(message: &str) {
    send(&Reply::Crashed { message: message.into() }, None);
}

fn send(reply: &Reply, bytes: Option<&[u8]>) {
    let text = serde_json::to_string(reply).expect("plain data with string keys serialises");
    let (message, transfer) = (Array::of1(&text.into()), Array::new());
    if let Some(bytes) = bytes {
        let buffer = Uint8Array::from(bytes).buffer();
        message.push(&buffer);
        transfer.push(&buffer);
    }
    post_message(&message, &transfer);
}

/// Takes a message in, or says what is wrong with it.
fn take(data: &JsValue, sender: &UnboundedSender<Heard>) {
    let heard = read(data).map(|heard| sender.unbounded_send(heard));
    if let Err(message) = heard {
        let message = format!("the worker does not understand this message: {message}");
        send(&Reply::Refused { request: None, failure: message.into() }, None);
    }
}

fn read(data: &JsValue) -> Result<Heard, String> {
    let parts = data.dyn_ref::<Array>().ok_or("it is no array")?;
    let text = parts.get(0).as_string().ok_or("it has no text")?;
    let request = protocol::from_message(&text).map_err(|error| error.to_string())?;
    let bytes = |part: JsValue| part.dyn_into::<ArrayBuffer>().map(|buffer| Uint8Array::new(&buffer).to_vec());
    let buffers: Result<_, _> = parts.iter().skip(1).map(bytes).collect();
    Ok(Heard { request, buffers: buffers.map_err(|_| "a part of it is no buffer")? })
}
