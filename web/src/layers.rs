//! A network as a list to be edited: what a layer can be, and which numbers it has.

use models::Layer;

use crate::text::Texts;
use crate::typed::json_number;

/// A layer of each kind, as it is when it is added.
pub fn kinds() -> [Layer; 14] {
    let conv = Layer::Conv2d { filters: 16, kernel: 3, stride: 1, padding: 1 };
    [
        Layer::Dense { units: 64 },
        conv.clone(),
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
        Layer::Residual { layers: vec![conv, Layer::BatchNorm, Layer::Relu] },
    ]
}

/// A layer in the list that is edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its place among the outermost layers, then among those inside, …, from 0.
    pub at: Vec<usize>,
    /// The layer.
    pub layer: Layer,
    /// Whether it is the last of those beside it.
    pub is_last: bool,
}

/// All layers, a residual block before those inside it.
pub fn items(layers: &[Layer]) -> Vec<Item> {
    let mut all = vec![];
    for (i, layer) in layers.iter().enumerate() {
        all.push(Item { at: vec![i], layer: layer.clone(), is_last: i + 1 == layers.len() });
        if let Layer::Residual { layers } = layer {
            all.extend(items(layers).into_iter().map(|item| Item { at: [&[i], &item.at[..]].concat(), ..item }));
        }
    }
    all
}

/// What can be done with the layer at a place.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Edit {
    Up,
    Down,
    Remove,
    Set(Layer),
    /// The layer there, and those behind it, move on.
    Add(Layer),
}

/// Where the layer is afterwards; in place of one that is removed, the next one.
pub fn moved(at: &[usize], what: &Edit) -> Vec<usize> {
    let mut at = at.to_vec();
    match (at.last_mut(), what) {
        (Some(i), Edit::Up) => *i = i.saturating_sub(1),
        (Some(i), Edit::Down) => *i += 1,
        (Some(_), Edit::Remove | Edit::Set(_) | Edit::Add(_)) | (None, _) => {}
    }
    at
}

/// Does it, where there is such a place.
pub fn edit(layers: &mut Vec<Layer>, at: &[usize], what: Edit) {
    let &[i, ref inside @ ..] = at else { return };
    if !inside.is_empty() {
        if let Some(Layer::Residual { layers }) = layers.get_mut(i) {
            edit(layers, inside, what);
        }
        return;
    }
    let count = layers.len();
    match what {
        Edit::Up if i > 0 && i < count => layers.swap(i, i - 1),
        Edit::Down if i + 1 < count => layers.swap(i, i + 1),
        Edit::Remove if i < count => drop(layers.remove(i)),
        Edit::Set(layer) if i < count => layers[i] = layer,
        Edit::Add(layer) if i <= count => layers.insert(i, layer),
        Edit::Up | Edit::Down | Edit::Remove | Edit::Set(_) | Edit::Add(_) => {}
    }
}

/// A number that a layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Number {
    Units,
    Filters,
    Kernel,
    Stride,
    Padding,
    Size,
    Slope,
    Rate,
}

