//! What is wrong with a configuration or a network, or with a run, in the page's language. The English words are the
//! errors' own.

use models::{ModelError, Need, path};
use protocol::{Bounds, Cause, ConfigError, EarlyEnd, Failure};

use crate::format::{fill, number};
use crate::state::{RunState, Verdict};
use crate::text::{Language, Texts};

/// An error that says in another language what it says in English.
pub trait Problem: ToString {
    /// In Chinese.
    fn in_chinese(&self) -> String;

    /// In the language of these texts.
    fn say(&self, t: &Texts) -> String {
        match t.speaks {
            Language::English => self.to_string(),
            Language::Chinese => self.in_chinese(),
        }
    }
}

impl Problem for ConfigError {
    fn in_chinese(&self) -> String {
        match self {
            ConfigError::Json(message) => format!("这不是 JSON：{message}"),
            ConfigError::Bound { name, value, need } => format!("{}为 {value}，但{}", owner(name), need.in_chinese()),
            ConfigError::Unknown { place, key, known } => {
                format!("{}中没有“{key}”，可选：{}", owner(place), known.join("、"))
            }
            ConfigError::Missing { place, key, known } => {
                format!("{}缺少“{key}”，它的键为：{}", owner(place), known.join("、"))
            }
            ConfigError::Twice { name } => format!("“{name}”出现了两次"),
            ConfigError::NoMomentum => "这次训练的优化器没有动量".into(),
            ConfigError::Layers { count, most } => format!("网络有 {count} 层，但必须为 1 到 {most} 层"),
            ConfigError::Set { path, key } => format!("“{path}”中没有可设置的“{key}”"),
            ConfigError::NoValidation { name } => format!(
                "“{name}”由验证图像判断，但没有验证图像：请用 dataset.split.standard.validation 留出一些，或将它留空"
            ),
            ConfigError::Preset { name, known } => format!("没有预设“{name}”，可选：{}", known.join("、")),
        }
    }
}

fn owner(place: &str) -> String {
    if place.is_empty() { "配置".into() } else { format!("“{place}”") }
}

impl Problem for Failure {
    fn in_chinese(&self) -> String {
        let said = match &self.cause {
            None => return self.message.clone(),
            Some(Cause::Diverged { loss, step, rate, calmer }) => {
                if loss.is_finite() {
                    return format!(
                        "第 {step} 步之后网络中出现非有限数（学习率 {rate}）：步子太大，请改用学习率 {calmer}"
                    );
                }
                return format!("损失在第 {step} 步变为 {loss}（学习率 {rate}）：步子太大，请改用学习率 {calmer}");
            }
            Some(Cause::OutOfMemory) => "设备内存不足，请减小批量或网络",
            Some(Cause::Lost) => "设备已丢失或没有响应，请关闭其他占用它的程序，或换一个设备",
            Some(Cause::Unavailable) => "无法打开设备，请换一个设备",
            Some(Cause::Unsupported) => "设备无法计算这个网络，请换一个设备，或更新驱动",
            Some(Cause::Broken) => "设备出错，请重新开始，或换一个设备",
            Some(Cause::OtherNetwork) => "检查点属于另一个网络或优化器：请选择相应的设置，或重新开始",
            Some(Cause::NotACheckpoint) => "这个文件不是可用的检查点",
            Some(Cause::NoDataSet(_)) => "这里没有这个数据集：请把它的四个 IDX 文件拖到页面上，或使用内置数字",
            Some(Cause::MissingFile(_)) => "缺少文件：请一次拖入全部四个文件",
            Some(Cause::BadFile) => "文件不可用：可能已损坏、不完整或不是 IDX 文件",
            Some(Cause::OtherSize(_)) => "本页只能显示 28×28 的图像，请改用命令行",
            Some(Cause::Unreachable) => "无法从本站下载，请检查网络后重试",
            Some(Cause::NoTest) => "数据集没有测试图像：请换一种划分",
            Some(Cause::NoRecord) => "这个文件只有张量，没有训练记录",
            Some(Cause::Configuration) => "配置不可用",
            Some(Cause::Network) => "网络不可用，原因见“网络各层”",
            Some(Cause::OtherImages { checkpoint: [h, w], data: [height, width] }) => {
                return format!("检查点用 {h}×{w} 的图像训练，而此数据集的图像为 {height}×{width}");
            }
            Some(Cause::Fixed { key, begun, now }) => {
                return format!(
                    "这次训练开始时“{key}”为 {begun}，而不是 {now}：在相同的图像上继续训练必须保持划分不变，否则会用学过的图像来评判"
                );
            }
            Some(Cause::NotFinite(name)) => {
                return format!("张量“{name}”中有非有限数：请使用发散之前保存的文件");
            }
            Some(Cause::Parameters { count, most }) => {
                return format!("网络有 {count} 个参数，最多 {most} 个：请减小某一层");
            }
            Some(Cause::Memory { needed, most }) => {
                return format!("一步最多需要 {needed} MiB 内存，超过了 {most} MiB：请减小批量或某一层");
            }
            Some(Cause::NoTraining { rows, held_back }) => {
                return format!(
                    "共 {rows} 张图像，留出 {held_back} 张用于验证和测试之后没有训练图像：请少留一些（dataset.split）"
                );
            }
            Some(Cause::NoRun) => "还没有训练：请先开始训练",
            Some(Cause::WrongResults) => "这个设备的计算结果有误：请更新浏览器和显卡驱动，或改用 CPU",
        };
        // Names, numbers and what others say are in the English words.
        format!("{said}（{}）", self.message)
    }
}

