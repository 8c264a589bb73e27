//! A network as a list to be edited: what a layer can be, and which numbers it has.

use models::{Layer, Network};

use crate::shapes::{Row, rows};

/// A layer of each kind, as it is when it is added. Residual blocks are edited as JSON.
pub fn kinds() -> [Layer; 13] {
    [
        Layer::Dense { units: 64 },
        Layer::Conv2d { filters: 16, kernel: 3, stride: 1, padding: 1 },
        Layer::MaxPool { size: 2, stride: None },
        Layer::AveragePool { size: 2, stride: None },
        Layer::GlobalAveragePool,
        Layer::Relu,
        Layer::LeakyRelu { slope: 0.01 },
        Layer::Gelu,
        Layer::Tanh,
        Layer::Sigmoid,
        Layer::Dropout { rate: 0.2 },
        Layer::BatchNorm,
        Layer::Flatten,
    ]
}

/// The numbers of a layer, by name.
pub fn numbers(layer: &Layer) -> Vec<(&'static str, String)> {
    match layer {
        Layer::Dense { units } => vec![("units", units.to_string())],
        Layer::Conv2d { filters, kernel, stride, padding } => vec![
            ("filters", filters.to_string()),
            ("kernel", kernel.to_string()),
            ("stride", stride.to_string()),
            ("padding", padding.to_string()),
        ],
        Layer::MaxPool { size, stride } | Layer::AveragePool { size, stride } => {
            vec![("size", size.to_string()), ("stride", stride.unwrap_or(*size).to_string())]
        }
        Layer::LeakyRelu { slope } => vec![("slope", slope.to_string())],
        Layer::Dropout { rate } => vec![("rate", rate.to_string())],
        Layer::GlobalAveragePool
        | Layer::Relu
        | Layer::Gelu
        | Layer::Tanh
        | Layer::Sigmoid
        | Layer::BatchNorm
        | Layer::Flatten
        | Layer::Residual { .. } => vec![],
    }
}

/// The layer with another number; none where the text is no such number.
pub fn with_number(layer: &Layer, name: &str, text: &str) -> Option<Layer> {
    let mut layer = layer.clone();
    let size = || text.trim().parse::<usize>().ok();
    let part = || serde_json::from_str::<f32>(text.trim()).ok();
    match (&mut layer, name) {
        (Layer::Dense { units: number }, "units")
        | (Layer::Conv2d { filters: number, .. }, "filters")
        | (Layer::Conv2d { kernel: number, .. }, "kernel")
        | (Layer::Conv2d { stride: number, .. }, "stride")
        | (Layer::Conv2d { padding: number, .. }, "padding")
        | (Layer::MaxPool { size: number, .. } | Layer::AveragePool { size: number, .. }, "size") => *number = size()?,
        (Layer::MaxPool { stride, .. } | Layer::AveragePool { stride, .. }, "stride") => *stride = Some(size()?),
        (Layer::LeakyRelu { slope: number }, "slope") | (Layer::Dropout { rate: number }, "rate") => *number = part()?,
        _ => return None,
    }
    Some(layer)
}

/// The layers up to the first one that does not fit, and what is wrong there.
pub fn rows_until_mistake(network: &Network) -> (Vec<Row>, Option<String>) {
    let mistake = match rows(network) {
        Ok(rows) => return (rows, None),
        Err(mistake) => mistake,
    };
    let fits = |count: &usize| {
        let layers = network.layers[..*count].to_vec();
        rows(&Network { layers, init: network.init }).ok()
    };
    let rows = (1..network.layers.len()).map_while(|count| fits(&count)).last();
    (rows.unwrap_or_default(), Some(mistake))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_every_kind_can_be_changed() {
        for layer in kinds() {
            for (name, value) in numbers(&layer) {
                let other = if value.contains('.') { "0.5" } else { "3" };
                let changed = with_number(&layer, name, other).unwrap_or_else(|| panic!("{layer:?} {name}"));
                let shown = numbers(&changed).into_iter().find(|(shown, _)| *shown == name);
                assert_eq!(shown, Some((name, other.to_owned())), "{layer:?}");
            }
            assert_eq!(with_number(&layer, "colour", "3"), None);
        }
        assert_eq!(with_number(&Layer::Dense { units: 1 }, "units", "-1"), None);
    }

    #[test]
    fn layers_before_a_mistake_keep_their_shapes() {
        let layers = vec![Layer::Flatten, Layer::Relu, Layer::Conv2d { filters: 1, kernel: 3, stride: 1, padding: 1 }];
        let (rows, mistake) = rows_until_mistake(&Network { layers, ..Default::default() });
        assert_eq!(rows.len(), 2);
        assert!(mistake.unwrap().starts_with("layer 3 (conv) gets features"));
        assert!(rows_until_mistake(&Network::default()).1.is_some());
    }
}
