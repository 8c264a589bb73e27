//! What the layers of a network make of one image.

use graph::{DType, Feed, Recorder};
use models::{Mode, Network, forward};

/// One layer in words and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub layer: &'static str,
    /// What it makes of an image: `8 × 28 × 28`, `128`.
    pub shape: String,
    /// Numbers that it learns.
    pub parameters: usize,
    /// Operations for one image.
    pub flops: u64,
}

/// The layers of `network` for images of 28×28.
///
/// # Errors
/// Which layer does not fit, what it gets and what it needs.
pub fn rows(network: &Network) -> Result<Vec<Row>, String> {
    let images = Recorder::new().input("images", Feed::Step, [1, 1, 28, 28], DType::F32);
    let pass = forward(network, &images, Mode::Evaluate).map_err(|error| error.to_string())?;
    let row = |row: models::Row| {
        let shape = row.output.0[1..].iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        Row { layer: row.layer, shape, parameters: row.parameters, flops: row.flops }
    };
    Ok(pass.rows.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use models::Layer;
    use protocol::preset;

    use super::*;

    #[test]
    fn layers_tell_their_shapes() {
        let rows = rows(&preset("cnn").unwrap().network().unwrap()).unwrap();
        assert_eq!(rows[0].shape, "8 × 28 × 28");
        assert_eq!(rows[0].parameters, 8 * 25 + 8);
        assert_eq!((rows.last().unwrap().shape.as_str(), rows.last().unwrap().parameters), ("10", 784 * 10 + 10));
    }

    #[test]
    fn a_layer_that_does_not_fit_is_named() {
        let layers = vec![Layer::Dense { units: 10 }];
        let error = rows(&Network { layers, ..Default::default() }).unwrap_err();
        assert!(error.starts_with("layer 1 (dense) gets images"), "{error}");
    }
}
