//! What the layers of a network make of one image.

use graph::{DType, Feed, Recorder, Shape};
use models::{ModelError, Network, path, survey};

/// Scores that a network must end in, one a digit.
const CLASSES: usize = 10;

/// One layer in words and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place among the outermost layers, then among those inside, …, from 0.
    pub at: Vec<usize>,
    /// Its place as a person counts, and its name: `2.1. conv`.
    pub name: String,
    /// What it makes of an image: `8 × 28 × 28`, `128`.
    pub shape: String,
    /// Numbers that it learns; those of a residual block are its layers' and its shortcut's.
    pub parameters: usize,
    /// Operations for one image.
    pub flops: u64,
}

/// The layers of `network` for images of 28×28, a residual block before the layers inside it, up to the one that does
/// not fit; and what is wrong there.
pub fn rows(network: &Network) -> (Vec<Row>, Option<ModelError>) {
    let images = Recorder::new().input("images", Feed::Step, [1, 1, 28, 28], DType::F32);
    let (rows, mistake) = survey(network, &images);
    let got = rows.iter().rfind(|row| row.at.len() == 1).map(|row| row.output.clone());
    let need = Shape::from([1, CLASSES]);
    let end = got.filter(|got| *got != need).map(|got| ModelError::Output { got, need, classes: CLASSES });
    let row = |row: models::Row| Row {
        name: format!("{}. {}", path(&row.at), row.layer),
        shape: row.output.0[1..].iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
        parameters: row.parameters,
        flops: row.flops,
        at: row.at,
    };
    (rows.into_iter().map(row).collect(), mistake.or(end))
}

/// Where a mistake is to be told: beside this layer, or below all.
pub fn place(mistake: &ModelError) -> Option<&[usize]> {
    match mistake {
        ModelError::Layer { at, .. } => Some(at),
        ModelError::Empty | ModelError::Output { .. } | ModelError::Graph(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use models::Layer;
    use protocol::preset;

    use super::*;

    #[test]
    fn layers_tell_their_shapes() {
        let (rows, mistake) = rows(&preset("cnn").unwrap().network().unwrap());
        assert_eq!(mistake, None);
        assert_eq!(rows[0].shape, "8 × 28 × 28");
        assert_eq!(rows[0].parameters, 8 * 25 + 8);
        assert_eq!((rows.last().unwrap().shape.as_str(), rows.last().unwrap().parameters), ("10", 784 * 10 + 10));
    }

    #[test]
    fn layers_inside_a_block_come_behind_it() {
        let (rows, mistake) = rows(&preset("resnet-mini").unwrap().network().unwrap());
        assert_eq!(mistake, None);
        let block = rows.iter().position(|row| row.name.ends_with("residual")).unwrap();
        assert_eq!(rows[block + 1].at, [&rows[block].at[..], &[0]].concat());
        assert!(
            rows[block + 1].name.starts_with(&format!("{}.1. ", rows[block].at[0] + 1)),
            "{}",
            rows[block + 1].name
        );
    }

    #[test]
    fn layers_before_a_mistake_keep_their_shapes() {
        fn check(layers: Vec<Layer>, count: usize, at: Option<&[usize]>) {
            let (rows, mistake) = rows(&Network { layers, ..Default::default() });
            assert_eq!((rows.len(), place(&mistake.unwrap())), (count, at));
        }
        let conv = Layer::Conv2d { filters: 1, kernel: 3, stride: 1, padding: 1 };
        check(vec![Layer::Flatten, Layer::Relu, conv.clone(), Layer::Relu], 2, Some(&[2]));
        check(vec![Layer::Relu, Layer::Residual { layers: vec![conv, Layer::Dense { units: 1 }] }], 2, Some(&[1, 1]));
        check(vec![Layer::Flatten, Layer::Dense { units: 9 }], 2, None);
        check(vec![], 0, None);
    }
}
