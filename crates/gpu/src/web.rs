//! What a browser says of its WebGPU beyond what wgpu passes on, and why there is none.

use std::collections::BTreeMap;

use engine::{Device, DeviceState, EngineName, Missing};
use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What `GPUAdapterInfo` may tell.
const INFO: [&str; 4] = ["vendor", "architecture", "device", "description"];
/// The limits that decide what can be trained, and how fast.
const LIMITS: [&str; 5] = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
];
/// Names of GPUs that a CPU imitates, where a browser does not say that it is one.
const SOFTWARE: [&str; 4] = ["swiftshader", "llvmpipe", "lavapipe", "basic render"];

/// What WebGPU can be used here, or why none.
pub async fn state() -> DeviceState {
    let global = js_sys::global();
    let gpu = member(&member(&global, "navigator"), "gpu");
    if gpu.is_falsy() {
        let secure = member(&global, "isSecureContext").is_truthy();
        return DeviceState::Missing(if secure { Missing::NoApi } else { Missing::InsecureContext });
    }
    let adapter = match call(&gpu, "requestAdapter").await {
        Ok(adapter) if adapter.is_truthy() => adapter,
        Ok(_) => return DeviceState::Missing(Missing::NoAdapter),
        Err(error) => return DeviceState::Missing(Missing::Refused { reason: words(error) }),
    };
    let (info, limits) = (member(&adapter, "info"), member(&adapter, "limits"));
    let device = describe(&info);
    let said = INFO.iter().filter_map(|name| Some((*name, member(&info, name).as_string()?)));
    let limited = LIMITS.iter().filter_map(|name| Some((*name, member(&limits, name).as_f64()?.to_string())));
    let facts: BTreeMap<String, String> = said
        .chain(limited)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let features = Array::from(&member(&adapter, "features"));
    let features = features.iter().filter_map(|feature| feature.as_string()).collect();
    DeviceState::Ready { device, facts, features }
}

/// The device as its browser names it.
pub(crate) async fn device() -> Option<Device> {
    match state().await {
        DeviceState::Ready { device, .. } => Some(device),
        DeviceState::Missing(_) => None,
    }
}

/// Why there is no adapter, and what to do.
pub(crate) async fn reason() -> String {
    match state().await {
        DeviceState::Missing(Missing::InsecureContext) => {
            "browsers have WebGPU only on pages that come over https or from this machine: open the page so".into()
        }
        DeviceState::Missing(Missing::NoApi) => {
            "this browser has no WebGPU, or not in workers: use a recent Chrome, Edge, Firefox or Safari".into()
        }
        DeviceState::Missing(Missing::NoAdapter) => {
            "the browser offers no adapter: see whether hardware acceleration is switched on in its settings".into()
        }
        DeviceState::Missing(Missing::Refused { reason }) => reason,
        DeviceState::Ready { .. } => "the browser offers no adapter to this program".into(),
    }
}

fn describe(info: &JsValue) -> Device {
    let told = |name: &str| member(info, name).as_string().filter(|text| !text.is_empty());
    let parts: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(told).collect();
    let name = told("description").or_else(|| (!parts.is_empty()).then(|| parts.join(" ")));
    let name = name.unwrap_or_else(|| "not disclosed by the browser".into());
    let known = name.to_ascii_lowercase();
    let software = member(info, "isFallbackAdapter").is_truthy() || SOFTWARE.iter().any(|part| known.contains(part));
    Device { engine: EngineName::Wgpu, name, software }
}

fn member(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

async fn call(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    let method: Function = member(object, name).dyn_into()?;
    let promise: Promise = method.call0(object)?.dyn_into()?;
    JsFuture::from(promise).await
}

fn words(error: JsValue) -> String {
    let told = member(&error, "message").as_string().filter(|text| !text.is_empty());
    told.unwrap_or_else(|| "the browser does not say why".into())
}
