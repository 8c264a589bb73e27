//! What is seen: one component a file, its style beside it; `cargo xtask web` makes one file of the styles.
#![allow(missing_docs, reason = "the macro makes a struct of each component's documented properties")]

pub mod answer;
pub mod bar;
pub mod board;
pub mod card;
pub mod chart;
pub mod choices;
pub mod confusion;
pub mod course;
pub mod curves;
pub mod device;
pub mod editor;
pub mod field;
pub mod files;
pub mod gallery;
pub mod header;
pub mod help;
pub mod icon;
pub mod images;
pub mod json;
pub mod later;
pub mod links;
pub mod mistakes;
pub mod nearest;
pub mod network;
pub mod page;
pub mod picture;
pub mod runs;
pub mod settings;
pub mod sketch;
pub mod strip;
pub mod tabs;
pub mod timing;
pub mod tour;
