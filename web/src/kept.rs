//! Runs that have ended, to be compared: as text to keep, as a table, and read from what the command line prints.

use protocol::{Message, from_message};
use serde::{Deserialize, Serialize};

use crate::state::RunState;

/// The version of [`Kept`] as text.
const VERSION: u32 = 1;
/// Most runs that are kept …
const MOST: usize = 50;
/// … and most bytes of them together: a run of many steps has about 40 000.
const MOST_BYTES: usize = 4 << 20;
/// Longest name, in bytes.
const MOST_NAME: usize = 200;

/// Where a run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In this browser.
    Browser,
    /// By the command line, or in another browser: its file was opened here.
    File,
}

/// A run that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Always [`VERSION`].
    pub version: u32,
    /// Where it is kept, counted from 1; 0 before that.
    pub number: u64,
    /// What the visitor calls it; empty: nothing yet.
    #[serde(default)]
    pub name: String,
    /// Where it was made; earlier releases did not say.
    #[serde(default)]
    pub place: Option<Place>,
    /// All that is known of it.
    pub state: RunState,
    /// Whether it is drawn into the charts.
    #[serde(skip)]
    pub shown: bool,
}

impl Kept {
    /// A run that is to be kept.
    pub fn new(state: RunState, place: Place) -> Self {
        Kept { version: VERSION, number: 0, name: String::new(), place: Some(place), state, shown: false }
    }

    /// The run as text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys serialises")
    }

    /// What [`Kept::to_json`] wrote, from place `number`; none where it is damaged or another release wrote it.
    pub fn read(number: u64, text: &str) -> Option<Self> {
        let kept: Kept = from_message(text).ok()?;
        kept.checked().map(|kept| Kept { number, ..kept })
    }

    fn checked(self) -> Option<Self> {
        let sound = self.version == VERSION && self.name.len() <= MOST_NAME && self.state.is_whole();
        sound.then_some(self)
    }
}

/// A run that was left before its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    version: u32,
    /// As it was when it was kept.
    pub state: RunState,
}

impl Left {
    /// A run that may be left.
    pub fn new(state: RunState) -> Self {
        Left { version: VERSION, state }
    }

    /// The run as text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys serialises")
    }

    /// What [`Left::to_json`] wrote; none where it is damaged or another release wrote it.
    pub fn read(text: &str) -> Option<Self> {
        let left: Left = from_message(text).ok()?;
        (left.version == VERSION && left.state.stage.is_live() && left.state.is_sound()).then_some(left)
    }
}

/// The runs in a text that [`to_json`] wrote, in this browser or another; none where it is no such text, or damaged.
pub fn from_json(text: &str) -> Option<Vec<Kept>> {
    let runs: Vec<Kept> = from_message(text).ok().filter(|runs: &Vec<_>| (1..=MOST).contains(&runs.len()))?;
    runs.into_iter().map(|run| Kept { place: Some(Place::File), ..run }.checked()).collect()
}

/// The runs as one text.
pub fn to_json(runs: &[Kept]) -> String {
    format!("[{}]", runs.iter().map(Kept::to_json).collect::<Vec<_>>().join(","))
}

/// How many bytes are kept in which place, the latest one first; also what cannot be read takes room.
#[derive(Debug, Default)]
pub struct Sizes(Vec<(u64, usize)>);

impl Sizes {
    /// So many bytes are in this place.
    pub fn add(&mut self, number: u64, bytes: usize) {
        self.0.insert(self.0.partition_point(|(other, _)| *other > number), (number, bytes));
    }

    /// What was in these places is not there any more.
    pub fn forget(&mut self, first: u64, last: u64) {
        self.0.retain(|(number, _)| !(first..=last).contains(number));
    }

    /// The latest place that there is no room for, nor for what is older.
    pub fn surplus(&self) -> Option<u64> {
        let mut bytes = 0;
        let mut kept = self.0.iter().enumerate();
        let beyond = kept.find(|(i, (_, size))| {
            bytes += size;
            *i >= MOST || bytes > MOST_BYTES
        });
        beyond.map(|(_, (number, _))| *number)
    }
}

