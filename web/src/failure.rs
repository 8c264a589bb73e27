//! Why a run failed or ended early, or what the worker refused, in the page's language.

use data::SIDE;
use protocol::{Cause, EarlyEnd, Failure};

use crate::format::{fill, number};
use crate::problem::{Problem, values};
use crate::state::{RunState, Verdict};
use crate::text::Texts;

impl Problem for Failure {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        let Some(cause) = &self.cause else { return ("", vec![]) };
        // Where a cause has no values, names, numbers and what others say are in the failure's own words.
        let detailed = |said: &str| match said {
            "" => ("", vec![]),
            said => (t.details, values![said, self.message]),
        };
        match cause {
            Cause::Diverged { loss, step, rate, calmer } if loss.is_finite() => {
                (t.error_broken, values![step, rate, calmer])
            }
            Cause::Diverged { loss, step, rate, calmer } => (t.error_diverged, values![step, loss, rate, calmer]),
            Cause::OutOfMemory => detailed(t.error_out_of_memory),
            Cause::Lost => detailed(t.error_lost),
            Cause::Unavailable => detailed(t.error_unavailable),
            Cause::Unsupported => detailed(t.error_unsupported),
            Cause::Broken => detailed(t.error_device),
            Cause::OtherNetwork => (t.error_other_network, vec![]),
            Cause::OtherImages { checkpoint: [h, w], data: [height, width] } => {
                (t.error_other_images, values![h, w, height, width])
            }
            Cause::Fixed { key, begun, now } => (t.error_fixed, values![key, begun, now]),
            Cause::NotACheckpoint => detailed(t.error_not_a_checkpoint),
            Cause::NoRecord => (t.error_no_record, vec![]),
            Cause::NotFinite(name) => (t.error_not_finite, values![name]),
            Cause::Configuration => detailed(t.error_refused),
            Cause::Network => detailed(t.error_network),
            Cause::Parameters { count, most } => (t.error_parameters, values![count, most]),
            Cause::Memory { needed, most } => (t.error_memory, values![needed, most]),
            Cause::NoTest => (t.error_no_test, vec![]),
            Cause::NoTraining { rows, held_back } => (t.error_no_training, values![rows, held_back]),
            Cause::NoDataSet(name) => (t.error_no_data_set, values![name]),
            Cause::MissingFile(name) => (t.error_missing_file, values![name]),
            Cause::BadFile => detailed(t.error_bad_file),
            Cause::OtherSize([height, width]) => (t.error_other_size, values![height, width, SIDE]),
            Cause::Unreachable => detailed(t.error_unreachable),
            Cause::NoRun => (t.error_no_run, vec![]),
            Cause::WrongResults => detailed(t.error_wrong_results),
        }
    }
}

