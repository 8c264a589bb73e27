//! The page's end of the line to the worker.

use js_sys::{Array, ArrayBuffer, Reflect, Uint8Array};
use leptos::web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};
use protocol::worker::{Reply, Request};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};

/// The worker, started.
pub struct Client {
    worker: Worker,
    /// What the worker calls; dropped with it.
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Client {
    /// Starts the worker of the module at `address`. `hear` gets each reply with the buffers that belong to it; a
    /// worker that cannot be loaded or has died says [`Reply::Crashed`].
    ///
    /// # Errors
    /// What the browser says where it starts no worker at all.
    pub fn start(address: &str, hear: impl Fn(Reply, Vec<Vec<u8>>) + Clone + 'static) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(address, &options).map_err(|error| format!("{error:?}"))?;
        let listen = hear.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| match read(&event.data()) {
            Ok((reply, buffers)) => listen(reply, buffers),
            Err(message) => listen(Reply::Crashed { message }, vec![]),
        });
        let error = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            event.prevent_default();
            // A module that does not load is an event of another kind, which has no message, whatever its type says.
            let message = Reflect::get(&event, &"message".into()).ok().and_then(|message| message.as_string());
            let message = message.filter(|message| !message.is_empty());
            let message = message.unwrap_or_else(|| "the worker could not be loaded".into());
            hear(Reply::Crashed { message }, vec![]);
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        Ok(Client { worker, _message: message, _error: error })
    }

    /// Asks for something; `buffers` are handed over.
    pub fn ask(&self, request: &Request, buffers: &[&[u8]]) {
        let text = serde_json::to_string(request).expect("plain data with string keys serialises");
        let (message, transfer) = (Array::of1(&text.into()), Array::new());
        for bytes in buffers {
            let buffer = Uint8Array::from(*bytes).buffer();
            message.push(&buffer);
            transfer.push(&buffer);
        }
        // The buffers are fresh, so that nothing can be wrong with their transfer.
        let sent = self.worker.post_message_with_transfer(&message, &transfer);
        debug_assert!(sent.is_ok(), "{sent:?}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn read(data: &JsValue) -> Result<(Reply, Vec<Vec<u8>>), String> {
    let parts = data.dyn_ref::<Array>().ok_or("a message that is no array")?;
    let text = parts.get(0).as_string().ok_or("a message without text")?;
    let reply = protocol::from_message(&text).map_err(|error| format!("{error} in {text:.200}"))?;
    let buffer = |part: JsValue| part.dyn_into::<ArrayBuffer>().map(|buffer| Uint8Array::new(&buffer).to_vec());
    let buffers = parts.iter().skip(1).map(buffer).collect::<Result<_, _>>();
    Ok((reply, buffers.map_err(|_| "a message with something that is no buffer")?))
}
