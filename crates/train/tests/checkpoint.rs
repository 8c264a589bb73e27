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

/// A file with the good record and one tensor of another type.
fn with_integers() -> Vec<u8> {
    let good = checkpoint().to_bytes();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&good).expect("our own file");
    let record = metadata.metadata().clone().expect("our own record");
    let data = vec![0; 4 * 7840];
    let views = checkpoint().state.into_iter().map(|(slot, tensor)| {
        let dtype = if slot == "dense1.bias" { Dtype::I32 } else { Dtype::F32 };
        let view = TensorView::new(dtype, tensor.shape().0.clone(), &data[..4 * tensor.shape().count()]);
        (slot, view.expect("four bytes an element"))
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
        expect!["the file has no tensor `dense1.bias`, which the network needs"],
    );
    check_error(
        &changed(|c| drop(c.state.insert("dense2.bias".into(), HostTensor::scalar(0.0)))),
        expect!["the file has a tensor `dense2.bias` that the network does not have"],
    );
    check_error(
        &changed(|c| drop(c.state.insert(bias.into(), HostTensor::zeros([11].into())))),
        expect!["tensor `dense1.bias` is F32[11], but the network needs F32[10]"],
    );
    check_error(&with_integers(), expect!["tensor `dense1.bias` is I32[10], but the network needs F32[10]"]);
}

#[test]
fn records_are_checked_like_configurations() {
    check_error(
        &changed(|c| c.config.batch = 0),
        expect!["the file's configuration: `batch` is 0, but must be 1 to 8192"],
    );
    check_error(
        &changed(|c| c.image = [0, 28]),
        expect!["the training record in the file is not valid: images of 0×28, at most 1024×1024"],
    );
    let data = vec![0; 4];
    let scalar = || TensorView::new(Dtype::F32, vec![], &data).expect("4 bytes");
    let file = |record: &str| {
        let metadata = HashMap::from([("playground".to_owned(), record.to_owned())]);
        safetensors::serialize([("x", scalar())], Some(metadata)).expect("it serialises")
    };
    check_error(
        &file("{"),
        expect!["the training record in the file is not valid: EOF while parsing an object at line 1 column 1"],
    );
    check_error(
        &safetensors::serialize([("x", scalar())], None).expect("it serialises"),
        expect![
            "the file has no training record (metadata `playground`), only tensors: name its network with --preset or --config"
        ],
    );
}

#[test]
fn weights_alone_need_a_configuration() {
    let mut weights = checkpoint();
    weights.state.retain(|slot, _| !slot.starts_with("optimizer."));
    let read = weights_from_bytes(&weights.to_bytes(), &config(), [28, 28]).expect("the network's weights");
    assert_eq!(read, weights.state);
    assert!(weights_from_bytes(&weights.to_bytes(), &preset("mlp").expect("a preset"), [28, 28]).is_err());
}

#[test]
fn a_state_without_a_record_is_read_by_its_slots() {
    let state = checkpoint().state;
    let file = state_to_bytes(&state);
    let shapes: Vec<(String, graph::Shape)> = state.iter().map(|(name, v)| (name.clone(), v.shape().clone())).collect();
    let read =
        |count: usize| state_from_bytes(&file, shapes[..count].iter().map(|(name, shape)| (name.as_str(), shape)));
    assert_eq!(read(shapes.len()).expect("our own file"), state);
    assert!(matches!(read(shapes.len() - 1), Err(CheckpointError::Extra { .. })));
    assert!(matches!(Checkpoint::from_bytes(&file), Err(CheckpointError::NoRecord)));
}