impl Problem for EarlyEnd {
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            EarlyEnd::Accuracy { accuracy } => (t.error_early_accuracy, vec![format!("{:.2}", 100.0 * accuracy)]),
            EarlyEnd::NoImprovement { evaluations } => (t.error_early_patience, values![evaluations]),
            EarlyEnd::Time { seconds } => (t.error_early_time, values![seconds]),
        }
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
        return Some(match &failure.cause {
            Some(Cause::Diverged { calmer, .. }) => {
                Trouble { message: failure.say(t), remedy: Some(Remedy::Calmer(*calmer)) }
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use protocol::Event;

    use super::*;
    use crate::problem::tests::check;
    use crate::text::{Language, tests::texts_of};

    #[test]
    fn failures_are_told_in_chinese() {
        let check = |cause: Cause, chinese: Expect| {
            let message = "`w` is lost after 7".to_owned();
            let failure = Failure { message: message.clone(), cause: Some(cause) };
            assert_eq!(failure.say(Language::ENGLISH.texts()), message);
            let (template, values) = failure.parts(texts_of("en"));
            assert_eq!(texts::values(template).into_iter().max().unwrap_or(0), values.len(), "{template}");
            chinese.assert_eq(&failure.say(texts_of("zh-Hans")));
        };
        check(
            Cause::Diverged { loss: f64::NAN, step: 12, rate: 10.0, calmer: 1.0 },
            expect!["损失在第 12 步变为 NaN（学习率 10）：步子太大，请改用学习率 1"],
        );
        check(
            Cause::Diverged { loss: 0.5, step: 12, rate: 10.0, calmer: 1.0 },
            expect!["第 12 步之后网络中出现非有限数（学习率 10）：步子太大，请改用学习率 1"],
        );
        check(Cause::OutOfMemory, expect!["设备内存不足，请减小批量或网络（`w` is lost after 7）"]);
        check(
            Cause::Lost,
            expect!["设备已丢失或没有响应，请关闭其他占用它的程序，或换一个设备（`w` is lost after 7）"],
        );
        check(Cause::Unavailable, expect!["无法打开设备，请换一个设备（`w` is lost after 7）"]);
        check(Cause::Unsupported, expect!["设备无法计算这个网络，请换一个设备，或更新驱动（`w` is lost after 7）"]);
        check(Cause::Broken, expect!["设备出错，请重新开始，或换一个设备（`w` is lost after 7）"]);
        check(Cause::OtherNetwork, expect!["检查点属于另一个网络或优化器：请选择相应的设置，或重新开始"]);
        check(
            Cause::OtherImages { checkpoint: [28, 27], data: [32, 31] },
            expect!["检查点用 28×27 的图像训练，而此数据集的图像为 32×31"],
        );
        let [key, begun, now] = ["seed", "1", "2"].map(str::to_owned);
        check(
            Cause::Fixed { key, begun, now },
            expect![
                "这次训练开始时“seed”为 1，而不是 2：在相同的图像上继续训练必须保持划分不变，否则会用学过的图像来评判"
            ],
        );
        check(Cause::NotACheckpoint, expect!["这个文件不是可用的检查点（`w` is lost after 7）"]);
        check(Cause::NoRecord, expect!["这个文件只有张量，没有训练记录"]);
        check(
            Cause::NotFinite("dense1.weight".into()),
            expect!["张量“dense1.weight”中有非有限数：请使用发散之前保存的文件"],
        );
        check(Cause::Configuration, expect!["配置不可用（`w` is lost after 7）"]);
        check(Cause::Network, expect!["网络不可用，原因见“网络各层”（`w` is lost after 7）"]);
        check(
            Cause::Parameters { count: 60_000_000, most: 50_000_000 },
            expect!["网络有 60000000 个参数，最多 50000000 个：请减小某一层"],
        );
        check(
            Cause::Memory { needed: 20_000, most: 16_384 },
            expect!["一步最多需要 20000 MiB 内存，超过了 16384 MiB：请减小批量或某一层"],
        );
        check(Cause::NoTest, expect!["数据集没有测试图像：请换一种划分"]);
        check(
            Cause::NoTraining { rows: 100, held_back: 200 },
            expect!["共 100 张图像，留出 200 张用于验证和测试之后没有训练图像：请少留一些（dataset.split）"],
        );
        check(
            Cause::NoDataSet("letters".into()),
            expect!["这里没有数据集“letters”：请把它的四个 IDX 文件拖到页面上，或使用内置数字"],
        );
        check(
            Cause::MissingFile("t10k-labels-idx1-ubyte".into()),
            expect!["缺少文件“t10k-labels-idx1-ubyte”：请一次拖入全部四个文件"],
        );
        check(Cause::BadFile, expect!["文件不可用：可能已损坏、不完整或不是 IDX 文件（`w` is lost after 7）"]);
        check(Cause::OtherSize([32, 31]), expect!["图像为 32×31，但本页只能显示 28×28 的图像，请改用命令行"]);
        check(Cause::Unreachable, expect!["无法从本站下载，请检查网络后重试（`w` is lost after 7）"]);
        check(Cause::NoRun, expect!["还没有训练：请先开始训练"]);
        check(Cause::WrongResults, expect!["设备计算结果有误：请更新浏览器和驱动，或选择 CPU（`w` is lost after 7）"]);
    }

    #[test]
    fn a_failure_that_nobody_foresaw_keeps_its_words() {
        let failure = Failure { message: "what nobody foresaw".into(), cause: None };
        assert_eq!(failure.say(texts_of("zh-Hans")), "what nobody foresaw");
    }

    #[test]
    fn words_that_a_translation_lacks_are_the_failures_own() {
        let french = Language::of("fr".into(), "details = {} [{}]\nerror_lost = perdu".into());
        let say = |cause| Failure { message: "gone".into(), cause: Some(cause) }.say(french.texts());
        assert_eq!([say(Cause::Lost), say(Cause::OutOfMemory)], ["perdu [gone]", "gone"]);
    }

    #[test]
    fn early_ends_are_told_in_chinese() {
        check(&EarlyEnd::Accuracy { accuracy: 0.9712 }, expect!["验证准确率达到 97.12 %"]);
        check(&EarlyEnd::NoImprovement { evaluations: 3 }, expect!["连续 3 次评估的验证损失没有改善"]);
        check(&EarlyEnd::Time { seconds: 1.5 }, expect!["已训练 1.5 秒"]);
    }

    #[test]
    fn a_failure_is_told_before_what_the_run_survived() {
        let mut state = RunState::default();
        let trouble = |state: &RunState| trouble_of(state, Language::ENGLISH.texts()).map(|trouble| trouble.message);
        assert_eq!(trouble(&state), None);
        state.apply(Event::Recovered { step: 0, repeated: 0, reason: "reset".into() });
        assert!(trouble(&state).unwrap().contains("reset"));
        state.apply(Event::Failed { failure: "lost for good".to_owned().into(), step: 0, checkpoint: None });
        assert_eq!(trouble(&state).as_deref(), Some("lost for good"));
    }
}
