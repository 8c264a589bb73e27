//! Checkpoints come from anywhere: what is not right is named.

use std::collections::HashMap;

use expect_test::{Expect, expect};
use graph::HostTensor;
use protocol::{RunConfig, preset};
use safetensors::{Dtype, tensor::TensorView};
use train::{
    Checkpoint, Progress,
    checkpoint::{CheckpointError, state_from_bytes, state_to_bytes, weights_from_bytes},
    programs,
};

fn config() -> RunConfig {
    preset("softmax").expect("a preset")
}

fn checkpoint() -> Checkpoint {
    let progress = Progress { step: 17, epoch_loss: 0.1 + 0.2, best_loss: Some(1.0 / 3.0), ..Progress::default() };
    let state = programs::initial(&config(), [28, 28]).expect("a valid configuration");
    Checkpoint {
        config: config(),
        image: [28, 28],
        progress,
        engine: "candle-cpu".into(),
        choices: Default::default(),
        origin: Default::default(),
        state,
    }
}

fn check_error(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&Checkpoint::from_bytes(bytes).expect_err("a bad file").to_string());
}

/// The good checkpoint's file with one change to its slots.
fn changed(change: impl FnOnce(&mut Checkpoint)) -> Vec<u8> {
    let mut checkpoint = checkpoint();
    change(&mut checkpoint);
    checkpoint.to_bytes()
}

/// The good checkpoint's file with some tensors in another type.
fn in_type(is_changed: impl Fn(&str) -> bool, dtype: Dtype, bytes: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let good = checkpoint().to_bytes();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&good).expect("our own file");
    let record = metadata.metadata().clone().expect("our own record");
    let tensors: Vec<_> = checkpoint()
        .state
        .into_iter()
        .map(|(slot, tensor)| {
            let numbers = tensor.as_f32().expect("slots are f32").iter();
            let (dtype, data): (Dtype, Vec<u8>) = match is_changed(&slot) {
                true => (dtype, numbers.flat_map(|&v| bytes(v)).collect()),
                false => (Dtype::F32, numbers.flat_map(|v| v.to_le_bytes()).collect()),
            };
            (slot, dtype, tensor.shape().0.clone(), data)
        })
        .collect();
    let views = tensors.iter().map(|(slot, dtype, shape, data)| {
        (slot.as_str(), TensorView::new(*dtype, shape.clone(), data).expect("as many bytes as the shape needs"))
    });
    safetensors::serialize(views, Some(record)).expect("it serialises")
}

#[test]
fn what_is_written_is_read_bit_for_bit() {
    let checkpoint = checkpoint();
    assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("our own file"), checkpoint);
}

#[test]
fn damaged_files_are_refused() {
    let good = checkpoint().to_bytes();
    for length in [0, 4, 8, 100, good.len() / 2, good.len() - 1] {
        assert!(matches!(Checkpoint::from_bytes(&good[..length]), Err(CheckpointError::Format(_))), "{length} bytes");
    }
    let mut hostile = good.clone();
    hostile[..8].copy_from_slice(&u64::MAX.to_le_bytes()); // a header of 2⁶⁴ bytes
    assert!(matches!(Checkpoint::from_bytes(&hostile), Err(CheckpointError::Format(_))));
    assert!(matches!(Checkpoint::from_bytes(&[good, vec![0]].concat()), Err(CheckpointError::Format(_))));
}

#[test]
fn tensors_must_be_the_network_s() {
    let bias = "dense1.bias";
    check_error(
        &changed(|c| drop(c.state.remove(bias))),
        expect!["the file's tensors are not the network's: missing: `dense1.bias`"],
    );
    check_error(
        &changed(|c| drop(c.state.insert("dense2.bias".into(), HostTensor::scalar(0.0)))),
        expect!["the file's tensors are not the network's: too many: `dense2.bias`"],
    );
    check_error(
        &changed(|c| drop(c.state.insert(bias.into(), HostTensor::zeros([11].into())))),
        expect![
            "the file's tensors are not the network's: of another shape or type: `dense1.bias` (F32[11], not F32[10])"
        ],
    );
    check_error(
        &in_type(|slot| slot == bias, Dtype::I32, |_| vec![0; 4]),
        expect![
            "the file's tensors are not the network's: of another shape or type: `dense1.bias` (I32[10], not F32[10])"
        ],
    );
}