/// What is wrong with a run, and what the page offers to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// In words.
    pub message: String,
    /// What helps.
    pub remedy: Option<Remedy>,
}

/// What a button beside a trouble does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remedy {
    /// Train with this learning rate.
    Calmer(f32),
    /// Train on the CPU.
    Cpu,
}

/// What is wrong with a run, the end of it first: a device that was opened again may have been lost for good later.
pub fn trouble_of(state: &RunState, t: &Texts) -> Option<Trouble> {
    let plain = |message| Trouble { message, remedy: None };
    if let Some(failure) = &state.failure {
        return Some(match failure.cause {
            Some(Cause::Diverged { calmer, .. }) => {
                Trouble { message: failure.say(t), remedy: Some(Remedy::Calmer(calmer)) }
            }
            Some(Cause::Unavailable) => Trouble { message: t.unavailable.into(), remedy: Some(Remedy::Cpu) },
            _ => plain(failure.say(t)),
        });
    }
    if let Some(verdict) = state.verdict() {
        return Some(match verdict {
            Verdict::Diverged { first, peak, calmer } => Trouble {
                message: fill(t.diverged, &[&number(first), &number(peak), &calmer.to_string()]),
                remedy: Some(Remedy::Calmer(calmer)),
            },
            Verdict::OneAnswer { answer, calmer } => Trouble {
                message: fill(t.one_answer, &[&answer.to_string(), &calmer.to_string()]),
                remedy: Some(Remedy::Calmer(calmer)),
            },
        });
    }
    state.recovered.as_ref().map(|(times, why)| plain(fill(t.recovered, &[&times.to_string(), why])))
}

impl Problem for EarlyEnd {
    fn in_chinese(&self) -> String {
        match self {
            EarlyEnd::Accuracy { accuracy } => format!("验证准确率达到 {:.2} %", 100.0 * accuracy),
            EarlyEnd::NoImprovement { evaluations } => format!("连续 {evaluations} 次评估的验证损失没有改善"),
            EarlyEnd::Time { seconds } => format!("已训练 {seconds} 秒"),
        }
    }
}

impl Problem for Bounds {
    fn in_chinese(&self) -> String {
        match self {
            Bounds::FromTo { low, high } => format!("必须为 {low} 到 {high}"),
            Bounds::FromBelow { low, high } => format!("必须不小于 {low} 且小于 {high}"),
            Bounds::AboveTo { low, high } => format!("必须大于 {low} 且不大于 {high}"),
            Bounds::AboveBelow { low, high } => format!("必须大于 {low} 且小于 {high}"),
            Bounds::Above { low } => format!("必须大于 {low}"),
            Bounds::ZeroOrFrom { low } => format!("必须为 0 或不小于 {low}"),
            Bounds::Number => "必须为数字".into(),
            Bounds::Whole => "必须为不小于 0 的整数".into(),
            Bounds::Text => "必须为带引号的文本".into(),
            Bounds::List => "必须为列表".into(),
            Bounds::ListOf { length } => format!("必须为 {length} 项的列表"),
            Bounds::Object { known: [] } => "必须为没有键的对象".into(),
            Bounds::Object { known } => format!("必须为含有 {} 的对象", known.join("、")),
            Bounds::OneOf { known } => format!("必须为 {} 之一", known.join("、")),
            Bounds::Version { version } => format!("必须为 {version}：也许由其他版本写成？"),
        }
    }
}

impl Problem for ModelError {
    fn in_chinese(&self) -> String {
        match self {
            ModelError::Layer { at, layer, got, need } => {
                format!("第 {} 层（{layer}）的输入为 {got}，但{}", path(at), need.in_chinese())
            }
            ModelError::Empty => "网络至少需要一层".into(),
            ModelError::Output { got, need, classes } => {
                format!("网络的输出为 {got}，但任务需要 {need}：请以 {classes} 个单元的 dense 层结尾")
            }
            // A fault of this program, not of the network: layers are checked before they are recorded.
            ModelError::Graph(error) => error.to_string(),
        }
    }
}

