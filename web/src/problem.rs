//! What is wrong with a configuration or a network, in the page's language. The English words are the errors' own.

use models::{ModelError, Need, path};
use protocol::{Bounds, ConfigError};

use crate::format::fill;
use crate::text::Texts;

/// An error that the page says in its language.
pub trait Problem: ToString {
    /// A template, which is empty where the error's own words are to be taken, and its values.
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>);

    /// In the language of these texts.
    fn say(&self, t: &Texts) -> String {
        match self.parts(t) {
            ("", _) => self.to_string(),
            (template, values) => fill(template, &values.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }
}

/// Values of a template, as they are written.
macro_rules! values {
    ($($value:expr),*) => { vec![$($value.to_string()),*] };
}
pub(crate) use values;

impl Problem for ConfigError {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            ConfigError::Json(message) => (t.error_json, values![message]),
            ConfigError::Bound { name, value, need } => (t.error_bound, values![owner(name, t), value, need.say(t)]),
            ConfigError::Unknown { place, key, known } => {
                (t.error_unknown, values![key, owner(place, t), listed(known, t)])
            }
            ConfigError::Missing { place, key, known } => {
                (t.error_missing, values![key, owner(place, t), listed(known, t)])
            }
            ConfigError::Twice { name } => (t.error_twice, values![name]),
            ConfigError::NoMomentum => (t.error_no_momentum, vec![]),
            ConfigError::Layers { count, most } => (t.error_layers, values![count, most]),
            ConfigError::Set { path, key } => (t.error_set, values![key, path]),
            ConfigError::NoValidation { name } => (t.error_no_validation, values![name]),
            ConfigError::Preset { name, known } => (t.error_preset, values![name, listed(known, t)]),
        }
    }
}

fn owner(place: &str, t: &Texts) -> String {
    if place.is_empty() { t.configuration.into() } else { fill(t.quoted, &[place]) }
}

fn listed(names: &[&str], t: &Texts) -> String {
    let join = |list: String, name: &&str| fill(t.list, &[&list, name]);
    let (first, others) = names.split_first().unwrap_or((&"", &[]));
    others.iter().fold((*first).to_owned(), join)
}

impl Problem for Bounds {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            Bounds::FromTo { low, high } => (t.error_from_to, values![low, high]),
            Bounds::FromBelow { low, high } => (t.error_from_below, values![low, high]),
            Bounds::AboveTo { low, high } => (t.error_above_to, values![low, high]),
            Bounds::AboveBelow { low, high } => (t.error_above_below, values![low, high]),
            Bounds::Above { low } => (t.error_above, values![low]),
            Bounds::ZeroOrFrom { low } => (t.error_zero_or_from, values![low]),
            Bounds::Number => (t.error_number, vec![]),
            Bounds::Whole => (t.error_whole, vec![]),
            Bounds::Text => (t.error_text, vec![]),
            Bounds::List => (t.error_a_list, vec![]),
            Bounds::ListOf { length } => (t.error_list_of, values![length]),
            Bounds::Object { known: [] } => (t.error_object_empty, vec![]),
            Bounds::Object { known } => (t.error_object, values![listed(known, t)]),
            Bounds::OneOf { known } => (t.error_one_of, values![listed(known, t)]),
            Bounds::Version { version } => (t.error_version, values![version]),
        }
    }
}

impl Problem for ModelError {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            ModelError::Layer { at, layer, got, need } => (t.error_layer, values![path(at), layer, got, need.say(t)]),
            ModelError::Empty => (t.error_empty, vec![]),
            ModelError::Output { got, need, classes } => (t.error_output, values![got, need, classes]),
            // A fault of this program, not of the network: layers are checked before they are recorded.
            ModelError::Graph(_) => ("", vec![]),
        }
    }
}

