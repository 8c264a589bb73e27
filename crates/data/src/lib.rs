//! Bytes to samples to batches: what a network learns from, and in which order.
//!
//! - [`idx`] parses the files of MNIST and its relatives, [`gzip`] unpacks them, [`files`] lists the well-known ones, [`Kind`]
//!   tells what a file is that is none;
//! - [`digits`] draws digits, so that a network can learn without any file;
//! - [`prepare`] turns a photo or a drawing into an image as MNIST has them, [`nearest`] finds the images most like it;
//! - [`Split`] says which rows are for training, validation and test, [`Order`] which rows make the batch of a step.
//!
//! The crate does no I/O: it takes bytes and gives numbers, so it works in a browser. It knows nothing of tensors,
//! networks or engines; pixels stay bytes, and whoever feeds a network scales them. Everything random is a function of
//! a seed, bit for bit the same natively and in wasm.
//!
//! ```
//! use data::{Order, Sampling, Split, digits};
//!
//! let mut images = digits::generate(500, 1); // 28×28, labels 0 to 9
//! images.append(digits::generate(100, 2))?; // one pool: training rows, then test rows
//! let split = Split::standard(500, 100, 50, 7)?;
//! assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (450, 50, 100));
//!
//! let mut order = Order::new(split.train, 64, Sampling::Shuffled, 7)?;
//! assert_eq!(order.steps_per_epoch(), 8); // ⌈450 / 64⌉
//! for row in order.batch(0) {
//!     let _pixels: &[u8] = images.image(row as usize); // [28 × 28]
//!     let _label = images.labels[row as usize];
//! }
//! # Ok::<(), data::DataError>(())
//! ```

pub mod digits;
mod error;
pub mod files;
mod frame;
pub mod gzip;
pub mod idx;
mod images;
mod kind;
mod nearest;
mod order;
pub mod prepare;
mod random;
mod split;

pub use error::DataError;
pub use frame::SIDE;
pub use images::{Images, checksum};
pub use kind::{Kind, text};
pub use nearest::nearest;
pub use order::{Order, Sampling};
pub use split::Split;