impl Problem for Need {
    fn in_chinese(&self) -> String {
        match self {
            Need::Features => "需要特征 [batch, feature]：请在前面加一个 flatten 层".into(),
            Need::Images => "需要图像 [batch, channel, height, width]：请放到 flatten 层之前".into(),
            Need::Batch => "需要一个批维度".into(),
            Need::Unit => "至少需要一个单元".into(),
            Need::Kernel => "滤波器、卷积核和步幅至少为 1".into(),
            Need::Padding { padding } => format!("填充必须小于卷积核，不能是 {padding}"),
            Need::Padded { kernel, padding } => format!("填充 {padding} 之后的图像至少需要 {kernel}×{kernel}"),
            Need::Window => "窗口和步幅至少为 1".into(),
            Need::Size { size } => format!("图像至少需要 {size}×{size}"),
            Need::Slope => "斜率必须不小于 0 且小于 1".into(),
            Need::Rate => "丢弃率必须不小于 0 且小于 1".into(),
            Need::Path { end } => format!("内部各层必须保持输入的形状或均匀缩小图像，不能以 {end} 结束"),
            Need::Elements { output, most } => format!("输出必须少于 {most} 个元素，{output} 过大"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use models::{Layer, Network};
    use protocol::{Event, RunConfig, preset};

    use super::*;
    use crate::link::LinkError;
    use crate::shapes::rows;

    /// Numbers, names and shapes: whatever is not a word.
    fn values(text: &str) -> Vec<&str> {
        let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || "[],._-".contains(c)));
        parts.filter(|part| part.contains(|c: char| c.is_ascii_digit() || "[_".contains(c))).collect()
    }

    fn check(problem: &impl Problem, chinese: Expect) {
        let said = problem.say(Language::Chinese.texts());
        chinese.assert_eq(&said);
        let english = problem.say(Language::English.texts());
        assert_eq!(english, problem.to_string());
        let missing = |value: &&str| !said.contains(value.trim_end_matches(','));
        assert_eq!(values(&english).into_iter().find(missing), None, "{english}");
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
    fn failures_are_told_in_chinese() {
        let check = |message: &str, cause: Option<Cause>, chinese: Expect| {
            let failure = Failure { message: message.into(), cause };
            assert_eq!(failure.say(Language::English.texts()), message);
            chinese.assert_eq(&failure.say(Language::Chinese.texts()));
        };
        let diverged = Cause::Diverged { loss: f64::NAN, step: 12, rate: 10.0, calmer: 1.0 };
        check(
            "the loss became NaN",
            Some(diverged),
            expect!["损失在第 12 步变为 NaN（学习率 10）：步子太大，请改用学习率 1"],
        );
        check(
            "`dense1.weight` holds numbers that are not finite",
            Some(Cause::Diverged { loss: 0.5, step: 12, rate: 10.0, calmer: 1.0 }),
            expect!["第 12 步之后网络中出现非有限数（学习率 10）：步子太大，请改用学习率 1"],
        );
        let missing = "a file `t10k-labels-idx1-ubyte` is missing";
        let chinese = expect!["缺少文件：请一次拖入全部四个文件（a file `t10k-labels-idx1-ubyte` is missing）"];
        check(missing, Some(Cause::MissingFile("t10k-labels-idx1-ubyte".into())), chinese);
        let message = "train-images-idx3-ubyte: unexpected end";
        let chinese =
            expect!["文件不可用：可能已损坏、不完整或不是 IDX 文件（train-images-idx3-ubyte: unexpected end）"];
        check(message, Some(Cause::BadFile), chinese);
        let message = "the images are 32×32";
        check(
            message,
            Some(Cause::OtherSize([32, 32])),
            expect!["本页只能显示 28×28 的图像，请改用命令行（the images are 32×32）"],
        );
        check("what nobody foresaw", None, expect!["what nobody foresaw"]);
        let early = EarlyEnd::Accuracy { accuracy: 0.9712 };
        assert_eq!(early.say(Language::Chinese.texts()), "验证准确率达到 97.12 %");
        assert_eq!(early.say(Language::English.texts()), "the validation accuracy reached 97.12 %");
    }

    #[test]
    fn a_failure_is_told_before_what_the_run_survived() {
        let mut state = RunState::default();
        let trouble = |state: &RunState| trouble_of(state, Language::English.texts()).map(|trouble| trouble.message);
        assert_eq!(trouble(&state), None);
        state.apply(Event::Recovered { step: 0, repeated: 0, reason: "reset".into() });
        assert!(trouble(&state).unwrap().contains("reset"));
        state.apply(Event::Failed { failure: "lost for good".to_owned().into(), step: 0, checkpoint: None });
        assert_eq!(trouble(&state).as_deref(), Some("lost for good"));
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
