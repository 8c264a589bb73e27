//! Tables for people, as text.

use data::files::Dataset;
use protocol::Seconds;
use train::metrics::{ClassReport, Confusion};

use crate::article::{self, Published};

/// A line of the training table.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    /// Its number, or for an evaluation between two ends the step.
    pub(crate) name: String,
    /// Loss and error, means over the epoch's steps.
    pub(crate) training: Option<(f64, f64)>,
    /// Loss and accuracy.
    pub(crate) validation: Option<(f64, f64)>,
    pub(crate) seconds: Option<f64>,
}

/// The titles over [`Epoch::line`].
pub(crate) fn epoch_header() -> String {
    format!(
        "\n{:>12}{:>19}{:>23}\n{:>12}{:>9}{:>10}{:>11}{:>12}{:>10}\n",
        "", "training", "validation", "epoch", "loss", "error", "loss", "accuracy", "seconds"
    )
}

impl Epoch {
    pub(crate) fn line(&self) -> String {
        let loss = |loss: f64| if loss < 1e3 { format!("{loss:.4}") } else { format!("{loss:.1e}") };
        let (validation, accuracy) =
            cells(self.validation, |(mean, accuracy)| (loss(mean), format!("{:.2} %", 100.0 * accuracy)));
        let (loss, error) = cells(self.training, |(mean, error)| (loss(mean), format!("{error:.4}")));
        let seconds = self.seconds.map_or("-".into(), |seconds| format!("{seconds:.1}"));
        format!("{:>12}{loss:>9}{error:>10}{validation:>11}{accuracy:>12}{seconds:>10}\n", self.name)
    }
}

fn cells(pair: Option<(f64, f64)>, text: impl Fn((f64, f64)) -> (String, String)) -> (String, String) {
    pair.map_or(("-".into(), "-".into()), text)
}

/// Names of the ten classes of a data set.
pub(crate) fn classes(dataset: &str) -> [String; 10] {
    match Dataset::by_name(dataset) {
        Some(dataset) => dataset.classes.map(String::from),
        None => std::array::from_fn(|digit| digit.to_string()),
    }
}

/// Precision, recall, F1 and support, laid out as scikit-learn does.
pub(crate) fn classification(confusion: &Confusion, classes: &[String]) -> String {
    let report = confusion.report();
    let mut text = format!("\n{:>18}{:>11}{:>9}{:>9}{:>10}\n", "class", "precision", "recall", "F1", "support");
    let line = |name: &str, class: &ClassReport| {
        let ClassReport { precision, recall, f1, support } = class;
        format!("{name:>18}{precision:>11.4}{recall:>9.4}{f1:>9.4}{:>10}\n", thousands(*support))
    };
    for (name, class) in classes.iter().zip(&report.classes) {
        text += &match class.support {
            0 => format!("{name:>18}{:>11}{:>9}{:>9}{:>10}\n", "-", "-", "-", "0"),
            _ => line(name, class),
        };
    }
    let support = thousands(report.macro_average.support);
    text += &format!("\n{:>18}{:>29.4}{support:>10}\n", "accuracy", report.accuracy);
    let mean = match report.occurring() {
        all if all == report.classes.len() => "mean".into(),
        some => format!("mean of {some} classes"),
    };
    text += &line(&mean, &report.macro_average);
    text += &line("weighted mean", &report.weighted_average);
    text
}

/// A word where the answers are worth no more than always giving the same one; nothing where they are.
pub(crate) fn chance(confusion: &Confusion, classes: &[String]) -> String {
    let accuracy = confusion.accuracy();
    match confusion.most_frequent().filter(|(_, part)| accuracy <= *part) {
        None => String::new(),
        Some((class, part)) => format!(
            "\nThe network does no better than chance: always `{}` would be right for {:.2} %. Where it has been trained, \
             try another learning rate (schedule.rate), or see what its layers do to an image (`show`).\n",
            classes[class],
            100.0 * part
        ),
    }
}

/// Rows are labels, columns answers.
pub(crate) fn confusion(confusion: &Confusion) -> String {
    let columns: String = (0..confusion.0.len()).map(|class| format!("{class:>7}")).collect();
    let mut text = format!("\n{:>18}{columns}\n", "label \\ answer");
    for (label, row) in confusion.0.iter().enumerate() {
        let cells: String =
            row.iter().map(|&n| format!("{:>7}", if n == 0 { "·".into() } else { n.to_string() })).collect();
        text += &format!("{label:>18}{cells}\n");
    }
    text
}

