use leptos::html::Canvas;
use leptos::prelude::*;

use crate::app::App;
use crate::parts::answer::Answer;
use crate::parts::board::{BOARD, Board, clear, paint, read};
use crate::parts::hint::Card;
use crate::parts::nearest::Nearest;
use crate::parts::picture::Picture;

/// A board to draw a digit on, what the network gets of it, and what it says.
#[component]
pub fn Sketch() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let board = NodeRef::<Canvas>::new();
    let awaited = StoredValue::new(false);
    let prepare = move || {
        awaited.set_value(false);
        let gray = board.get_untracked().and_then(|canvas| read(&canvas));
        let image = gray.and_then(|gray| data::prepare::pixels(&gray, BOARD, BOARD).ok());
        if image.is_none() {
            app.questions.guess.set(None);
        }
        app.questions.drawing.set(image.map(|image| image.to_vec()));
        app.ask_again();
        app.ask_nearest();
    };
    // What was drawn is prepared with the next frame, however many strokes come before.
    let changed = move || {
        if !awaited.get_value() {
            awaited.set_value(true);
            request_animation_frame(prepare);
        }
    };
    let wipe = move |_| {
        if let Some(canvas) = board.get_untracked() {
            clear(&canvas);
        }
        changed();
    };
    let next = StoredValue::new(0);
    let take = move |_| {
        let image = app.data.samples.with_untracked(|samples| {
            let count = samples.pictures.len();
            (count > 0).then(|| samples.pictures[next.get_value() % count].clone())
        });
        next.update_value(|next| *next += 1);
        if let (Some(image), Some(canvas)) = (image, board.get_untracked()) {
            paint(&canvas, &image);
            changed();
        }
    };
    // Another language makes the board anew: it begins with what the network got last.
    Effect::new(move || {
        if let (Some(canvas), Some(image)) = (board.get(), app.questions.drawing.get_untracked()) {
            paint(&canvas, &image);
        }
    });
    Effect::new(move || {
        if let (Some(image), Some(canvas)) = (app.questions.to_board.get(), board.get_untracked()) {
            paint(&canvas, &image);
            canvas.scroll_into_view();
            changed();
        }
    });
    let no_samples = move || app.data.samples.with(|samples| samples.pictures.is_empty());
    view! {
        <Card name="sketch" title=t.sketch hint=t.sketch_hint>
            <div class="sketch-parts">
                <div class="sketch-draw">
                    <Board board on_change=move |()| changed() />
                    <div class="sketch-buttons">
                        <button on:click=wipe>{t.sketch_clear}</button>
                        <button disabled=no_samples on:click=take>{t.sketch_sample}</button>
                    </div>
                </div>
                <div class="sketch-seen">
                    <p class="muted">{t.sketch_seen}</p>
                    <Picture pixels=app.questions.drawing width=data::SIDE />
                </div>
                <Answer />
            </div>
            <Nearest />
        </Card>
    }
}
