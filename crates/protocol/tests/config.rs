//! Configurations: what is refused, and in which words.

use expect_test::{Expect, expect};
use protocol::{Event, Message, RunConfig, preset, presets};

fn check_error(json: &str, expected: Expect) {
    expected.assert_eq(&RunConfig::from_json(json).expect_err("a bad configuration").to_string());
}

fn check_set(path: &str, value: &str, expected: Expect) {
    expected.assert_eq(&preset("mlp").expect("it exists").set(path, value).expect_err("a bad value").to_string());
}

#[test]
fn every_preset_is_valid_written_out_and_survives_a_round_trip() {
    for (name, _) in presets() {
        let config = preset(name).expect("it exists");
        config.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(matches!(config.model, protocol::Model::Network(_)), "{name} is written out as layers");
        assert_eq!(RunConfig::from_json(&config.to_json()).expect("our own JSON"), config, "{name}");
    }
}

#[test]
fn what_cannot_be_read_says_where_and_what_was_expected() {
    check_error("", expect!["the configuration is not valid: EOF while parsing a value at line 1 column 0"]);
    check_error(
        r#"{ "model": { "preset": "mlp" }, "bach": 3 }"#,
        expect![
            "the configuration is not valid: unknown field `bach`, expected one of `version`, `dataset`, `model`, `loss`, `optimizer`, `schedule`, `batch`, `length`, `seed`, `evaluate_every`, `stop` at line 1 column 38"
        ],
    );
    check_error(
        r#"{ "batch": 3 }"#,
        expect!["the configuration is not valid: missing field `model` at line 1 column 14"],
    );
    check_error(
        r#"{ "model": { "network": { "layers": ["denze"] } } }"#,
        expect![
            "the configuration is not valid: unknown variant `denze`, expected one of `dense`, `conv2d`, `max_pool`, `average_pool`, `global_average_pool`, `relu`, `leaky_relu`, `gelu`, `tanh`, `sigmoid`, `dropout`, `batch_norm`, `flatten`, `residual` at line 1 column 44"
        ],
    );
    check_error(
        r#"{ "model": { "network": { "layers": [{ "dense": { "units": 3, "bias": false } }] } } }"#,
        expect!["the configuration is not valid: unknown field `bias`, expected `units` at line 1 column 68"],
    );
    check_error(
        r#"{ "model": { "preset": "mpl" } }"#,
        expect![
            "there is no preset `mpl`: choose one of softmax, mlp, mlp-300, mlp-wide, lenet5, cnn, cnn-bn, resnet-mini, nolearn-dbn"
        ],
    );
}

