use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::Clamped;
use web_sys::{HtmlCanvasElement, ImageData, KeyboardEvent, PointerEvent};

use crate::app::App;
use crate::drawing::BOARD;
use crate::parts::picture::context;

/// How far an arrow key moves the pen.
const MOVE: f64 = 10.0;
/// As the browser numbers buttons: the main one, a finger or the tip of a pen …
const TIP: u16 = 1;
/// … and the other end of a pen.
const ERASER: u16 = 32;

/// Where the pen is, and whether it touches the board.
#[derive(Clone, Copy, PartialEq)]
struct Pen {
    at: (f64, f64),
    down: bool,
}

/// A board to draw on with mouse, finger, pen or keys.
#[component]
pub fn Board(
    /// Whether what is drawn takes away.
    erases: RwSignal<bool>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let canvas = NodeRef::<Canvas>::new();
    let pen = RwSignal::new(Pen { at: (140.0, 60.0), down: false });
    let by_key = RwSignal::new(false);
    Effect::new(move || {
        app.questions.drawing.track();
        if let Some(canvas) = canvas.get() {
            app.questions.board.with_value(|board| show(&canvas, board.gray()));
        }
    });
    let point = move |event: &PointerEvent| {
        let bounds = canvas.get_untracked()?.get_bounding_client_rect();
        let scale = BOARD as f64 / bounds.width().max(1.0);
        Some((
            (f64::from(event.client_x()) - bounds.left()) * scale,
            (f64::from(event.client_y()) - bounds.top()) * scale,
        ))
    };
    // Also a stroke that begins beside the board and comes onto it.
    let down = move |event: PointerEvent| {
        let buttons = event.buttons();
        let Some(at) = point(&event).filter(|_| buttons & (TIP | ERASER) != 0) else { return };
        if let Some(canvas) = canvas.get_untracked() {
            let _ = canvas.set_pointer_capture(event.pointer_id()); // without it strokes end at the edge
        }
        by_key.set(false);
        pen.set(Pen { at, down: true });
        app.draw(|board| board.begin(at, erases.get_untracked() || buttons & ERASER != 0));
    };
    let entered = move |event: PointerEvent| {
        if !pen.get_untracked().down {
            down(event);
        }
    };
    let moved = move |event: PointerEvent| {
        if let (true, Some(at)) = (pen.get_untracked().down && !by_key.get_untracked(), point(&event)) {
            pen.update(|pen| pen.at = at);
            app.draw(|board| board.extend(at));
        }
    };
    let up = move |_: PointerEvent| pen.update(|pen| pen.down = false);
    let key = move |event: KeyboardEvent| {
        let Pen { at: (x, y), down } = pen.get_untracked();
        let edge = BOARD as f64;
        let to = match event.key().as_str() {
            "ArrowLeft" => (x - MOVE, y),
            "ArrowRight" => (x + MOVE, y),
            "ArrowUp" => (x, y - MOVE),
            "ArrowDown" => (x, y + MOVE),
            " " => {
                event.prevent_default();
                by_key.set(true);
                pen.update(|pen| pen.down = !down);
                if !down {
                    app.draw(|board| board.begin((x, y), erases.get_untracked()));
                }
                return;
            }
            "Delete" | "Backspace" => return app.draw(|board| board.clear()),
            "z" | "Z" if event.ctrl_key() || event.meta_key() => {
                event.prevent_default();
                return app.draw(|board| board.undo());
            }
            _ => return,
        };
        event.prevent_default();
        by_key.set(true);
        let at = (to.0.clamp(0.0, edge), to.1.clamp(0.0, edge));
        pen.update(|pen| pen.at = at);
        if down {
            app.draw(|board| board.extend(at));
        }
    };
    let place = move |part: f64| format!("{}%", 100.0 * part / BOARD as f64);
    view! {
        <div class="board">
            <canvas
                node_ref=canvas width=BOARD height=BOARD tabindex="0" role="application" id="board"
                aria-label=t.sketch_board aria-describedby="sketch-keys"
                on:pointerdown=down on:pointerenter=entered on:pointermove=moved on:pointerup=up on:pointercancel=up
                on:keydown=key on:blur=move |_| by_key.set(false)
            ></canvas>
            <span
                class="board-blank" aria-hidden="true" class:shown=move || app.questions.drawing.with(Option::is_none)
            >
                {t.sketch_here}
            </span>
            <i class="pen" class:shown=move || by_key.get() class:down=move || pen.get().down
                style:left=move || place(pen.get().at.0) style:top=move || place(pen.get().at.1)></i>
        </div>
        <p class="hidden" id="sketch-keys">{t.sketch_keys}</p>
        <p class="hidden" role="status">{move || match (by_key.get(), pen.get().down) {
            (false, _) => "",
            (true, true) => t.pen_down,
            (true, false) => t.pen_up,
        }}</p>
    }
}

fn show(canvas: &HtmlCanvasElement, gray: &[u8]) {
    let colours: Vec<u8> = gray.iter().flat_map(|&gray| [gray, gray, gray, 255]).collect();
    let image = ImageData::new_with_u8_clamped_array(Clamped(&colours), BOARD as u32);
    if let (Some(context), Ok(image)) = (context(canvas), image) {
        let _ = context.put_image_data(&image, 0.0, 0.0); // it fails for coordinates that are no numbers
    }
}
