//! Shapes, names and mistakes of networks.

use expect_test::{Expect, expect};
use graph::{DType, Feed, Recorder, reference};
use models::{Init, Layer, Mode, ModelError, Network, Row, forward, initial, path, survey};

fn conv(filters: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
    Layer::Conv2d { filters, kernel, stride, padding }
}

fn network(layers: Vec<Layer>) -> Network {
    Network { layers, init: Init::FanIn }
}

fn build(layers: Vec<Layer>) -> Result<models::Forward, ModelError> {
    let x = Recorder::new().input("x", Feed::Step, [2, 1, 28, 28], DType::F32);
    forward(&network(layers), &x, Mode::Train)
}

fn check_error(layers: Vec<Layer>, expected: Expect) {
    expected.assert_eq(&build(layers).expect_err("the layers do not fit").to_string());
}

fn check_slots(layers: Vec<Layer>, expected: Expect) {
    let pass = build(layers).expect("the layers fit");
    let slots = pass
        .parameters
        .iter()
        .map(|p| format!("{} {}{}\n", p.name, p.tensor.shape(), if p.trainable { "" } else { " (statistic)" }));
    expected.assert_eq(&slots.collect::<String>());
}

#[test]
fn mistakes_name_the_layer_and_what_it_needs() {
    check_error(
        vec![Layer::Dense { units: 10 }],
        expect![
            "layer 1 (dense) gets images [2,1,28,28] but needs features [batch, feature]: put a flatten layer before it"
        ],
    );
    check_error(
        vec![Layer::Flatten, conv(8, 3, 1, 0)],
        expect![
            "layer 2 (conv) gets features [2,784] but needs images [batch, channel, height, width]: put it before the flatten layer"
        ],
    );
    check_error(
        vec![conv(8, 29, 1, 0)],
        expect!["layer 1 (conv) gets images [2,1,28,28] but needs images of at least 29×29 after padding by 0"],
    );
    check_error(
        vec![conv(8, 3, 0, 0)],
        expect!["layer 1 (conv) gets images [2,1,28,28] but needs filters, kernel and stride of at least 1"],
    );
    check_error(
        vec![conv(8, 3, 1, 3)],
        expect!["layer 1 (conv) gets images [2,1,28,28] but needs a padding smaller than the kernel, not 3"],
    );
    check_error(
        vec![Layer::MaxPool { size: 40, stride: None }],
        expect!["layer 1 (max_pool) gets images [2,1,28,28] but needs images of at least 40×40"],
    );
    check_error(
        vec![Layer::Relu, Layer::Dropout { rate: 1.0 }],
        expect!["layer 2 (dropout) gets images [2,1,28,28] but needs a rate of at least 0 and below 1"],
    );
    check_error(
        vec![Layer::Residual { layers: vec![Layer::Relu, Layer::Flatten] }],
        expect![
            "layer 1 (residual) gets images [2,1,28,28] but needs a path that keeps it or shrinks images evenly, not one that ends in [2,784]"
        ],
    );
    check_error(
        vec![Layer::Relu, Layer::Residual { layers: vec![Layer::Relu, Layer::Dense { units: 3 }] }],
        expect![
            "layer 2.2 (dense) gets images [2,1,28,28] but needs features [batch, feature]: put a flatten layer before it"
        ],
    );
    check_error(vec![], expect!["a network needs at least one layer"]);
}

