//! Configurations: what is refused, and in which words.

use expect_test::{Expect, expect};
use models::Precision;
use protocol::{Event, Message, RunConfig, Split, preset, presets};

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

const ROOT: &str =
    "version, dataset, model, loss, optimizer, schedule, precision, batch, length, seed, evaluate_every, stop";

#[test]
fn what_cannot_be_read_says_where_and_what_is_allowed() {
    check_error("", expect!["this is not JSON: EOF while parsing a value at line 1 column 0"]);
    check_error("{ \"batch\": 3,\n }", expect!["this is not JSON: trailing comma at line 2 column 2"]);
    let error = |json: &str| RunConfig::from_json(json).expect_err(json).to_string();
    assert_eq!(
        error(r#"{ "model": { "preset": "mlp" }, "bach": 3 }"#),
        format!("there is no `bach` in the configuration: choose one of {ROOT}")
    );
    assert_eq!(error(r#"{ "batch": 3 }"#), format!("`model` is missing in the configuration, whose keys are {ROOT}"));
    assert_eq!(error("[3]"), format!("the configuration is a list of 1, but must be an object of {ROOT}"));
    check_error(r#"{ "model": { "preset": "mlp" }, "batch": 3, "batch": 4 }"#, expect!["`batch` is given twice"]);
    check_error(
        r#"{ "model": { "preset": "mlp" }, "length": { "epochs": 3, "steps": 4 } }"#,
        expect!["`length` is {epochs, steps}, but must be one of epochs, steps"],
    );
    check_error(
        r#"{ "model": { "network": { "layers": ["flatten", "denze"] } } }"#,
        expect![[
            r#"`model.network.layers.1` is "denze", but must be one of dense, conv2d, max_pool, average_pool, global_average_pool, relu, leaky_relu, gelu, tanh, sigmoid, dropout, batch_norm, flatten, residual"#
        ]],
    );
    check_error(
        r#"{ "model": { "network": { "layers": ["dense"] } } }"#,
        expect!["`units` is missing in `model.network.layers.0.dense`, whose keys are units"],
    );
    check_error(
        r#"{ "model": { "network": { "layers": [{ "dense": { "units": 3, "bias": false } }] } } }"#,
        expect!["there is no `bias` in `model.network.layers.0.dense`: choose one of units"],
    );
    check_error(
        r#"{ "model": { "network": { "layers": [{ "residual": { "layers": [{ "dense": { "units": 0 } }] } }] } } }"#,
        expect!["`model.network.layers.0.residual.layers.0.dense.units` is 0, but must be 1 to 16384"],
    );
    check_error(
        r#"{ "model": { "preset": "mpl" } }"#,
        expect![
            "there is no preset `mpl`: choose one of softmax, mlp, mlp-300, mlp-wide, lenet5, cnn, cnn-bn, mnist-99, resnet-mini, nolearn-dbn"
        ],
    );
}

/// What a terminal would obey, and what would fill it, is not repeated.
#[test]
fn what_is_wrong_is_told_in_brief() {
    let long = "x".repeat(1000);
    check_set(
        "loss",
        &long,
        expect![[
            r#"`loss` is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", but must be one of cross_entropy, mean_squared_error"#
        ]],
    );
    check_set(
        "loss",
        "\"\\u001b[2J\"",
        expect![[r#"`loss` is "�[2J", but must be one of cross_entropy, mean_squared_error"#]],
    );
    check_set(
        "stop",
        r#"{ "\u001b[2J": 1 }"#,
        expect!["there is no `�[2J` in `stop`: choose one of accuracy, patience, seconds"],
    );
}

#[test]
fn the_number_of_validation_images_may_be_left_open() {
    let split = |split: &str| {
        let json = format!(r#"{{ "model": {{ "preset": "mlp" }}, "dataset": {{ "split": {split} }} }}"#);
        RunConfig::from_json(&json).expect("a configuration").dataset.split
    };
    for open in [r#"{ "standard": {} }"#, r#"{ "standard": { "validation": null } }"#] {
        let split = split(open);
        assert_eq!(split, Split::default());
        assert_eq!([60_000, 20_000, 19_999, 40, 3, 0].map(|n| split.validation(n)), [5_000, 5_000, 4_999, 10, 0, 0]);
    }
    let chosen = split(r#"{ "standard": { "validation": 7 } }"#);
    assert_eq!([60_000, 40, 3].map(|n| chosen.validation(n)), [7, 7, 7]);
    expect!["`dataset.split.standard.validation` is 7, but must be 0 to 6"]
        .assert_eq(&chosen.check(7).expect_err("nothing is left").to_string());
    assert_eq!(split(r#"{ "random": { "test": 0.5 } }"#).validation(40), 0);
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
        expect!["`optimizer.rule.adam.beta2` is 1, but must be at least 0 and below 1"],
    );
    check_set(
        "optimizer.rule.nesterov.momentum",
        "1",
        expect!["`optimizer.rule.nesterov.momentum` is 1, but must be at least 0 and below 1"],
    );
    check_set(
        "schedule.shape",
        r#"{ "exponential": { "factor": 0 } }"#,
        expect!["`schedule.shape.exponential.factor` is 0, but must be above 0 and at most 1"],
    );
    check_set("optimizer.clip_norm", "0", expect!["`optimizer.clip_norm` is 0, but must be above 0"]);
    check_set("stop.accuracy", "1.5", expect!["`stop.accuracy` is 1.5, but must be above 0 and at most 1"]);
    check_set(
        "dataset.split",
        r#"{ "random": { "test": 1.0 } }"#,
        expect!["`dataset.split.random.test` is 1, but must be above 0 and below 1"],
    );
    check_set(
        "model.network.layers.1.dense.units",
        "16385",
        expect!["`model.network.layers.1.dense.units` is 16385, but must be 1 to 16384"],
    );
    check_set("model.network.layers", "[]", expect!["the network has 0 layers, but must have 1 to 64"]);
    let many = format!("[{}]", vec![r#""relu""#; 65].join(","));
    check_set("model.network.layers", &many, expect!["the network has 65 layers, but must have 1 to 64"]);
}

/// f32 has no such numbers, and many a GPU takes those that it has only just for 0.
#[test]
fn what_our_floats_cannot_hold_is_refused() {
    check_set("schedule.rate", "1e-50", expect!["`schedule.rate` is 1e-50, but must be 0 or at least 1.1754944e-38"]);
    check_set("schedule.rate", "1e-40", expect!["`schedule.rate` is 1e-40, but must be 0 or at least 1.1754944e-38"]);
    check_set("schedule.rate", "1e39", expect!["`schedule.rate` is 1e+39, but must be 0 to 1000"]);
    for layer in [
        r#"{"dropout":{"rate":2e304}}"#,
        r#"{"leaky_relu":{"slope":-1e39}}"#,
        r#"{"residual":{"layers":[{"dropout":{"rate":1e39}}]}}"#,
    ] {
        let json = format!(r#"{{"model":{{"network":{{"layers":["flatten",{layer},{{"dense":{{"units":10}}}}]}}}}}}"#);
        let error = RunConfig::from_json(&json).expect_err(layer).to_string();
        assert!(error.ends_with(", but must be a number"), "{error}");
    }
    check_set("optimizer.clip_norm", "1e39", expect!["`optimizer.clip_norm` is 1e+39, but must be above 0"]);
    check_set(
        "optimizer.rule.adam.epsilon",
        "1e-50",
        expect!["`optimizer.rule.adam.epsilon` is 1e-50, but must be 0 or at least 1.1754944e-38"],
    );
    check_set(
        "model.network.init",
        r#"{ "normal": { "std": 1e-50 } }"#,
        expect!["`model.network.init.normal.std` is 1e-50, but must be 0 or at least 1.1754944e-38"],
    );
    for good in ["0", "0.0", "1.1754944e-38", "1000"] {
        preset("mlp").expect("it exists").set("schedule.rate", good).expect(good);
    }
}

/// Without validation images nothing is judged by them.
#[test]
fn a_stop_that_could_never_be_is_refused() {
    let mlp = preset("mlp").expect("it exists");
    for (path, value) in [("stop.patience", "3"), ("stop.accuracy", "0.9")] {
        for split in [("dataset.split.standard.validation", "0"), ("dataset.split.random.test", "0.2")] {
            let error = mlp.set_all(&[split, (path, value)]).expect_err("nothing is held back").to_string();
            let need = format!("`{path}` is judged by validation images, and there are none: hold some back by ");
            assert!(error.starts_with(&need) && error.contains("dataset.split.standard.validation"), "{error}");
        }
        mlp.set(path, value).expect("5000 are held back");
    }
    mlp.set_all(&[("dataset.split.random.test", "0.2"), ("stop.seconds", "3")]).expect("time needs no images");
}

#[test]
fn what_cannot_be_set_says_what_can() {
    check_set("model.net.layers", "1", expect![[r#"`model` is "net", but must be one of preset, network"#]]);
    check_set(
        "batch.size",
        "1",
        expect!["there is no `size` to set in `batch.size`: `show` prints the configuration with all its keys"],
    );
    check_set(
        "model.network.layers.9",
        "relu",
        expect![
            "there is no `9` to set in `model.network.layers.9`: `show` prints the configuration with all its keys"
        ],
    );
    check_set("schedule.speed", "1", expect!["there is no `speed` in `schedule`: choose one of rate, shape, warm_up"]);
    check_set(
        "optimizer.rule",
        "adem",
        expect![[r#"`optimizer.rule` is "adem", but must be one of sgd, momentum, nesterov, adam, adam_w"#]],
    );
    check_set(
        "optimizer.rule.adam.beta3",
        "1",
        expect!["there is no `beta3` in `optimizer.rule.adam`: choose one of beta1, beta2, epsilon"],
    );
    check_set(
        "optimizer.rule",
        r#"{ "sgd": { "momentum": 0.9 } }"#,
        expect!["`optimizer.rule.sgd` is {momentum}, but must be an object without keys"],
    );
    check_set("loss", "mse", expect![[r#"`loss` is "mse", but must be one of cross_entropy, mean_squared_error"#]]);
    check_set(
        "schedule.shape",
        "step",
        expect!["`epochs` is missing in `schedule.shape.step`, whose keys are epochs, factor"],
    );
    check_set(
        "schedule.shape",
        "exponential",
        expect!["`factor` is missing in `schedule.shape.exponential`, whose keys are factor"],
    );
    check_set("schedule.rate", "fast", expect![[r#"`schedule.rate` is "fast", but must be a number"#]]);
    check_set("batch", "1.5", expect!["`batch` is 1.5, but must be a whole number of at least 0"]);
    check_set("version", "4294967297", expect!["`version` is 4294967297, but must be a whole number of at least 0"]);
    check_set("dataset.name", "2020", expect!["`dataset.name` is 2020, but must be text in quotes"]);
    check_set("stop", "3", expect!["`stop` is 3, but must be an object of accuracy, patience, seconds"]);
    check_set("model.network.layers", "relu", expect![[r#"`model.network.layers` is "relu", but must be a list"#]]);
    check_set("length", "epochs", expect!["`length.epochs` is {}, but must be a whole number of at least 0"]);
    check_set("length", "null", expect!["`length` is null, but must be one of epochs, steps"]);
}

#[test]
fn set_replaces_one_value() {
    let config = preset("mlp").expect("it exists");
    let set = |path, value| config.set(path, value).expect("a good value");
    assert_eq!(set("batch", "32").batch, 32);
    assert_eq!(set("dataset.name", "digits").dataset.name, "digits");
    assert_eq!(set("optimizer.clip_norm", "1").optimizer.clip_norm, Some(1.0));
    assert_eq!(set("stop.patience", "3").stop.patience, Some(3));
    assert_eq!(set("stop.patience", "null").stop.patience, None);
    assert_eq!(set("batch", "64"), config);
}

/// By its name alone, with the values that it has where nobody says others; or by one of its values.
#[test]
fn set_chooses_another_of_several() {
    let config = preset("mlp").expect("it exists");
    let check = |values: &[(&str, &str)], expected: Expect| {
        let text = config.set_all(values).expect("good values").to_json();
        let text: serde_json::Value = serde_json::from_str(&text).expect("our own JSON");
        let key = values[0].0.split('.').next().expect("a path has a key");
        expected.assert_eq(&text[key].to_string());
    };
    let adam = r#"{"rule":{"adam":{"beta1":0.5}}}"#;
    check(
        &[("optimizer", adam), ("optimizer.rule", "adam")],
        expect![[r#"{"rule":{"adam":{"beta1":0.9,"beta2":0.999,"epsilon":1e-8}},"weight_decay":0.0}"#]],
    );
    check(
        &[("optimizer.rule", "adam_w")],
        expect![[r#"{"rule":{"adam_w":{"beta1":0.9,"beta2":0.999,"epsilon":1e-8}},"weight_decay":0.0}"#]],
    );
    check(&[("optimizer.rule", "momentum")], expect![[r#"{"rule":{"momentum":{"momentum":0.9}},"weight_decay":0.0}"#]]);
    check(&[("optimizer.rule", "sgd")], expect![[r#"{"rule":"sgd","weight_decay":0.0}"#]]);
    check(
        &[("optimizer.rule.nesterov.momentum", "0.5")],
        expect![[r#"{"rule":{"nesterov":{"momentum":0.5}},"weight_decay":0.0}"#]],
    );
    check(
        &[("optimizer.rule", "adam"), ("optimizer.rule.adam.beta1", "0.5")],
        expect![[r#"{"rule":{"adam":{"beta1":0.5,"beta2":0.999,"epsilon":1e-8}},"weight_decay":0.0}"#]],
    );
    check(&[("schedule.shape", "one_cycle")], expect![[r#"{"rate":0.003,"shape":"one_cycle","warm_up":0}"#]]);
    check(
        &[("schedule.shape", "step"), ("schedule.shape.step.epochs", "2"), ("schedule.shape.step.factor", "0.5")],
        expect![[r#"{"rate":0.003,"shape":{"step":{"epochs":2,"factor":0.5}},"warm_up":0}"#]],
    );
    check(
        &[("schedule.shape.exponential.factor", "0.5")],
        expect![[r#"{"rate":0.003,"shape":{"exponential":{"factor":0.5}},"warm_up":0}"#]],
    );
    check(
        &[("schedule.shape.exponential.factor", "0.5"), ("schedule.shape", "cosine")],
        expect![[r#"{"rate":0.003,"shape":"cosine","warm_up":0}"#]],
    );
    check(&[("length.steps", "5")], expect![[r#"{"steps":5}"#]]);
    check(&[("length.steps", "5"), ("length.epochs", "2")], expect![[r#"{"epochs":2}"#]]);
    check(&[("length.epochs", "2"), ("length.steps", "5")], expect![[r#"{"steps":5}"#]]);
    check(
        &[("dataset.split.random.test", "0.2")],
        expect![[r#"{"digits":20000,"name":"auto","sampling":"shuffled","split":{"random":{"test":0.2}}}"#]],
    );
    check(
        &[("dataset.sampling", "with_replacement")],
        expect![[
            r#"{"digits":20000,"name":"auto","sampling":"with_replacement","split":{"standard":{"validation":null}}}"#
        ]],
    );
    check(&[("loss", "mean_squared_error")], expect![[r#""mean_squared_error""#]]);
    check(&[("model.preset", "cnn")], expect![[r#"{"preset":"cnn"}"#]]);
    check(
        &[("model.preset", "cnn"), ("model.network.layers", r#"["flatten",{"dense":{"units":10}}]"#)],
        expect![[r#"{"network":{"init":"fan_in","layers":["flatten",{"dense":{"units":10}}]}}"#]],
    );
    check(
        &[
            ("model.network.init", "fan_in"),
            ("model.network.init.normal.std", "0.1"),
            ("model.network.layers.0", "global_average_pool"),
        ],
        expect![[
            r#"{"network":{"init":{"normal":{"std":0.1}},"layers":["global_average_pool",{"dense":{"units":128}},"relu",{"dense":{"units":10}}]}}"#
        ]],
    );
}

/// What `show` prints is what can be set: each value of each preset, by its path.
#[test]
fn every_value_that_is_shown_can_be_set() {
    fn check(config: &RunConfig, path: &str, value: &serde_json::Value) {
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        assert_eq!(config.set(path, &text).unwrap_or_else(|error| panic!("{path}={text}: {error}")), *config);
        let inside: Vec<(String, &serde_json::Value)> = match value {
            serde_json::Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            serde_json::Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            _ => vec![],
        };
        for (key, value) in inside {
            check(config, &format!("{path}.{key}"), value);
        }
    }
    for (name, _) in presets() {
        let config = preset(name).expect("it exists");
        let shown = serde_json::to_value(&config).expect("it serialises");
        for (key, value) in shown.as_object().expect("an object") {
            check(&config, key, value);
        }
    }
}

/// `show --json` prints the configuration among other things.
#[test]
fn what_is_shown_is_a_configuration() {
    let config = preset("mlp").expect("it exists");
    let json = config.to_json();
    let read = |text: &str| RunConfig::from_json(text);
    assert_eq!(read(&format!(r#"{{ "config": {json}, "image": [28, 28], "layers": [], "flops": 3 }}"#)), Ok(config));
    for other in [r#""batch": 3"#, r#""model": { "preset": "mlp" }"#] {
        let error = read(&format!(r#"{{ "config": {json}, {other} }}"#)).expect_err("it would be passed over");
        assert!(error.to_string().starts_with("there is no `config` in the configuration"), "{error}");
    }
    read(&format!(r#"{{ "config": {json}, "config": {json} }}"#)).expect_err("there are two");
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
        asleep: 0.0,
        aside: 0.0,
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

#[test]
fn precision_is_part_of_a_configuration() {
    let mlp = preset("mlp").unwrap();
    assert!(!mlp.to_json().contains("precision"), "f32 is not written, so that files of before are as they were");
    let set = |value: &str| mlp.clone().set_all(&[("precision", value)]);
    let half = set("f16").unwrap();
    assert!(half.precision == Precision::F16 && half != mlp);
    assert_eq!(RunConfig::from_json(&half.to_json()).unwrap(), half);
    assert_eq!(set("f64").unwrap_err().to_string(), "`precision` is \"f64\", but must be one of f32, f16");
}
