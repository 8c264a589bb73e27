//! What the network is asked: about the test images, the drawing and what lies near it. One question of a kind is under
//! way at a time; what changes meanwhile is asked with the next one.

use leptos::prelude::*;
use protocol::Part;
use protocol::worker::Request;

use crate::app::App;
use crate::browser;
use crate::drawing::Drawing;
use crate::nearest::ASKED;
use crate::signals::{Browse, Samples};
use crate::state::Stage;

/// Test images in the strip.
pub const SAMPLES: u32 = 24;
/// Test images among which mistakes are looked for.
const SEARCHED: u32 = 512;

impl App {
    /// Puts a picture on the drawing board, and the board in view.
    pub fn put_on_board(self, picture: &[u8]) {
        self.draw(|board| board.put(picture));
        browser::show("board");
    }

    /// Draws, or takes back, and asks about the result with the next frame, however many strokes come before.
    pub fn draw(self, change: impl FnOnce(&mut Drawing)) {
        self.questions.board.update_value(change);
        if self.questions.awaited.get_value() {
            return;
        }
        self.questions.awaited.set_value(true);
        request_animation_frame(move || {
            self.questions.awaited.set_value(false);
            let (image, doubt) = self.questions.board.with_value(|board| (board.prepared(), board.doubt()));
            if image.is_none() {
                self.questions.guess.set(None);
            }
            self.questions.doubt.set(doubt);
            self.questions.drawing.set(image);
            self.ask_again();
            self.ask_nearest();
        });
    }

    /// Whether a request is the one that looks for mistakes.
    pub(crate) fn is_search(self, request: u64) -> bool {
        self.inner.with_value(|inner| inner.searched.question == Some(request))
    }

    /// Looks for what the network is most wrong about: asks for images, or what it says of those that are there.
    pub(crate) fn search(self) {
        let request = self.question();
        self.inner.update_value(|inner| {
            (inner.searched.question, inner.searched_at) = (Some(request), browser::now());
        });
        let pictures = self.inner.with_value(|inner| inner.searched.samples.pictures.concat());
        let count = self.inner.with_value(|inner| inner.searched.samples.pictures.len());
        match count {
            0 => self.ask_tests(request, SEARCHED),
            _ => self.ask(&Request::Predict { request, count }, &[&pictures]),
        }
    }

    /// The visitor wants the run as a file.
    pub fn save(self) {
        let request = self.question();
        self.inner.update_value(|inner| inner.saving = Some(request));
        self.ask(&Request::Save { request }, &[]);
    }

    /// Asks what the network says of the samples and of the drawing; at once, or after the answer that is awaited.
    pub fn ask_again(self) {
        self.inner.update_value(|inner| inner.stale = true);
        self.ask_if_stale();
    }

    pub(crate) fn ask_if_stale(self) {
        let (waits, has_preview) =
            self.inner.with_value(|inner| (inner.asked.is_some() || !inner.stale, inner.has_preview));
        let can_answer = self.run.state.with_untracked(|state| match state.stage {
            Stage::Idle => has_preview,
            _ => state.start.is_some() && !state.is_past,
        });
        if waits || !can_answer {
            return;
        }
        let mut pictures = self.data.samples.with_untracked(|samples| samples.pictures.concat());
        let samples = self.data.samples.with_untracked(|samples| samples.pictures.len());
        let drawing = self.questions.drawing.get_untracked();
        pictures.extend(drawing.iter().flatten());
        let count = samples + usize::from(drawing.is_some());
        if count > 0 {
            let request = self.question();
            self.inner.update_value(|inner| {
                (inner.asked, inner.stale, inner.asked_at) = (Some((request, samples)), false, browser::now());
            });
            self.ask(&Request::Predict { request, count }, &[&pictures]);
        }
    }

    /// Asks what the network answers that is chosen, before it is trained.
    pub(crate) fn ask_preview(self) {
        let request = self.question();
        self.inner.update_value(|inner| (inner.preview, inner.has_preview) = (Some(request), false));
        let config = Box::new(self.choice.settings.with_untracked(|settings| settings.config.clone()));
        self.ask(&Request::Preview { request, config, count: SAMPLES }, &[]);
    }

    /// Shows what it has answered, unless a run has begun.
    pub(crate) fn show_preview(self, request: u64, samples: Samples, scores: Vec<Vec<f32>>) {
        let is_idle = self.run.state.with_untracked(|state| state.stage == Stage::Idle);
        if is_idle && self.inner.with_value(|inner| inner.preview == Some(request)) {
            self.inner.update_value(|inner| inner.has_preview = true);
            self.data.samples.set(samples);
            self.questions.answers.set(scores);
            self.ask_again();
        }
    }

    /// Asks for the training images nearest to the drawing; at once, or after the answer that is awaited, so that no
    /// stroke is slower for it.
    pub fn ask_nearest(self) {
        if self.inner.with_value(|inner| inner.near.is_some()) {
            return self.inner.update_value(|inner| inner.near_stale = true);
        }
        match self.questions.drawing.get_untracked() {
            Some(drawing) if self.run.state.with_untracked(|state| state.start.is_some() && !state.is_past) => {
                let request = self.question();
                self.inner.update_value(|inner| (inner.near, inner.near_stale) = (Some(request), false));
                let (part, class) = (Part::Training, None);
                let wanted = Request::Images { request, part, class, near: true, first: 0, count: ASKED };
                self.ask(&wanted, &[&drawing]);
            }
            _ => self.questions.nearest.set(Samples::default()),
        }
    }

    /// Asks for the first test images.
    pub(crate) fn ask_tests(self, request: u64, count: u32) {
        let (part, class) = (Part::Test, None);
        self.ask(&Request::Images { request, part, class, near: false, first: 0, count }, &[]);
    }

    /// Asks for images to look at.
    pub fn ask_images(self, Browse { part, class, first }: Browse, count: u32) {
        let request = self.question();
        self.inner.update_value(|inner| inner.browsing = Some(request));
        self.ask(&Request::Images { request, part, class, near: false, first, count }, &[]);
    }

    /// Whether a request is the one for the nearest images.
    pub(crate) fn is_near(self, request: u64) -> bool {
        self.inner.with_value(|inner| inner.near == Some(request))
    }

    pub(crate) fn answered_nearest(self) {
        self.inner.update_value(|inner| inner.near = None);
        if self.inner.with_value(|inner| inner.near_stale) {
            self.ask_nearest();
        }
    }

    /// The question about pictures that this answers.
    pub(crate) fn answered(self, request: u64) -> Option<(u64, usize)> {
        self.inner.try_update_value(|inner| inner.asked.take_if(|asked| asked.0 == request)).flatten()
    }
}