#[test]
fn a_survey_goes_into_blocks_and_up_to_the_mistake() {
    fn check(layers: Vec<Layer>, expected: Expect) {
        let x = Recorder::new().input("x", Feed::Step, [1, 1, 28, 28], DType::F32);
        let (rows, mistake) = survey(&network(layers), &x);
        let row = |row: Row| {
            let Row { at, layer, output, parameters, flops } = row;
            format!("{} {layer} {output} {parameters} {flops}\n", path(&at))
        };
        let mistake = mistake.map(|mistake| mistake.to_string()).unwrap_or_default();
        expected.assert_eq(&(rows.into_iter().map(row).collect::<String>() + &mistake));
    }
    let block = |last| Layer::Residual { layers: vec![conv(2, 3, 1, 1), Layer::BatchNorm, Layer::Relu, last] };
    check(
        vec![Layer::Relu, block(conv(4, 3, 2, 1)), Layer::Flatten],
        expect![[r#"
        1 relu [1,1,28,28] 0 784
        2 residual [1,4,14,14] 110 68226
        2.1 conv [1,2,28,28] 18 28224
        2.2 bn [1,2,28,28] 4 4710
        2.3 relu [1,2,28,28] 0 1568
        2.4 conv [1,4,14,14] 76 29008
        3 flatten [1,784] 0 0
    "#]],
    );
    check(
        vec![Layer::Relu, block(Layer::Dense { units: 3 }), Layer::Flatten],
        expect![[r#"
        1 relu [1,1,28,28] 0 784
        2.1 conv [1,2,28,28] 18 28224
        2.2 bn [1,2,28,28] 4 4710
        2.3 relu [1,2,28,28] 0 1568
        layer 2.4 (dense) gets images [1,2,28,28] but needs features [batch, feature]: put a flatten layer before it"#]],
    );
    check(vec![], expect!["a network needs at least one layer"]);
    // The block's own row counts its shortcut too.
    let x = Recorder::new().input("x", Feed::Step, [1, 1, 28, 28], DType::F32);
    let (rows, _) = survey(&network(vec![block(conv(4, 3, 2, 1))]), &x);
    let inside: usize = rows[1..].iter().map(|row| row.parameters).sum();
    assert_eq!(rows[0].parameters, inside + 4 + 2 * 4, "1×1 convolution to four channels, and batch norm");
}

#[test]
fn slots_have_candle_nn_s_names_and_layouts() {
    check_slots(
        vec![
            conv(8, 5, 1, 2),
            Layer::Relu,
            conv(4, 3, 1, 1),
            Layer::BatchNorm,
            Layer::Flatten,
            Layer::Dense { units: 10 },
        ],
        expect![[r#"
            conv1.weight [8,1,5,5]
            conv1.bias [8]
            conv2.weight [4,8,3,3]
            bn1.weight [4]
            bn1.bias [4]
            bn1.running_mean [4] (statistic)
            bn1.running_var [4] (statistic)
            dense1.weight [10,3136]
            dense1.bias [10]
        "#]],
    );
    let block = |filters, stride| Layer::Residual { layers: vec![conv(filters, 3, stride, 1), Layer::BatchNorm] };
    check_slots(
        vec![block(1, 1), block(6, 2)],
        expect![[r#"
            residual1.conv1.weight [1,1,3,3]
            residual1.bn1.weight [1]
            residual1.bn1.bias [1]
            residual1.bn1.running_mean [1] (statistic)
            residual1.bn1.running_var [1] (statistic)
            residual2.conv1.weight [6,1,3,3]
            residual2.bn1.weight [6]
            residual2.bn1.bias [6]
            residual2.bn1.running_mean [6] (statistic)
            residual2.bn1.running_var [6] (statistic)
            residual2.shortcut.conv1.weight [6,1,1,1]
            residual2.shortcut.bn1.weight [6]
            residual2.shortcut.bn1.bias [6]
            residual2.shortcut.bn1.running_mean [6] (statistic)
            residual2.shortcut.bn1.running_var [6] (statistic)
        "#]],
    );
}

#[test]
fn dropout_keeps_the_mean_and_differs_by_layer_and_step() {
    let r = Recorder::new();
    let x = r.input("x", Feed::Step, [1, 1, 100, 100], DType::F32);
    let drop =
        |x| forward(&network(vec![Layer::Dropout { rate: 0.25 }, Layer::Dropout { rate: 0.25 }]), x, Mode::Train);
    let y = drop(&x).expect("it fits").output;
    let graph = r.finish(&[("y", &y)], &[]).expect("a valid graph");
    let run = |key: [u32; 2]| {
        let ones = graph::HostTensor::f32([1, 1, 100, 100], vec![1.0; 10_000]);
        let inputs = graph::Values::from([
            ("x".to_owned(), ones),
            ("key".to_owned(), graph::HostTensor::u32([2], key.to_vec())),
        ]);
        reference::evaluate::<f64>(&graph, &inputs, &mut Default::default()).expect("it evaluates").remove("y").unwrap()
    };
    let (a, b) = (run([1, 2]), run([1, 3]));
    assert_ne!(a, b);
    let kept = a.iter().filter(|&&v| v != 0.0).count();
    assert!((5_400..5_850).contains(&kept), "{kept} of 10 000 are left by two layers of 0.75, about 5 625");
    let mean = a.iter().sum::<f64>() / 10_000.0;
    assert!((mean - 1.0).abs() < 0.05, "{mean}");
}

#[test]
fn initial_weights_are_repeatable_and_as_described() {
    let layers = vec![Layer::Flatten, Layer::Dense { units: 300 }, Layer::BatchNorm];
    let uniform = initial(&network(layers.clone()), [1, 28, 28], 1).expect("it fits");
    assert_eq!(uniform, initial(&network(layers.clone()), [1, 28, 28], 1).expect("it fits"));
    assert_ne!(uniform, initial(&network(layers.clone()), [1, 28, 28], 2).expect("it fits"));
    let weight = uniform["dense1.weight"].as_f32().expect("f32");
    let largest = weight.iter().fold(0f32, |m, w| m.max(w.abs()));
    assert!(largest <= 1.0 / 28.0 && largest > 0.99 / 28.0, "{largest}");
    assert_eq!(uniform["bn1.running_var"].as_f32(), Some(&[1.0; 300][..]));

    let normal = initial(&Network { layers, init: Init::Normal { std: 0.05 } }, [1, 28, 28], 1).expect("it fits");
    let weight = normal["dense1.weight"].as_f32().expect("f32");
    let deviation = (weight.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / weight.len() as f64).sqrt();
    assert!((deviation - 0.05).abs() < 5e-4, "{deviation}");
}

#[test]
fn evaluation_uses_running_statistics_and_no_randomness() {
    let x = Recorder::new().input("x", Feed::Step, [2, 1, 28, 28], DType::F32);
    let layers = vec![Layer::BatchNorm, Layer::Dropout { rate: 0.5 }];
    let pass = forward(&network(layers), &x, Mode::Evaluate).expect("it fits");
    assert!(pass.updates.is_empty());
    let graph = x.recorder().finish(&[("y", &pass.output)], &[]).expect("a valid graph");
    assert_eq!(graph.inputs().map(|(name, _)| name).collect::<Vec<_>>(), ["x"]);
}
