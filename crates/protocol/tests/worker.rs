//! What page and worker say survives its way as JSON.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use protocol::{
    Cause, Command, Data, Device, DeviceState, EarlyEnd, EngineName, Event, Failure, Message, Missing, Part, Seconds,
    Summary, Target, preset,
    worker::{CheckReport, DeviceReport, Reply, Request, Work},
};
use serde::{Serialize, de::DeserializeOwned};

/// What is said, and read back the same. Debug text, since NaN differs from itself.
fn check<T: Serialize + DeserializeOwned + std::fmt::Debug>(said: &T, json: Expect) {
    let text = serde_json::to_string(said).expect("plain data");
    json.assert_eq(&text);
    let heard: T = serde_json::from_str(&text).expect("our own text");
    assert_eq!(format!("{heard:?}"), format!("{said:?}"));
}

#[test]
fn requests_are_read_as_they_were_written() {
    check(&Request::Devices, expect![[r#""devices""#]]);
    check(&Request::Run(Command::Pause), expect![[r#"{"run":"pause"}"#]]);
    check(&Request::Run(Command::Step), expect![[r#"{"run":"step"}"#]]);
    check(&Request::Run(Command::Rewind), expect![[r#"{"run":"rewind"}"#]]);
    check(&Request::Run(Command::Momentum { momentum: 0.5 }), expect![[r#"{"run":{"momentum":{"momentum":0.5}}}"#]]);
    check(&Request::Run(Command::Rate { rate: 0.1 }), expect![[r#"{"run":{"rate":{"rate":0.1}}}"#]]);
    check(&Request::Predict { request: 7, count: 2 }, expect![[r#"{"predict":{"request":7,"count":2}}"#]]);
    check(&Request::Check { request: 5 }, expect![[r#"{"check":{"request":5}}"#]]);
    check(&Request::Save { request: 8 }, expect![[r#"{"save":{"request":8}}"#]]);
    check(
        &Request::Files { name: "mine".into(), names: vec!["a.gz".into()] },
        expect![[r#"{"files":{"name":"mine","names":["a.gz"]}}"#]],
    );
    check(
        &Request::Images { request: 9, part: Part::Test, class: None, near: false, first: 10, count: 5 },
        expect![[r#"{"images":{"request":9,"part":"test","near":false,"first":10,"count":5}}"#]],
    );
    check(
        &Request::Images { request: 9, part: Part::Training, class: Some(7), near: true, first: 0, count: 5 },
        expect![[r#"{"images":{"request":9,"part":"training","class":7,"near":true,"first":0,"count":5}}"#]],
    );
    let start = Request::Start {
        run: "r1".into(),
        config: Box::new(preset("softmax").expect("a preset")),
        target: Target { engine: EngineName::Wgpu, adapter: None },
        checkpoint: false,
        paused: true,
    };
    let config = Box::new(preset("softmax").expect("a preset"));
    for request in [start, Request::Preview { request: 3, config, count: 24 }] {
        let text = serde_json::to_string(&request).expect("plain data");
        assert_eq!(serde_json::from_str::<Request>(&text).expect("our own text"), request);
    }
}

#[test]
fn replies_are_read_as_they_were_written() {
    let device = Device { engine: EngineName::Cpu, name: "CPU".into(), software: false };
    let facts = BTreeMap::from([("vendor".into(), "v".into())]);
    let ready = DeviceState::Ready { device, facts, features: vec!["shader-f16".into()] };
    let devices = vec![
        DeviceReport { engine: EngineName::Wgpu, state: DeviceState::Missing(Missing::InsecureContext) },
        DeviceReport { engine: EngineName::Cpu, state: ready },
    ];
    check(
        &Reply::Devices { devices },
        expect![[
            r#"{"devices":{"devices":[{"engine":"wgpu","state":{"missing":"insecure_context"}},{"engine":"cpu","state":{"ready":{"device":{"engine":"cpu","name":"CPU","software":false},"facts":{"vendor":"v"},"features":["shader-f16"]}}}]}}"#
        ]],
    );
    let report = CheckReport {
        device: Device { engine: EngineName::Wgpu, name: "GPU".into(), software: false },
        gap: f64::NAN,
        bound: 1e-4,
        dispatch_microseconds: 5.5,
        product_side: 1024,
        gflop_per_second: 900.0,
        seconds: 0.25,
    };
    check(
        &Reply::Checked { request: 5, report },
        expect![[
            r#"{"checked":{"request":5,"report":{"device":{"engine":"wgpu","name":"GPU","software":false},"gap":"NaN","bound":0.0001,"dispatch_microseconds":5.5,"product_side":1024,"gflop_per_second":900.0,"seconds":0.25}}}"#
        ]],
    );
    let refused = DeviceState::Missing(Missing::Refused { reason: "r".into() });
    check(
        &Reply::Devices { devices: vec![DeviceReport { engine: EngineName::Wgpu, state: refused }] },
        expect![[r#"{"devices":{"devices":[{"engine":"wgpu","state":{"missing":{"refused":{"reason":"r"}}}}]}}"#]],
    );
    check(
        &Reply::Progress { what: Work::Download, done: 3, total: Some(9) },
        expect![[r#"{"progress":{"what":"download","done":3,"total":9}}"#]],
    );
    check(
        &Reply::Run { run: "r1".into(), events: vec![Event::Rewound {}] },
        expect![[r#"{"run":{"run":"r1","events":[{"rewound":{}}]}}"#]],
    );
    check(
        &Reply::NotStarted { run: "r2".into(), failure: "m".to_owned().into() },
        expect![[r#"{"not_started":{"run":"r2","failure":{"message":"m"}}}"#]],
    );
    let scores = vec![vec![0.1, f32::NAN], vec![f32::INFINITY, 1e-7]];
    check(
        &Reply::Prediction { request: 7, scores },
        expect![[r#"{"prediction":{"request":7,"scores":[[0.1,"NaN"],["inf",1e-7]]}}"#]],
    );
    check(
        &Reply::Preview { request: 4, labels: vec![7], size: [28, 28], scores: vec![vec![0.5]] },
        expect![[r#"{"preview":{"request":4,"labels":[7],"size":[28,28],"scores":[[0.5]]}}"#]],
    );
    check(&Reply::Saved { request: 8, step: 70 }, expect![[r#"{"saved":{"request":8,"step":70}}"#]]);
    check(
        &Reply::Files { name: "mine".into(), images: [60_000, 10_000] },
        expect![[r#"{"files":{"name":"mine","images":[60000,10000]}}"#]],
    );
    check(
        &Reply::Images { request: 9, first: 10, labels: vec![3, 4], size: [28, 28], counts: vec![0, 9] },
        expect![[r#"{"images":{"request":9,"first":10,"labels":[3,4],"size":[28,28],"counts":[0,9]}}"#]],
    );
    check(
        &Reply::Refused { request: None, failure: "m".to_owned().into() },
        expect![[r#"{"refused":{"request":null,"failure":{"message":"m"}}}"#]],
    );
    check(&Reply::Crashed { message: "m".into() }, expect![[r#"{"crashed":{"message":"m"}}"#]]);
}

#[test]
fn steps_that_follow_steps_are_told_of_as_one() {
    let steps = |step: u64, losses: &[f32], gradient_norm| Event::Steps {
        step,
        losses: losses.to_vec(),
        hits: losses.iter().map(|loss| *loss as u32).collect(),
        rate: step as f32,
        gradient_norm,
        seconds: 0.5,
        readback: 0.25,
        asleep: 2.0,
        aside: 1.0,
    };
    let mut first = steps(2, &[4.0, 3.0], Some(9.0));
    assert_eq!(first.join(steps(3, &[2.0], None)), None);
    let (losses, hits) = (vec![4.0, 3.0, 2.0], vec![4, 3, 2]);
    let joined = Event::Steps {
        step: 3,
        losses,
        hits,
        rate: 3.0,
        gradient_norm: None,
        seconds: 1.0,
        readback: 0.5,
        asleep: 4.0,
        aside: 2.0,
    };
    assert_eq!(first, joined);
    assert_eq!(first.join(Event::Paused { step: 3 }), Some(Event::Paused { step: 3 }));
    assert_eq!(Event::Rewound {}.join(joined.clone()), Some(joined));
}

#[test]
fn what_may_change_is_checked_like_the_configuration_s() {
    assert_eq!(Command::Rate { rate: 0.5 }.check(), Ok(()));
    for rate in [-0.1, 1001.0, f32::NAN] {
        let error = Command::Rate { rate }.check().expect_err("out of bounds").to_string();
        assert_eq!(error, format!("`schedule.rate` is {rate}, but must be 0 to 1000"));
    }
    assert_eq!(Command::Momentum { momentum: 0.0 }.check(), Ok(()));
    for momentum in [-0.1, 1.0, f32::NAN] {
        let error = Command::Momentum { momentum }.check().expect_err("out of bounds").to_string();
        assert_eq!(error, format!("`optimizer.rule.momentum` is {momentum}, but must be at least 0 and below 1"));
    }
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let device = Device { engine: EngineName::Cpu, name: "CPU".into(), software: false };
    let summary = Summary {
        engine: EngineName::Wgpu,
        device: "GPU".into(),
        software: true,
        steps: 3,
        train_loss: f64::NAN,
        test_loss: 0.5,
        test_accuracy: 0.75,
        images_per_second: 64.0,
        seconds: Seconds { steps: 1.5, asleep: 9.0, ..Default::default() },
        ended_early: Some(EarlyEnd::NoImprovement { evaluations: 3 }),
    };
    let (loss, seconds, checkpoint) = (f64::INFINITY, 0.25, Some("c.safetensors".to_owned()));
    let events = [
        Event::Started {
            device,
            versions: vec!["v".into()],
            choices: BTreeMap::from([("product".into(), "tiles".into())]),
            parameters: 9,
            config: Box::new(preset("resnet-mini").expect("a preset")),
            data: Data { name: "digits".into(), training: 1, validation: 2, test: 3 },
            steps: 4,
            steps_per_epoch: 2,
            first_step: 0,
            seconds: Seconds::default(),
        },
        Event::Steps {
            step: 2,
            losses: vec![f32::NAN, 0.1],
            hits: vec![3, 4],
            rate: 0.1,
            gradient_norm: None,
            seconds,
            readback: 0.125,
            asleep: 2.0,
            aside: 0.0,
        },
        Event::Epoch { epoch: 1, loss, error: 0.5, seconds },
        Event::Evaluation {
            step: 2,
            on: Part::Test,
            loss,
            accuracy: 1.0,
            confusion: vec![vec![1, 0], vec![0, 2]],
            seconds,
        },
        Event::Paused { step: 2 },
        Event::Rate { step: 2, rate: 0.1 },
        Event::Momentum { step: 3, momentum: 0.5 },
        Event::Recovered { step: 2, repeated: 1, reason: "lost".into() },
        Event::Rewound {},
        Event::Checkpoint { step: 2, path: "p".into() },
        Event::Finished(Box::new(summary)),
        Event::Stopped { reason: "r".into(), step: 2, checkpoint: checkpoint.clone() },
        Event::Failed {
            failure: Failure {
                message: "m".into(),
                cause: Some(Cause::Diverged { loss: f64::NAN, step: 2, rate: 10.0, calmer: 1.0 }),
            },
            step: 2,
            checkpoint,
        },
    ];
    for event in events {
        let message = Message { version: 1, run: "r".into(), event };
        let text = message.to_json();
        assert!(text.starts_with(r#"{"version":1,"run":"r","event":""#), "{text}");
        let heard = Message::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(format!("{heard:?}"), format!("{message:?}"));
        // What a later release adds is for others.
        let more = format!(r#"{},"later":[{{}}]}}"#, text.strip_suffix('}').expect("an object"));
        let heard = Message::from_json(&more).unwrap_or_else(|error| panic!("{error}: {more}"));
        assert_eq!(format!("{heard:?}"), format!("{message:?}"));
    }
}
