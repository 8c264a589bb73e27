//! Networks: their description as plain data, their forward pass as a recording, their initial weights.
//!
//! This crate does not know how a network is trained, nor what runs it. Weight names and layouts are candle-nn's:
//! `conv1.weight [out, in, height, width]`, `dense1.weight [out, in]`, `bn1.running_mean`.
//!
//! ```
//! use graph::{DType, Feed, Recorder};
//! use models::{Layer, Mode, Network, forward};
//!
//! let layers = vec![Layer::Flatten, Layer::Dense { units: 128 }, Layer::Relu, Layer::Dense { units: 10 }];
//! let network = Network { layers, ..Default::default() };
//! let images = Recorder::new().input("images", Feed::Step, [64, 1, 28, 28], DType::F32);
//! let pass = forward(&network, &images, Mode::Train)?;
//! assert_eq!(pass.output.shape().0, [64, 10]);
//! assert_eq!(pass.parameters.len(), 4);
//!
//! let narrow = Network { layers: vec![Layer::Dense { units: 10 }], ..Default::default() };
//! let error = forward(&narrow, &images, Mode::Train).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "layer 1 (dense) gets images [64,1,28,28] but needs features [batch, feature]: put a flatten layer before it"
//! );
//! # Ok::<(), models::ModelError>(())
//! ```

mod forward;
mod initial;
mod layer;

pub use forward::{
    Forward, KEY, Mode, ModelError, Need, Parameter, Precision, Row, Start, forward, forward_in, path, survey,
};
pub use initial::initial;
pub use layer::{Init, Layer, Network};