/// Where the time went.
pub(crate) fn seconds(seconds: &Seconds, images_per_second: f64) -> String {
    let all = total(seconds);
    let Seconds { download, data, compile, upload, steps, readback, evaluation, aside, asleep } = *seconds;
    let parts = [
        ("download", download),
        ("data", data),
        ("compile", compile),
        ("upload", upload),
        ("steps", steps),
        ("read-back", readback),
        ("evaluation", evaluation),
    ];
    // Most runs have none of these.
    let rare = [("aside", aside), ("asleep", asleep)].into_iter().filter(|(_, part)| *part > 0.0);
    let mut text = format!("\n{:>18}{:>11}\n", "time", "seconds");
    for (name, part) in parts.into_iter().chain(rare) {
        let note = match name {
            "steps" => format!("   {} images/s", thousands(images_per_second as u64)),
            _ => String::new(),
        };
        text += &format!("{name:>18}{part:>11.2}{:>7.1} %{note}\n", 100.0 * part / all.max(f64::MIN_POSITIVE));
    }
    text + &format!("{:>18}{all:>11.2}\n", "all")
}

fn total(seconds: &Seconds) -> f64 {
    let Seconds { download, data, compile, upload, steps, readback, evaluation, aside, asleep } = *seconds;
    download + data + compile + upload + steps + readback + evaluation + aside + asleep
}

/// The epochs of a run beside the two runs of the article.
pub(crate) fn beside_article(epochs: &[Epoch], test: &Confusion, seconds: &Seconds, dataset: &str) -> String {
    let published = [&article::CPU, &article::GPU];
    let titles = published.map(|run| format!("{:>28}", run.name)).concat();
    let columns = format!("{:>10}{:>10}{:>8}", "loss", "error", "s").repeat(3);
    let mut text = format!("\n{:>8}{:>28}{titles}\n{:>8}{columns}\n", "", "this run", "epoch");
    for epoch in 1..=article::CPU.epochs.len() {
        let ours = epochs.iter().find(|ours| ours.name == epoch.to_string());
        let (loss, error) = cells(ours.and_then(|e| e.training), |(l, e)| (format!("{l:.6}"), format!("{e:.6}")));
        let seconds = ours.and_then(|e| e.seconds).map_or("-".into(), |seconds| format!("{seconds:.1}"));
        let theirs = |run: &Published| {
            let (loss, error) = run.epochs[epoch - 1];
            format!("{loss:>10.6}{error:>10.6}{:>8}", run.seconds(epoch))
        };
        text += &format!("{epoch:>8}{loss:>10}{error:>10}{seconds:>8}{}\n", published.map(theirs).concat());
    }
    let f1 = test.report().weighted_average.f1;
    let ours = format!("{:.1} s, F1 {f1:.4}", total(seconds));
    let theirs = published.map(|run| format!("{:>28}", format!("{}, F1 {}", run.total, run.f1))).concat();
    text += &format!("{:>8}{ours:>28}{theirs}\n", "all");
    text += "Splits and seeds differ between the three runs; the article's totals include download and import.\n";
    if dataset != "mnist" {
        text += &format!("The article's images are MNIST's, this run's are {dataset}: compare times, not errors.\n");
    }
    text
}