/// The run that the command line's `train --json` told of, if `text` is that and the run has ended, well or not.
pub fn from_events(text: &str) -> Option<RunState> {
    let mut state = RunState::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        state.apply(Message::from_json(line).ok()?.event);
    }
    state.is_whole().then_some(state)
}

/// Whether a text begins as what the command line's `train --json` tells, whatever becomes of the run.
pub fn is_log(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| Message::from_json(line).is_ok())
}

/// Curves of all runs as a table: one line for each stretch of steps and each evaluation.
pub fn to_csv(runs: &[Kept]) -> String {
    let mut table = String::from("run,name,engine,device,curve,step,loss,accuracy\n");
    for Kept { number, name, state, .. } in runs {
        let Some(start) = &state.start else { continue };
        let [name, device] = [name, &start.device.name].map(|text| text.replace('"', "\"\""));
        let mut line = |curve: &str, step: f64, loss: f64, accuracy: f64| {
            table.push_str(&format!(
                "{number},\"{name}\",{},\"{device}\",{curve},{step},{loss},{accuracy}\n",
                start.device.engine
            ));
        };
        for (loss, accuracy) in state.loss.points().zip(state.accuracy.points()) {
            line("training", loss.x, loss.mean, accuracy.mean);
        }
        for at in &state.validation {
            line("validation", at.step as f64, at.loss, at.accuracy);
        }
        if let Some(at) = &state.test {
            line("test", at.step as f64, at.loss, at.accuracy);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::state::Stage;

    /// As `playground-cli train --json` prints it.
    const EVENTS: &str = r#"
{"version":1,"run":"a","event":"started","device":{"engine":"wgpu","name":"A \"fast\" GPU","software":false},"versions":[],"parameters":7850,"config":{"version":1,"model":{"preset":"softmax"}},"data":{"name":"mnist","training":55000,"validation":5000,"test":10000},"steps":2,"steps_per_epoch":860,"first_step":0}
{"version":1,"run":"a","event":"steps","step":2,"losses":[2.25,2.0],"hits":[8,16],"rate":0.1,"gradient_norm":1.5,"seconds":0.5}
{"version":1,"run":"a","event":"evaluation","step":2,"on":"test","loss":1.5,"accuracy":0.5,"confusion":[[1,1],[0,2]],"seconds":0.1}
{"version":1,"run":"a","event":"finished","engine":"wgpu","device":"A \"fast\" GPU","software":false,"steps":2,"train_loss":2.1,"test_loss":1.5,"test_accuracy":0.5,"images_per_second":256.0,"seconds":{"data":0.0,"compile":0.0,"upload":0.0,"steps":0.5,"readback":0.0,"evaluation":0.1}}
"#;

    fn run(number: u64) -> Kept {
        Kept { number, name: "a \"b\"".into(), ..Kept::new(from_events(EVENTS).unwrap(), Place::File) }
    }

    #[test]
    fn a_run_of_the_command_line_joins_in() {
        let runs = [run(2)];
        expect![[r#"
            run,name,engine,device,curve,step,loss,accuracy
            2,"a ""b""",wgpu,"A ""fast"" GPU",training,1,2.25,0.125
            2,"a ""b""",wgpu,"A ""fast"" GPU",training,2,2,0.25
            2,"a ""b""",wgpu,"A ""fast"" GPU",test,2,1.5,0.5
        "#]]
        .assert_eq(&to_csv(&runs));
    }

    #[test]
    fn a_run_that_failed_joins_in_with_its_reason() {
        let mut lines: Vec<&str> = EVENTS.trim().lines().take(2).collect();
        lines.push(r#"{"version":1,"run":"a","event":"failed","failure":{"message":"the loss became NaN"},"step":2}"#);
        let state = from_events(&lines.join("\n")).unwrap();
        assert_eq!((state.stage, state.step), (Stage::Failed, 2));
        let again = Kept::read(1, &Kept::new(state, Place::Browser).to_json()).unwrap();
        assert_eq!(again.state.failure.unwrap().message, "the loss became NaN");
    }

    #[test]
    fn a_run_that_was_left_is_read_again() {
        let begun: String = EVENTS.trim().lines().take(2).map(|line| format!("{line}\n")).collect();
        let mut state = RunState::default();
        begun.lines().for_each(|line| state.apply(Message::from_json(line).unwrap().event));
        let text = Left::new(state).to_json();
        assert_eq!(Left::read(&text).unwrap().state.step, 2);
        assert!(Left::read(&text.replace("\"Running\"", "\"Done\"")).is_none());
        assert!(Left::read(&text[..text.len() / 2]).is_none() && Left::read(&run(1).to_json()).is_none());
    }

    #[test]
    fn saved_runs_are_read_again() {
        let runs = from_json(&to_json(&[run(2), run(1)])).unwrap();
        assert_eq!(
            runs.iter().map(|run| (run.name.as_str(), run.place)).collect::<Vec<_>>(),
            [("a \"b\"", Some(Place::File)); 2]
        );
        assert!(from_json("[]").is_none() && from_json("[{}]").is_none() && from_json(EVENTS).is_none());
        let long = Kept { name: "x".repeat(MOST_NAME + 1), ..run(1) };
        assert!(from_json(&to_json(&[run(2), long])).is_none());
    }

    #[test]
    fn runs_of_earlier_releases_are_read() {
        let now = run(0).to_json();
        let before = now.replace(r#""name":"a \"b\"","place":"file","#, "");
        assert_ne!(before, now);
        let read = Kept::read(3, &before).unwrap();
        assert_eq!((read.name.as_str(), read.place), ("", None));
    }

    #[test]
    fn what_is_no_finished_run_is_refused() {
        let half: String = EVENTS.lines().take(3).map(|line| format!("{line}\n")).collect();
        assert!(from_events(&half).is_none() && is_log(&half) && !is_log("{}") && !is_log(""));
        assert!(from_events("{}").is_none() && from_events("").is_none());
    }

    #[test]
    fn a_kept_run_is_read_again() {
        let text = run(0).to_json();
        let again = Kept::read(7, &text).unwrap();
        assert_eq!((again.number, to_csv(&[again])), (7, to_csv(&[run(7)])));
        assert_eq!(to_json(&[run(2), run(1)]), format!("[{},{}]", run(2).to_json(), run(1).to_json()));
    }

    #[test]
    fn what_was_tampered_with_is_left_out() {
        let text = run(0).to_json();
        for (old, new) in [
            ("\"version\":1,\"number\"", "\"version\":2,\"number\""), // another release
            ("\"version\":1,\"number\"", "\"number\""),
            ("\"number\":0", "\"number\":0,\"x\":1"),
            ("\"Done\"", "\"Running\""),
            ("\"width\":1", "\"width\":0"),
            ("\"width\":1", "\"width\":18446744073709551615"),
            ("\"first\":0", "\"first\":18446744073709551615"),
            ("\"stretches\":[", &format!("\"stretches\":[{}", "[0,0],".repeat(600))),
            ("\"batch\":64", "\"batch\":0"),
            ("}", ""),
        ] {
            assert!(text.contains(old), "{old}");
            assert!(Kept::read(1, &text.replacen(old, new, 1)).is_none(), "{old} as {new}");
        }
        for length in 0..text.len() {
            assert!(Kept::read(1, &text[..length]).is_none());
        }
    }

    #[test]
    fn the_oldest_runs_make_room() {
        let sizes = |sizes: &[(u64, usize)]| {
            let mut all = Sizes::default();
            sizes.iter().for_each(|(number, bytes)| all.add(*number, *bytes));
            all
        };
        assert_eq!(sizes(&[]).surplus(), None);
        let mut many = sizes(&(1..=60).map(|number| (number, 10)).collect::<Vec<_>>());
        assert_eq!(many.surplus(), Some(10));
        many.forget(0, 10);
        assert_eq!(many.surplus(), None);
        many.add(61, MOST_BYTES - 100);
        assert_eq!(many.surplus(), Some(50));
        assert_eq!(sizes(&[(3, MOST_BYTES + 1)]).surplus(), Some(3));
    }
}
