use leptos::prelude::*;

use crate::app::App;
use crate::parts::answer::{Answer, Says};
use crate::parts::board::Board;
use crate::parts::card::Card;
use crate::parts::picture::Picture;

/// A board to draw a digit on, what the network gets of it, and what it says.
#[component]
pub fn Sketch() -> impl IntoView {
    let app = expect_context::<App>();
    let t = app.language.get_untracked().texts();
    let erases = RwSignal::new(false);
    let next = StoredValue::new(0);
    let take = move |_| {
        let image = app.data.samples.with_untracked(|samples| {
            let count = samples.pictures.len();
            (count > 0).then(|| samples.pictures[next.get_value() % count].clone())
        });
        next.update_value(|next| *next += 1);
        if let Some(image) = image {
            app.draw(|board| board.put(&image));
        }
    };
    let cannot_undo = move || {
        app.questions.drawing.track();
        app.questions.board.with_value(|board| !board.can_undo())
    };
    let no_samples = move || app.data.samples.with(|samples| samples.pictures.is_empty());
    view! {
        <Card name="sketch" title=t.sketch hint=t.sketch_hint>
            <Board erases />
            <div class="sketch-buttons">
                <button class="sketch-undo" disabled=cannot_undo on:click=move |_| app.draw(|board| board.undo())>{t.sketch_undo}</button>
                <button
                    class="sketch-erase" aria-pressed=move || erases.get().to_string()
                    on:click=move |_| erases.update(|erases| *erases = !*erases)
                >
                    {t.sketch_erase}
                </button>
                <button class="sketch-clear" on:click=move |_| app.draw(|board| board.clear())>{t.sketch_clear}</button>
                <button class="sketch-sample" disabled=no_samples on:click=take>{t.sketch_sample}</button>
            </div>
            <div class="sketch-seen">
                <Picture pixels=app.questions.drawing width=data::SIDE />
                <Says />
            </div>
            <Answer />
        </Card>
    }
}
