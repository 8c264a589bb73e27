use leptos::prelude::*;

/// What a sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Sign {
    Train,
    Pause,
    Step,
    Rewind,
    Stop,
    Theme,
}

/// A sign beside a word, or in its place where there is no room for the word.
#[component]
pub fn Icon(
    /// Which.
    sign: Sign,
) -> impl IntoView {
    let path = match sign {
        Sign::Train => "M4 2l10 6-10 6z",
        Sign::Pause => "M3 2h4v12H3zM9 2h4v12H9z",
        Sign::Step => "M2 2l8 6-8 6zM11 2h3v12h-3z",
        Sign::Rewind => "M14 2L6 8l8 6zM2 2h3v12H2z",
        Sign::Stop => "M3 3h10v10H3z",
        Sign::Theme => "M8 1a7 7 0 100 14A7 7 0 008 1zm0 2v10A5 5 0 018 3z",
    };
    view! { <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=path /></svg> }
}