impl Number {
    /// What the page calls it.
    pub fn name(self, t: &'static Texts) -> &'static str {
        match self {
            Number::Units => t.units,
            Number::Filters => t.filters,
            Number::Kernel => t.kernel,
            Number::Stride => t.stride,
            Number::Padding => t.padding,
            Number::Size => t.size,
            Number::Slope => t.slope,
            Number::Rate => t.part_dropped,
        }
    }
}

/// The numbers of a layer.
pub fn numbers(layer: &Layer) -> Vec<(Number, String)> {
    match layer {
        Layer::Dense { units } => vec![(Number::Units, units.to_string())],
        Layer::Conv2d { filters, kernel, stride, padding } => vec![
            (Number::Filters, filters.to_string()),
            (Number::Kernel, kernel.to_string()),
            (Number::Stride, stride.to_string()),
            (Number::Padding, padding.to_string()),
        ],
        Layer::MaxPool { size, stride } | Layer::AveragePool { size, stride } => {
            vec![(Number::Size, size.to_string()), (Number::Stride, stride.unwrap_or(*size).to_string())]
        }
        Layer::LeakyRelu { slope } => vec![(Number::Slope, slope.to_string())],
        Layer::Dropout { rate } => vec![(Number::Rate, rate.to_string())],
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
pub fn with_number(layer: &Layer, which: Number, text: &str) -> Option<Layer> {
    let mut layer = layer.clone();
    let size = || json_number(text).parse::<usize>().ok();
    let part = || json_number(text).parse::<f32>().ok();
    match (&mut layer, which) {
        (Layer::Dense { units: number }, Number::Units)
        | (Layer::Conv2d { filters: number, .. }, Number::Filters)
        | (Layer::Conv2d { kernel: number, .. }, Number::Kernel)
        | (Layer::Conv2d { stride: number, .. }, Number::Stride)
        | (Layer::Conv2d { padding: number, .. }, Number::Padding)
        | (Layer::MaxPool { size: number, .. } | Layer::AveragePool { size: number, .. }, Number::Size) => {
            *number = size()?
        }
        (Layer::MaxPool { stride, .. } | Layer::AveragePool { stride, .. }, Number::Stride) => *stride = Some(size()?),
        (Layer::LeakyRelu { slope: number }, Number::Slope) | (Layer::Dropout { rate: number }, Number::Rate) => {
            *number = part()?
        }
        _ => return None,
    }
    Some(layer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_of_every_kind_can_be_changed() {
        for layer in kinds() {
            for (which, value) in numbers(&layer) {
                let other = if value.contains('.') { "0.5" } else { "3" };
                let changed = with_number(&layer, which, other).unwrap_or_else(|| panic!("{layer:?} {which:?}"));
                let shown = numbers(&changed).into_iter().find(|(shown, _)| *shown == which);
                assert_eq!(shown, Some((which, other.to_owned())), "{layer:?}");
            }
        }
        assert_eq!(with_number(&Layer::Dense { units: 1 }, Number::Units, "-1"), None);
        assert_eq!(with_number(&Layer::Dense { units: 1 }, Number::Rate, "0.5"), None);
    }

    #[test]
    fn every_kind_of_layer_is_offered() {
        assert_eq!(BTreeSet::from(kinds().map(|layer| layer.name())), Layer::NAMES.iter().copied().collect());
    }

    #[test]
    fn layers_are_edited_inside_blocks_too() {
        fn names(layers: &[Layer]) -> String {
            let name =
                |item: Item| format!("{:?}{}{}", item.at, item.layer.name(), if item.is_last { "." } else { " " });
            items(layers).into_iter().map(name).collect()
        }
        let block = Layer::Residual { layers: vec![Layer::Tanh, Layer::Relu] };
        let start = vec![Layer::Gelu, block, Layer::Flatten];
        let same = "[0]gelu [1]residual [1, 0]tanh [1, 1]relu.[2]flatten.";
        let check = |at: &[usize], what: Edit, expected: &str| {
            let mut layers = start.clone();
            let layer = |layers: &[Layer], at: &[usize]| items(layers).into_iter().find(|item| item.at == at);
            let before = layer(&layers, at).map(|item| item.layer);
            let (to, moves) = (moved(at, &what), matches!(what, Edit::Up | Edit::Down));
            edit(&mut layers, at, what);
            assert_eq!(names(&layers), expected);
            assert!(!moves || expected == same || layer(&layers, &to).map(|item| item.layer) == before);
        };
        check(&[1, 1], Edit::Up, "[0]gelu [1]residual [1, 0]relu [1, 1]tanh.[2]flatten.");
        check(&[1, 0], Edit::Down, "[0]gelu [1]residual [1, 0]relu [1, 1]tanh.[2]flatten.");
        check(&[1, 0], Edit::Remove, "[0]gelu [1]residual [1, 0]relu.[2]flatten.");
        check(&[1, 1], Edit::Set(Layer::Sigmoid), "[0]gelu [1]residual [1, 0]tanh [1, 1]sigmoid.[2]flatten.");
        check(&[1, 2], Edit::Add(Layer::Gelu), "[0]gelu [1]residual [1, 0]tanh [1, 1]relu [1, 2]gelu.[2]flatten.");
        check(&[1], Edit::Up, "[0]residual [0, 0]tanh [0, 1]relu.[1]gelu [2]flatten.");
        check(&[1], Edit::Remove, "[0]gelu [1]flatten.");
        for at in [&[][..], &[3], &[0, 0], &[1, 3], &[1, 0, 0]] {
            check(at, Edit::Set(Layer::Sigmoid), same);
        }
        check(&[0], Edit::Up, same);
        check(&[1, 1], Edit::Down, same);
    }
}