#[test]
fn bounds_are_checked_and_named() {
    let with = |key: &str, value: &str| format!(r#"{{ "model": {{ "preset": "mlp" }}, "{key}": {value} }}"#);
    check_error(&with("version", "2"), expect!["`version` is 2, but must be 1: written by another release?"]);
    check_error(&with("batch", "8193"), expect!["`batch` is 8193, but must be 1 to 8192"]);
    check_error(
        &with("seed", "9007199254740992"),
        expect!["`seed` is 9007199254740992, but must be 0 to 9007199254740991"],
    );
    check_error(&with("length", r#"{ "epochs": 1001 }"#), expect!["`length.epochs` is 1001, but must be 1 to 1000"]);
    check_error(&with("evaluate_every", "0"), expect!["`evaluate_every` is 0, but must be 1 to 100000000"]);
    check_set("schedule.rate", "-1", expect!["`schedule.rate` is -1, but must be 0 to 1000"]);
    check_set(
        "optimizer.rule.adam",
        r#"{ "beta2": 1.0 }"#,
        expect!["`optimizer.rule.beta2` is 1, but must be at least 0 and below 1"],
    );
    check_set("optimizer.clip_norm", "0", expect!["`optimizer.clip_norm` is 0, but must be above 0"]);
    check_set("stop.accuracy", "1.5", expect!["`stop.accuracy` is 1.5, but must be above 0 and at most 1"]);
    check_set(
        "dataset.split",
        r#"{ "random": { "test": 1.0 } }"#,
        expect!["`dataset.split.random.test` is 1, but must be above 0 and below 1"],
    );
    check_set("model.network.layers.1.dense.units", "16385", expect!["`units` is 16385, but must be 1 to 16384"]);
    check_set("model.network.layers", "[]", expect!["the network has 0 layers, but must have 1 to 64"]);
    let many = format!("[{}]", vec![r#""relu""#; 65].join(","));
    check_set("model.network.layers", &many, expect!["the network has 65 layers, but must have 1 to 64"]);
    check_set(
        "rate",
        "1",
        expect![
            "the configuration is not valid: unknown field `rate`, expected one of `version`, `dataset`, `model`, `loss`, `optimizer`, `schedule`, `batch`, `length`, `seed`, `evaluate_every`, `stop` at line 1 column 372"
        ],
    );
    check_set(
        "model.net.layers",
        "1",
        expect!["there is no `net` to set in `model.net.layers`: `show` prints the configuration with all its keys"],
    );
}

#[test]
fn set_replaces_one_value() {
    let config = preset("mlp").expect("it exists");
    let set = |path, value| config.set(path, value).expect("a good value");
    assert_eq!(set("batch", "32").batch, 32);
    assert_eq!(set("dataset.name", "digits").dataset.name, "digits");
    assert_eq!(set("optimizer.clip_norm", "1").optimizer.clip_norm, Some(1.0));
    assert_eq!(set("stop.patience", "3").stop.patience, Some(3));
    assert_eq!(set("batch", "64"), config);
}

#[test]
fn floats_that_json_lacks_travel_as_words() {
    let event = Event::Steps {
        step: 3,
        losses: vec![0.1, f32::NAN, f32::INFINITY],
        hits: vec![5],
        rate: 0.01,
        gradient_norm: Some(f32::NEG_INFINITY),
        seconds: 0.5,
        readback: 0.25,
    };
    let json = Message { version: 1, run: "r".into(), event }.to_json();
    let text = expect![[
        r#"{"version":1,"run":"r","event":"steps","step":3,"losses":[0.1,"NaN","inf"],"hits":[5],"rate":0.01,"gradient_norm":"-inf","seconds":0.5,"readback":0.25}"#
    ]];
    text.assert_eq(&json);
    let Message { event: Event::Steps { losses, gradient_norm, .. }, .. } =
        Message::from_json(&json).expect("it reads")
    else {
        panic!("the event that was written")
    };
    assert!(losses[0] == 0.1 && losses[1].is_nan() && losses[2] == f32::INFINITY);
    assert_eq!(gradient_norm, Some(f32::NEG_INFINITY));
}

#[test]
fn a_message_is_read_in_any_order_and_with_fields_of_later_versions() {
    for (json, event) in [
        (r#"{"version":1,"run":"r","event":"rewound"}"#, Event::Rewound {}),
        (r#"{"version":1,"run":"r","event":"paused","step":3}"#, Event::Paused { step: 3 }),
        (r#"{"version":1,"run":"r","event":"rate","step":3,"rate":0.25}"#, Event::Rate { step: 3, rate: 0.25 }),
        (
            r#" {"step":3,"event":"checkpoint","later":{"a":[1]},"path":"p\"q","run":"r","version":1} "#,
            Event::Checkpoint { step: 3, path: "p\"q".into() },
        ),
    ] {
        let message = Message { version: 1, run: "r".into(), event };
        assert_eq!(Message::from_json(json).expect(json), message);
        assert_eq!(Message::from_json(&message.to_json()).expect(json), message);
    }
    for json in [
        r#"{"version":1,"run":"r","event":"unheard of"}"#,
        r#"{"version":1,"run":"r","event":"rewound"}, "rewound": {}"#,
        r#"{"version":1,"run":"r","event":"checkpoint","step":-3,"path":"p"}"#,
        r#"{"run":"r","event":"rewound"}"#,
        "[]",
    ] {
        Message::from_json(json).expect_err(json);
    }
}