impl Problem for Need {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            Need::Features => (t.error_features, vec![]),
            Need::Images => (t.error_images, vec![]),
            Need::Batch => (t.error_batch_axis, vec![]),
            Need::Unit => (t.error_unit, vec![]),
            Need::Kernel => (t.error_kernel, vec![]),
            Need::Padding { padding } => (t.error_padding, values![padding]),
            Need::Padded { kernel, padding } => (t.error_padded, values![kernel, padding]),
            Need::Window => (t.error_window, vec![]),
            Need::Size { size } => (t.error_size, values![size]),
            Need::Slope => (t.error_slope, vec![]),
            Need::Rate => (t.error_rate, vec![]),
            Need::Path { end } => (t.error_path, values![end]),
            Need::Elements { output, most } => (t.error_elements, values![most, output]),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};
    use models::{Layer, Network};
    use protocol::{RunConfig, preset};

    use super::*;
    use crate::link::LinkError;
    use crate::shapes::rows;
    use crate::text::{Language, tests::texts_of};

    /// In English the file's words are the error's own; that a shape is one of images or features, it leaves out.
    pub(crate) fn check(problem: &impl Problem, chinese: Expect) {
        let own = problem.to_string();
        assert_eq!(problem.say(Language::ENGLISH.texts()), own);
        let same = own.replace("gets images ", "gets ").replace("gets features ", "gets ");
        assert_eq!(problem.say(texts_of("en")), same);
        chinese.assert_eq(&problem.say(texts_of("zh-Hans")));
    }

    #[test]
    fn configurations_are_refused_in_chinese() {
        let set = |path: &str, value: &str| preset("cnn").unwrap().set(path, value).unwrap_err();
        check(&set("batch", "0"), expect!["“batch”为 0，但必须为 1 到 8192"]);
        check(
            &set("optimizer.rule.adam", r#"{"beta1":2}"#),
            expect!["“optimizer.rule.adam.beta1”为 2，但必须不小于 0 且小于 1"],
        );
        check(&set("stop.accuracy", "7"), expect!["“stop.accuracy”为 7，但必须大于 0 且不大于 1"]);
        check(&set("stop.seconds", "0"), expect!["“stop.seconds”为 0，但必须大于 0 且小于 1e9"]);
        check(&set("optimizer.clip_norm", "0"), expect!["“optimizer.clip_norm”为 0，但必须大于 0"]);
        check(&set("version", "9"), expect!["“version”为 9，但必须为 1：也许由其他版本写成？"]);
        check(&set("model.network.layers", "[]"), expect!["网络有 0 层，但必须为 1 到 64 层"]);
        check(&set("model.net.layers", "[]"), expect![[r#"“model”为 "net"，但必须为 preset、network 之一"#]]);
        check(&set("batch.size", "3"), expect!["“batch.size”中没有可设置的“size”"]);
        check(&set("schedule.speed", "1"), expect!["“schedule”中没有“speed”，可选：rate、shape、warm_up"]);
        check(
            &set("speed", "1"),
            expect![
                "配置中没有“speed”，可选：version、dataset、model、loss、optimizer、schedule、precision、batch、length、seed、evaluate_every、stop"
            ],
        );
        check(&set("schedule.shape", "step"), expect!["“schedule.shape.step”缺少“epochs”，它的键为：epochs、factor"]);
        check(&set("schedule.rate", "1e-50"), expect!["“schedule.rate”为 1e-50，但必须为 0 或不小于 1.1754944e-38"]);
        check(&set("schedule.rate", "fast"), expect![[r#"“schedule.rate”为 "fast"，但必须为数字"#]]);
        check(&set("seed", "1.5"), expect!["“seed”为 1.5，但必须为不小于 0 的整数"]);
        check(&set("dataset.name", "7"), expect!["“dataset.name”为 7，但必须为带引号的文本"]);
        check(&set("model.network.layers", "3"), expect!["“model.network.layers”为 3，但必须为列表"]);
        check(&set("stop", "3"), expect!["“stop”为 3，但必须为含有 accuracy、patience、seconds 的对象"]);
        check(&set("optimizer.rule", r#"{"sgd":3}"#), expect!["“optimizer.rule.sgd”为 3，但必须为没有键的对象"]);
        check(&RunConfig::from_json(r#"{"batch":3,"batch":4}"#).unwrap_err(), expect!["“batch”出现了两次"]);
        let mut held = preset("cnn").unwrap();
        held.stop.patience = Some(3);
        check(
            &held.set("dataset.split.standard.validation", "0").unwrap_err(),
            expect![
                "“stop.patience”由验证图像判断，但没有验证图像：请用 dataset.split.standard.validation 留出一些，或将它留空"
            ],
        );
        check(
            &preset("gpt-2").unwrap_err(),
            expect![
                "没有预设“gpt-2”，可选：softmax、mlp、mlp-300、mlp-wide、lenet5、cnn、cnn-bn、mnist-99、resnet-mini、nolearn-dbn"
            ],
        );
        check(
            &RunConfig::from_json("{").unwrap_err(),
            expect!["这不是 JSON：EOF while parsing an object at line 1 column 1"],
        );
        check(&LinkError::from(set("batch", "0")), expect!["“batch”为 0，但必须为 1 到 8192"]);
        check(&LinkError::Long { bytes: 20_000 }, expect!["链接长 20000 字节，最多读取 16384 字节"]);
        check(&LinkError::Dataset { name: "my_set".into() }, expect!["没有数据集“my_set”"]);
        check(&LinkError::Engine { name: "gpu_2".into() }, expect!["浏览器中没有引擎“gpu_2”"]);
    }

    #[test]
    fn networks_are_refused_in_chinese() {
        let conv = |kernel, stride, padding| Layer::Conv2d { filters: 3, kernel, stride, padding };
        let mistake = |layers| rows(&Network { layers, ..Default::default() }).1.unwrap();
        let block = |layer| Layer::Residual { layers: vec![layer] };
        check(&mistake(vec![]), expect!["网络至少需要一层"]);
        check(
            &mistake(vec![Layer::Relu, block(Layer::Dense { units: 9 })]),
            expect!["第 2.1 层（dense）的输入为 [1,1,28,28]，但需要特征 [batch, feature]：请在前面加一个 flatten 层"],
        );
        check(
            &mistake(vec![Layer::Flatten, conv(3, 1, 1)]),
            expect![
                "第 2 层（conv）的输入为 [1,784]，但需要图像 [batch, channel, height, width]：请放到 flatten 层之前"
            ],
        );
        check(
            &mistake(vec![Layer::Flatten, Layer::Dense { units: 9 }]),
            expect!["网络的输出为 [1,9]，但任务需要 [1,10]：请以 10 个单元的 dense 层结尾"],
        );
        check(
            &mistake(vec![Layer::Flatten, Layer::Dense { units: 0 }]),
            expect!["第 2 层（dense）的输入为 [1,784]，但至少需要一个单元"],
        );
        check(
            &mistake(vec![conv(3, 0, 1)]),
            expect!["第 1 层（conv）的输入为 [1,1,28,28]，但滤波器、卷积核和步幅至少为 1"],
        );
        check(
            &mistake(vec![conv(3, 1, 5)]),
            expect!["第 1 层（conv）的输入为 [1,1,28,28]，但填充必须小于卷积核，不能是 5"],
        );
        check(
            &mistake(vec![conv(31, 1, 1)]),
            expect!["第 1 层（conv）的输入为 [1,1,28,28]，但填充 1 之后的图像至少需要 31×31"],
        );
        check(
            &mistake(vec![Layer::MaxPool { size: 0, stride: None }]),
            expect!["第 1 层（max_pool）的输入为 [1,1,28,28]，但窗口和步幅至少为 1"],
        );
        check(
            &mistake(vec![Layer::AveragePool { size: 29, stride: None }]),
            expect!["第 1 层（average_pool）的输入为 [1,1,28,28]，但图像至少需要 29×29"],
        );
        check(
            &mistake(vec![Layer::LeakyRelu { slope: 1.5 }]),
            expect!["第 1 层（leaky_relu）的输入为 [1,1,28,28]，但斜率必须不小于 0 且小于 1"],
        );
        check(
            &mistake(vec![Layer::Dropout { rate: 1.5 }]),
            expect!["第 1 层（dropout）的输入为 [1,1,28,28]，但丢弃率必须不小于 0 且小于 1"],
        );
        check(
            &mistake(vec![block(Layer::Flatten)]),
            expect![
                "第 1 层（residual）的输入为 [1,1,28,28]，但内部各层必须保持输入的形状或均匀缩小图像，不能以 [1,784] 结束"
            ],
        );
        check(
            &mistake(vec![Layer::Conv2d { filters: 1 << 22, kernel: 1, stride: 1, padding: 0 }]),
            expect!["第 1 层（conv）的输入为 [1,1,28,28]，但输出必须少于 2147483648 个元素，[1,4194304,28,28] 过大"],
        );
    }
}
