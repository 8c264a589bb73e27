//! All small convolutions that a graph can have, in all three directions: padding beyond the kernel, strides beyond it,
//! images that are smaller than it, and axes of nothing.

mod compare;

use graph::{Conv, Graph, GraphError, Recorder, gradients};

/// A convolution with a bias, and its gradients. `None` if the image is too small for the kernel.
fn convolution(x: [usize; 4], w: [usize; 4], conv: Conv) -> Option<Graph> {
    let outputs = [conv.output(x[2], w[2])?, conv.output(x[3], w[3])?];
    let record = || -> Result<Graph, GraphError> {
        let r = Recorder::new();
        let (images, filters, bias) = (r.state("x", x), r.state("w", w), r.state("b", [1, w[0], 1, 1]));
        let y = images.conv2d(&filters, conv)?.add(&bias)?; // [images, filters, height, width]
        assert_eq!(y.shape().0[2..], outputs);
        let d = gradients(&y.square()?.sum_all()?, &[&images, &filters, &bias])?;
        r.finish(&[("y", &y), ("dx", &d[0]), ("dw", &d[1]), ("db", &d[2])], &[])
    };
    Some(record().unwrap_or_else(|error| panic!("{x:?} {w:?} {conv:?}: {error}")))
}

/// How many there were.
fn check(x: [usize; 4], w: [usize; 4], conv: Conv) -> usize {
    let Some(graph) = convolution(x, w, conv) else { return 0 };
    compare::check(&format!("{x:?} {w:?} {conv:?}"), &graph, 1e-5);
    1
}

fn all() -> impl Iterator<Item = ([usize; 2], [usize; 2], Conv)> {
    let kernels = (1..4).flat_map(|high| (1..5).map(move |wide| [high, wide]));
    let convs = [1, 2, 3, 5].into_iter().flat_map(|stride| (0..5).map(move |padding| Conv { stride, padding }));
    let kinds = kernels.flat_map(move |kernel| convs.clone().map(move |conv| (kernel, conv)));
    let images = [[0, 0], [0, 3], [2, 0], [1, 1], [1, 4], [2, 2], [3, 1], [4, 5], [6, 7], [5, 20]];
    images.into_iter().flat_map(move |image| kinds.clone().map(move |(kernel, conv)| (image, kernel, conv)))
}

#[test]
fn every_size() {
    let count: usize = all().map(|([h, w], [kh, kw], conv)| check([2, 2, h, w], [3, 2, kh, kw], conv)).sum();
    assert!(count > 1500, "{count}");
}

#[test]
fn nothing_along_some_axes() {
    for ([h, w], [kh, kw], conv) in all().filter(|(image, ..)| [[0, 3], [2, 2], [4, 5]].contains(image)) {
        for (images, channels, filters) in [(0, 2, 3), (2, 0, 3), (2, 2, 0), (2, 0, 0), (0, 0, 3)] {
            check([images, channels, h, w], [filters, channels, kh, kw], conv);
        }
    }
}

/// Room is needed for what taps see, not for the stride.
#[test]
fn strides_without_end() {
    for stride in [10_000, usize::MAX / 8] {
        for padding in [0, 1, 3] {
            assert_eq!(check([2, 2, 4, 5], [3, 2, 3, 2], Conv { stride, padding }), 1);
        }
    }
}
