//! What a visitor chooses by name, and what it is in a configuration.

use protocol::{Rule, RunConfig, ScheduleShape};

use crate::text::Texts;

/// Update rules: the value of the choice, the rule as JSON, its name.
pub const RULES: [(&str, &str, &str); 5] = [
    ("sgd", "\"sgd\"", "SGD"),
    ("momentum", "{\"momentum\":{}}", "SGD + momentum"),
    ("nesterov", "{\"nesterov\":{}}", "SGD + Nesterov"),
    ("adam", "{\"adam\":{}}", "Adam"),
    ("adam_w", "{\"adam_w\":{}}", "AdamW"),
];

/// Which update rule is chosen.
pub fn rule(config: &RunConfig) -> &'static str {
    match config.optimizer.rule {
        Rule::Sgd => "sgd",
        Rule::Momentum { .. } => "momentum",
        Rule::Nesterov { .. } => "nesterov",
        Rule::Adam(_) => "adam",
        Rule::AdamW(_) => "adam_w",
    }
}

/// Which course of the learning rate is chosen.
pub fn shape(config: &RunConfig) -> &'static str {
    match config.schedule.shape {
        ScheduleShape::Constant => "constant",
        ScheduleShape::Step { .. } => "step",
        ScheduleShape::Exponential { .. } => "exponential",
        ScheduleShape::Cosine => "cosine",
        ScheduleShape::OneCycle => "one_cycle",
    }
}

/// A preset in a few words.
pub fn about(preset: &str, t: &Texts) -> &'static str {
    match preset {
        "softmax" => t.about_softmax,
        "mlp" => t.about_mlp,
        "mlp-300" => t.about_mlp_300,
        "mlp-wide" => t.about_mlp_wide,
        "lenet5" => t.about_lenet5,
        "cnn" => t.about_cnn,
        "cnn-bn" => t.about_cnn_bn,
        "mnist-99" => t.about_mnist_99,
        "resnet-mini" => t.about_resnet_mini,
        "nolearn-dbn" => t.about_nolearn_dbn,
        _ => t.about_own,
    }
}

/// The course of a learning rate as JSON.
pub fn shape_json(name: &str) -> String {
    match name {
        "step" => r#"{"step":{"epochs":1,"factor":0.5}}"#.into(),
        "exponential" => r#"{"exponential":{"factor":0.9}}"#.into(),
        name => format!("\"{name}\""),
    }
}
