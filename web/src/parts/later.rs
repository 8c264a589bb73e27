use std::pin::Pin;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::SplitLoaderError;

use crate::app::App;

/// What makes a part's view, once its code is there.
pub type Fetched = Result<ViewFn, SplitLoaderError>;

/// A part of the page whose code is fetched when it is shown: a function marked `wasm_split`, or a closure that calls one.
///
/// ```ignore
/// #[wasm_split(editor, wasm_split_path = leptos::wasm_split, fallible)]
/// pub fn editor() -> Fetched {
///     Ok((|| view! { <Editor /> }).into())
/// }
/// ```
#[derive(Clone)]
pub struct Part(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Fetched>>> + Send + Sync>);

impl<F, P> From<F> for Part
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Future<Output = Fetched> + 'static,
{
    fn from(fetch: F) -> Self {
        Part(Arc::new(move || Box::pin(fetch())))
    }
}

/// A part, with a sentence in its place until it is there; where it cannot be had, that is said, and it can be tried again.
#[component]
pub fn Later(
    /// What is shown.
    #[prop(into)]
    part: Part,
) -> impl IntoView {
    let t = expect_context::<App>().language.get_untracked().texts();
    let fetched = RwSignal::new(None::<Option<ViewFn>>);
    let fetch = move || {
        let Part(fetch) = part.clone();
        spawn_local(async move {
            let view = fetch().await.ok();
            fetched.try_set(Some(view)); // nothing is there any more where it was closed meanwhile
        });
    };
    fetch();
    move || match fetched.get() {
        None => view! { <p class="muted" role="status">{t.part_loading}</p> }.into_any(),
        Some(Some(view)) => view.run(),
        Some(None) => {
            let fetch = fetch.clone();
            let again = move |_| {
                fetched.set(None);
                fetch();
            };
            view! {
                <div class="notice problem" role="alert">
                    <p>{t.part_missing}</p>
                    <button class="quiet" on:click=again>{t.part_again}</button>
                </div>
            }
            .into_any()
        }
    }
}

/// A part that is folded away: whenever it is opened it is made anew.
#[component]
pub fn Folded(
    /// What is inside.
    title: &'static str,
    /// What is shown.
    #[prop(into)]
    part: Part,
) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <details on:toggle=move |event| open.set(event_target::<web_sys::HtmlDetailsElement>(&event).open())>
            <summary>{title}</summary>
            {move || open.get().then(|| view! { <Later part=part.clone() /> })}
        </details>
    }
}
