use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{HtmlCanvasElement, KeyboardEvent, PointerEvent};

use crate::app::App;
use crate::parts::picture::context;

/// Side of the drawing board in its own pixels.
pub const BOARD: u32 = 280;
/// Width of the pen: strokes as thick as MNIST's, in proportion.
const PEN: f64 = 20.0;
/// How far an arrow key moves the pen.
const MOVE: f64 = 10.0;

/// Where the pen is, and whether it touches the board.
#[derive(Clone, Copy, PartialEq)]
struct Pen {
    at: (f64, f64),
    down: bool,
}

/// A board to draw on with mouse, finger, pen or keys.
#[component]
pub fn Board(
    /// The canvas.
    board: NodeRef<Canvas>,
    /// Called after each stroke.
    #[prop(into)]
    on_change: Callback<()>,
) -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let pen = RwSignal::new(Pen { at: (140.0, 60.0), down: false });
    let by_key = RwSignal::new(false);
    let stroke = move |to: (f64, f64)| {
        let from = pen.get_untracked().at;
        if let Some(canvas) = board.get_untracked() {
            draw(&canvas, from, to);
        }
        pen.update(|pen| pen.at = to);
        on_change.run(());
    };
    let point = move |event: &PointerEvent| {
        let canvas = board.get_untracked()?;
        let bounds = canvas.get_bounding_client_rect();
        let scale = f64::from(BOARD) / bounds.width().max(1.0);
        Some((
            (f64::from(event.client_x()) - bounds.left()) * scale,
            (f64::from(event.client_y()) - bounds.top()) * scale,
        ))
    };
    let down = move |event: PointerEvent| {
        let Some(at) = point(&event) else { return };
        if let Some(canvas) = board.get_untracked() {
            let _ = canvas.set_pointer_capture(event.pointer_id()); // without it strokes end at the edge
        }
        by_key.set(false);
        pen.set(Pen { at, down: true });
        stroke(at);
    };
    let moved = move |event: PointerEvent| {
        if let (true, Some(at)) = (pen.get_untracked().down && !by_key.get_untracked(), point(&event)) {
            stroke(at);
        }
    };
    let up = move |_: PointerEvent| pen.update(|pen| pen.down = false);
    let key = move |event: KeyboardEvent| {
        let Pen { at: (x, y), down } = pen.get_untracked();
        let edge = f64::from(BOARD);
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
                    stroke((x, y));
                }
                return;
            }
            "Delete" | "Backspace" => {
                if let Some(canvas) = board.get_untracked() {
                    clear(&canvas);
                }
                return on_change.run(());
            }
            _ => return,
        };
        event.prevent_default();
        by_key.set(true);
        let to = (to.0.clamp(0.0, edge), to.1.clamp(0.0, edge));
        match down {
            true => stroke(to),
            false => pen.update(|pen| pen.at = to),
        }
    };
    let place = move |part: f64| format!("{}%", 100.0 * part / f64::from(BOARD));
    view! {
        <div class="board">
            <canvas
                node_ref=board width=BOARD height=BOARD tabindex="0" role="application" id="board"
                aria-label=t.sketch_board aria-describedby="sketch-keys"
                on:pointerdown=down on:pointermove=moved on:pointerup=up on:pointercancel=up on:keydown=key
                on:blur=move |_| by_key.set(false)
            ></canvas>
            <span
                class="board-blank" aria-hidden="true" class:shown=move || app.questions.drawing.with(Option::is_none)
            >
                {t.sketch_here}
            </span>
            <i class="pen" class:shown=move || by_key.get() class:down=move || pen.get().down
                style:left=move || place(pen.get().at.0) style:top=move || place(pen.get().at.1)></i>
        </div>
        <p class="hidden" id="sketch-keys">{t.sketch_hint}</p>
        <p class="hidden" role="status">{move || match (by_key.get(), pen.get().down) {
            (false, _) => "",
            (true, true) => t.pen_down,
            (true, false) => t.pen_up,
        }}</p>
    }
}

/// Takes everything off the board.
pub fn clear(canvas: &HtmlCanvasElement) {
    if let Some(context) = context(canvas) {
        context.clear_rect(0.0, 0.0, BOARD.into(), BOARD.into());
    }
}

fn draw(canvas: &HtmlCanvasElement, from: (f64, f64), to: (f64, f64)) {
    let Some(context) = context(canvas) else { return };
    context.set_stroke_style_str("#fff");
    context.set_line_width(PEN);
    context.set_line_cap("round");
    context.set_line_join("round");
    context.begin_path();
    context.move_to(from.0, from.1);
    context.line_to(to.0, to.1);
    context.stroke();
}

/// Puts a small picture on the board, each of its pixels as a square.
pub fn paint(canvas: &HtmlCanvasElement, image: &[u8]) {
    clear(canvas);
    let Some(context) = context(canvas) else { return };
    let (width, size) = (data::SIDE, f64::from(BOARD) / data::SIDE as f64);
    for (i, gray) in image.iter().enumerate().filter(|(_, gray)| **gray > 0) {
        context.set_fill_style_str(&format!("rgb({gray} {gray} {gray})"));
        context.fill_rect((i % width) as f64 * size, (i / width) as f64 * size, size, size);
    }
}

/// The board in shades of gray; what was not drawn on is black.
pub fn read(canvas: &HtmlCanvasElement) -> Option<Vec<u8>> {
    let image = context(canvas)?.get_image_data(0.0, 0.0, BOARD.into(), BOARD.into()).ok()?;
    let shade = |&[red, _, _, alpha]: &[u8; 4]| (u32::from(red) * u32::from(alpha) / 255) as u8;
    Some(image.data().as_chunks().0.iter().map(shade).collect())
}