/// 1276810 as `1,276,810`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(group.iter().map(|&digit| char::from(digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_276_810, "1,276,810"), (60_000, "60,000")] {
            assert_eq!(thousands(n), text);
        }
    }

    /// With a margin that shows where lines begin.
    fn framed(text: &str) -> String {
        text.lines().map(|line| format!("|{line}\n")).collect()
    }

    #[test]
    fn chance_is_told() {
        let check = |rows: [[u64; 2]; 2], expected: expect_test::Expect| {
            let confusion = Confusion(rows.map(Vec::from).into());
            expected.assert_eq(&chance(&confusion, &["cat".into(), "dog".into()]));
        };
        check(
            [[0, 3], [0, 5]],
            expect![[r#"

            The network does no better than chance: always `dog` would be right for 62.50 %. Where it has been trained, try another learning rate (schedule.rate), or see what its layers do to an image (`show`).
        "#]],
        );
        check(
            [[1, 2], [1, 4]],
            expect![[r#"

            The network does no better than chance: always `dog` would be right for 62.50 %. Where it has been trained, try another learning rate (schedule.rate), or see what its layers do to an image (`show`).
        "#]],
        );
        check([[2, 1], [1, 4]], expect![""]);
        check([[3, 0], [0, 3]], expect![""]);
        check([[0, 0], [0, 3]], expect![""]);
    }

    #[test]
    fn tables_line_up() {
        let mut matrix = Confusion::new(2);
        for (label, answer) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
            matrix.count(label, answer);
        }
        expect![[r#"
            |
            |             class  precision   recall       F1   support
            |               cat     1.0000   0.5000   0.6667         2
            |               dog     0.6667   1.0000   0.8000         2
            |
            |          accuracy                       0.7500         4
            |              mean     0.8333   0.7500   0.7333         4
            |     weighted mean     0.8333   0.7500   0.7333         4
        "#]]
        .assert_eq(&framed(&classification(&matrix, &["cat".into(), "dog".into()])));
        let absent = Confusion(vec![vec![1, 0, 1], vec![0, 2, 0], vec![0; 3]]);
        expect![[r#"
            |
            |             class  precision   recall       F1   support
            |               cat     1.0000   0.5000   0.6667         2
            |               dog     1.0000   1.0000   1.0000         2
            |               cow          -        -        -         0
            |
            |          accuracy                       0.7500         4
            | mean of 2 classes     1.0000   0.7500   0.8333         4
            |     weighted mean     1.0000   0.7500   0.8333         4
        "#]]
        .assert_eq(&framed(&classification(&absent, &["cat".into(), "dog".into(), "cow".into()])));
        expect![[r#"
            |
            |    label \ answer      0      1
            |                 0      1      1
            |                 1      ·      2
        "#]]
        .assert_eq(&framed(&confusion(&matrix)));
        let epoch = Epoch {
            name: "1".into(),
            training: Some((0.29, 0.08)),
            validation: Some((0.14, 0.9596)),
            seconds: Some(2.13),
        };
        let evaluation = Epoch { name: "step 400".into(), training: None, seconds: None, ..epoch.clone() };
        expect![[r#"
            |
            |                       training             validation
            |       epoch     loss     error       loss    accuracy   seconds
            |           1   0.2900    0.0800     0.1400     95.96 %       2.1
            |    step 400        -         -     0.1400     95.96 %         -
        "#]]
        .assert_eq(&framed(&format!("{}{}{}", epoch_header(), epoch.line(), evaluation.line())));
        let seconds = Seconds {
            download: 0.0,
            data: 1.0,
            compile: 0.0,
            upload: 0.5,
            steps: 8.0,
            readback: 0.25,
            evaluation: 0.25,
            aside: 0.0,
            asleep: 0.0,
        };
        expect![[r#"
            |
            |              time    seconds
            |          download       0.00    0.0 %
            |              data       1.00   10.0 %
            |           compile       0.00    0.0 %
            |            upload       0.50    5.0 %
            |             steps       8.00   80.0 %   12,345 images/s
            |         read-back       0.25    2.5 %
            |        evaluation       0.25    2.5 %
            |               all      10.00
        "#]]
        .assert_eq(&framed(&super::seconds(&seconds, 12_345.6)));
        let slept = super::seconds(&Seconds { asleep: 10.0, ..seconds }, 12_345.6);
        assert!(slept.contains("            asleep      10.00   50.0 %\n               all      20.00\n"), "{slept}");
        expect![[r#"
            |
            |                            this run                   2014, CPU                   2014, GPU
            |   epoch      loss     error       s      loss     error       s      loss     error       s
            |       1  0.290000  0.080000     2.1  0.554249  0.139430      25  0.374996  0.102971       8
            |       2         -         -       -  0.285018  0.071956      25  0.223706  0.057270       8
            |       3         -         -       -  0.216536  0.056288      25  0.176561  0.047067       8
            |       4         -         -       -  0.173376  0.046598      25  0.131326  0.036031       8
            |       5         -         -       -  0.145248  0.039724      25  0.095808  0.026661       8
            |       6         -         -       -  0.118302  0.033043      24  0.075325  0.021751       8
            |       7         -         -       -  0.098393  0.027728      24  0.053838  0.016265       8
            |       8         -         -       -  0.076123  0.022370      24  0.043181  0.012957       8
            |       9         -         -       -  0.066132  0.019510      24  0.035360  0.010844       8
            |      10         -         -       -  0.054067  0.016522      24  0.027572  0.008239       8
            |     all           10.0 s, F1 0.7333       4 min 48.5 s, F1 0.97       2 min 20.4 s, F1 0.98
            |Splits and seeds differ between the three runs; the article's totals include download and import.
            |The article's images are MNIST's, this run's are digits: compare times, not errors.
        "#]]
        .assert_eq(&framed(&beside_article(&[epoch], &matrix, &seconds, "digits")));
    }
}