/// All of it in one message, by name, however often it is asked for; and no more of it than a person reads.
#[test]
fn everything_that_does_not_fit_is_listed() {
    let file = changed(|c| {
        c.state.retain(|slot, _| slot.starts_with("optimizer."));
        for name in ["fc2.bias", "fc1.weight", "fc1.bias", "fc2.weight", "\u{1b}[2J"] {
            c.state.insert(name.into(), HostTensor::scalar(0.0));
        }
    });
    for _ in 0..6 {
        check_error(
            &file,
            expect![
                "the file's tensors are not the network's: missing: `dense1.bias`, `dense1.weight`; too many: `�[2J`, `fc1.bias`, `fc1.weight`, `fc2.bias`, `fc2.weight`"
            ],
        );
    }
    let file = changed(|c| (0..100).for_each(|i| drop(c.state.insert(format!("{i:03}"), HostTensor::scalar(0.0)))));
    let error = Checkpoint::from_bytes(&file).expect_err("a bad file").to_string();
    assert!(error.ends_with("`018`, `019` and 80 more"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for (broken, slot) in [(f32::NAN, "dense1.bias"), (f32::INFINITY, "dense1.weight")] {
        let file = changed(|c| {
            let shape = c.state[slot].shape().clone();
            let count = shape.count();
            c.state.insert(slot.into(), HostTensor::f32(shape, vec![broken; count]));
        });
        assert!(matches!(Checkpoint::from_bytes(&file), Err(CheckpointError::NotFinite { name }) if name == slot));
        let weights = weights_from_bytes(&file, &config(), [28, 28]);
        assert!(matches!(weights, Err(CheckpointError::NotFinite { name }) if name == slot));
    }
    // A double that is too large for us.
    let file = in_type(|slot| slot == "dense1.bias", Dtype::F64, |_| 1e39f64.to_le_bytes().to_vec());
    assert!(matches!(Checkpoint::from_bytes(&file), Err(CheckpointError::NotFinite { name }) if name == "dense1.bias"));
}

/// Each number by way of the other type, to the bit.
#[test]
fn floats_of_other_sizes_are_converted() {
    let all = |_: &str| true;
    let half = in_type(all, Dtype::F16, |v| half::f16::from_f32(v).to_le_bytes().to_vec());
    let brain = in_type(all, Dtype::BF16, |v| half::bf16::from_f32(v).to_le_bytes().to_vec());
    let double = in_type(all, Dtype::F64, |v| f64::from(v).to_le_bytes().to_vec());
    let rounded = |file: &[u8], round: fn(f32) -> f32| {
        let read = Checkpoint::from_bytes(file).expect("floats").state;
        for (slot, tensor) in checkpoint().state {
            let expected: Vec<f32> = tensor.as_f32().expect("slots are f32").iter().map(|&v| round(v)).collect();
            assert_eq!(read[&slot].as_f32(), Some(&expected[..]), "{slot}");
        }
    };
    rounded(&half, |v| half::f16::from_f32(v).to_f32());
    rounded(&brain, |v| half::bf16::from_f32(v).to_f32());
    rounded(&double, |v| v);
}

#[test]
fn records_are_checked_like_configurations() {
    check_error(
        &changed(|c| c.config.batch = 0),
        expect!["the file's configuration: `batch` is 0, but must be 1 to 8192"],
    );
    check_error(
        &changed(|c| c.image = [0, 28]),
        expect!["the training record in the file is not valid: `image.0` is 0, but must be 1 to 1024"],
    );
    let data = vec![0; 4];
    let scalar = || TensorView::new(Dtype::F32, vec![], &data).expect("4 bytes");
    let file = |record: &str| {
        let metadata = HashMap::from([("playground".to_owned(), record.to_owned())]);
        safetensors::serialize([("x", scalar())], Some(metadata)).expect("it serialises")
    };
    check_error(
        &file("{"),
        expect![
            "the training record in the file is not valid: this is not JSON: EOF while parsing an object at line 1 column 1"
        ],
    );
    check_error(
        &safetensors::serialize([("x", scalar())], None).expect("it serialises"),
        expect!["the file has no training record (metadata `playground`), only tensors"],
    );
}

/// The good file with one value of its record replaced, by a path of keys.
fn recorded(path: &[&str], value: serde_json::Value) -> Vec<u8> {
    let good = checkpoint().to_bytes();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&good).expect("our own file");
    let record = &metadata.metadata().as_ref().expect("our own record")["playground"];
    let mut record: serde_json::Value = serde_json::from_str(record).expect("our own record");
    let place = path.iter().fold(&mut record, |place, key| &mut place[key]);
    *place = value;
    let tensors = safetensors::SafeTensors::deserialize(&good).expect("our own file");
    let metadata = HashMap::from([("playground".to_owned(), record.to_string())]);
    safetensors::serialize(tensors.tensors(), Some(metadata)).expect("it serialises")
}

/// What no run can have come to is refused by its name.
#[test]
fn progress_is_checked() {
    let check = |key: &str, value: serde_json::Value, expected: Expect| {
        let error = Checkpoint::from_bytes(&recorded(&["progress", key], value)).expect_err(key).to_string();
        expected.assert_eq(error.strip_prefix("the training record in the file is not valid: ").expect(&error));
    };
    check("step", u64::MAX.into(), expect!["`progress.step` is 18446744073709551615, but must be 0 to 100000000"]);
    check("step", (-1).into(), expect!["`progress.step` is -1, but must be a whole number of at least 0"]);
    check("epoch_steps", 18.into(), expect!["`progress.epoch_steps` is 18, but must be 0 to 17"]);
    check("epoch_images", 1.into(), expect!["`progress.epoch_images` is 1, but must be 0 to 0"]);
    check("epoch_hits", 1.into(), expect!["`progress.epoch_hits` is 1, but must be 0 to 0"]);
    check("seconds", (-1.5).into(), expect!["`progress.seconds` is -1.5, but must be 0 to 3000000000"]);
    check("seconds", serde_json::Value::Null, expect!["`progress.seconds` is null, but must be a number"]);
    check("epoch_loss", "NaN".into(), expect![[r#"`progress.epoch_loss` is "NaN", but must be a number"#]]);
    check("without_improvement", 18.into(), expect!["`progress.without_improvement` is 18, but must be 0 to 17"]);
    check(
        "speed",
        1.into(),
        expect![
            "there is no `speed` in `progress`: choose one of step, epoch_steps, epoch_images, epoch_loss, epoch_hits, seconds, best_loss, without_improvement, finished"
        ],
    );
    check_error(
        &recorded(&["version"], 2.into()),
        expect![
            "the training record in the file is not valid: `version` is 2, but must be 1: written by another release?"
        ],
    );
    check_error(
        &recorded(&["config", "optimizer", "rule"], "adem".into()),
        expect![[
            r#"the training record in the file is not valid: `config.optimizer.rule` is "adem", but must be one of sgd, momentum, nesterov, adam, adam_w"#
        ]],
    );
}

#[test]
fn weights_alone_need_a_configuration() {
    let mut weights = checkpoint();
    weights.state.retain(|slot, _| !slot.starts_with("optimizer."));
    let read = weights_from_bytes(&weights.to_bytes(), &config(), [28, 28]).expect("the network's weights");
    assert_eq!(read, weights.state);
    assert!(weights_from_bytes(&weights.to_bytes(), &preset("mlp").expect("a preset"), [28, 28]).is_err());
    // Of a checkpoint likewise, without its optimizer's state.
    let read = weights_from_bytes(&checkpoint().to_bytes(), &config(), [28, 28]).expect("the network's weights");
    assert_eq!(read, weights.state);
}

/// The first step is still to come, with an optimizer of any kind.
#[test]
fn a_run_begins_with_given_weights() {
    let weights = weights_from_bytes(&checkpoint().to_bytes(), &config(), [28, 28]).expect("the network's weights");
    let other = config().set_all(&[("optimizer.rule", "momentum"), ("seed", "7")]).expect("good values");
    let begun = Checkpoint::begin(other.clone(), [28, 28], weights.clone()).expect("the same network");
    assert_eq!(begun.progress, Progress::default());
    assert!(weights.iter().all(|(slot, tensor)| begun.state[slot] == *tensor));
    let fresh = programs::initial(&other, [28, 28]).expect("a valid configuration");
    assert!(begun.state.keys().eq(fresh.keys()));
    assert!(weights.iter().any(|(slot, tensor)| fresh[slot] != *tensor), "another seed begins with other weights");
}

#[test]
fn a_state_without_a_record_is_read_by_its_slots() {
    let state = checkpoint().state;
    let file = state_to_bytes(&state);
    let shapes: Vec<(String, graph::Shape)> = state.iter().map(|(name, v)| (name.clone(), v.shape().clone())).collect();
    let read =
        |count: usize| state_from_bytes(&file, shapes[..count].iter().map(|(name, shape)| (name.as_str(), shape)));
    assert_eq!(read(shapes.len()).expect("our own file"), state);
    assert!(matches!(read(shapes.len() - 1), Err(CheckpointError::Tensors(misfits)) if misfits.extra.len() == 1));
    assert!(matches!(Checkpoint::from_bytes(&file), Err(CheckpointError::NoRecord)));
}
