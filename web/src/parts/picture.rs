use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, ImageData};

/// A gray picture in its own pixels, as large as its style says.
#[component]
pub fn Picture(
    /// Bytes row by row; none: nothing is shown.
    #[prop(into)]
    pixels: Signal<Option<Vec<u8>>>,
    /// Pixels a row.
    width: usize,
) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        let Some(pixels) = pixels.get() else {
            if let Some(context) = context(&canvas) {
                context.clear_rect(0.0, 0.0, width as f64, width as f64);
            }
            return;
        };
        let colours: Vec<u8> = pixels.iter().flat_map(|&gray| [gray, gray, gray, 255]).collect();
        let image = ImageData::new_with_u8_clamped_array(Clamped(&colours), width as u32);
        if let (Some(context), Ok(image)) = (context(&canvas), image) {
            let _ = context.put_image_data(&image, 0.0, 0.0); // it fails for coordinates that are no numbers
        }
    });
    view! { <canvas class="picture" node_ref=canvas width=width height=width aria-hidden="true"></canvas> }
}

/// What draws on a canvas.
pub fn context(canvas: &web_sys::HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    let options = js_sys::Object::new();
    // Both boards are read or written as pixels all the time, which a GPU would only slow down.
    js_sys::Reflect::set(&options, &"willReadFrequently".into(), &true.into()).ok()?;
    canvas.get_context_with_context_options("2d", &options).ok()??.dyn_into().ok()
}
