//! What is seen: one component a file, its style beside it.
#![allow(missing_docs, reason = "the macro makes a struct of each component's documented properties")]

pub mod answer;
pub mod board;
pub mod chart;
pub mod choices;
pub mod confusion;
pub mod controls;
pub mod course;
pub mod curves;
pub mod device;
pub mod editor;
pub mod field;
pub mod figures;
pub mod files;
pub mod gallery;
pub mod header;
pub mod hint;
pub mod images;
pub mod mistakes;
pub mod nearest;
pub mod network;
pub mod page;
pub mod picture;
pub mod run_panel;
pub mod runs;
pub mod sketch;
pub mod strip;
pub mod timing;
pub mod tour;

/// All styles; the page's own come first, so that a component's win.
pub const STYLE: &str = concat!(
    include_str!("page.css"),
    include_str!("answer.css"),
    include_str!("board.css"),
    include_str!("chart.css"),
    include_str!("confusion.css"),
    include_str!("controls.css"),
    include_str!("course.css"),
    include_str!("curves.css"),
    include_str!("device.css"),
    include_str!("editor.css"),
    include_str!("field.css"),
    include_str!("figures.css"),
    include_str!("files.css"),
    include_str!("gallery.css"),
    include_str!("header.css"),
    include_str!("hint.css"),
    include_str!("images.css"),
    include_str!("mistakes.css"),
    include_str!("nearest.css"),
    include_str!("network.css"),
    include_str!("picture.css"),
    include_str!("run_panel.css"),
    include_str!("runs.css"),
    include_str!("sketch.css"),
    include_str!("strip.css"),
    include_str!("timing.css"),
    include_str!("tour.css"),
);
