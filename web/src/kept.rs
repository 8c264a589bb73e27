//! Finished runs, to be compared: as text to keep, as a table, and read from what the command line prints.

use protocol::Message;
use serde::{Deserialize, Serialize};

use crate::state::{RunState, Stage};

/// Most runs that are kept.
const MOST: usize = 12;

/// A finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Counted from 1.
    pub number: u64,
    /// All that is known of it.
    pub state: RunState,
    /// Whether it is drawn into the charts.
    pub shown: bool,
}

/// Adds a run in front of the others; the oldest ones are dropped.
pub fn keep(runs: &mut Vec<Kept>, state: RunState) {
    let number = runs.iter().map(|kept| kept.number).max().unwrap_or(0) + 1;
    runs.insert(0, Kept { number, state, shown: false });
    runs.truncate(MOST);
}

/// The runs as text.
pub fn to_json(runs: &[Kept]) -> String {
    serde_json::to_string(runs).expect("plain data with string keys serialises")
}

/// What [`to_json`] wrote; nothing where it was written by another release.
pub fn from_json(text: &str) -> Vec<Kept> {
    let mut runs: Vec<Kept> = serde_json::from_str(text).unwrap_or_default();
    runs.truncate(MOST);
    runs
}

/// The finished run that the command line's `train --json` told of, if `text` is that.
pub fn from_events(text: &str) -> Option<RunState> {
    let mut state = RunState::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        state.apply(serde_json::from_str::<Message>(line).ok()?.event);
    }
    (state.stage == Stage::Done).then_some(state)
}

/// Curves of all runs as a table: one line for each stretch of steps and each evaluation.
pub fn to_csv(runs: &[Kept]) -> String {
    let mut table = String::from("run,engine,device,curve,step,loss,accuracy\n");
    for Kept { number, state, .. } in runs {
        let Some(start) = &state.start else { continue };
        let device = start.device.name.replace('"', "\"\"");
        let mut line = |curve: &str, step: f64, loss: f64, accuracy: f64| {
            table
                .push_str(&format!("{number},{},\"{device}\",{curve},{step},{loss},{accuracy}\n", start.device.engine));
        };
        for ((step, loss), (_, accuracy)) in state.loss.points().zip(state.accuracy.points()) {
            line("training", step, loss, accuracy);
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

    /// As `playground-cli train --json` prints it.
    const EVENTS: &str = r#"
{"version":1,"run":"a","event":"started","device":{"engine":"wgpu","name":"A \"fast\" GPU","software":false},"versions":[],"parameters":7850,"config":{"version":1,"model":{"preset":"softmax"}},"data":{"name":"mnist","training":55000,"validation":5000,"test":10000},"steps":2,"steps_per_epoch":860,"first_step":0}
{"version":1,"run":"a","event":"steps","step":2,"losses":[2.25,2.0],"hits":[8,16],"rate":0.1,"gradient_norm":1.5,"seconds":0.5}
{"version":1,"run":"a","event":"evaluation","step":2,"on":"test","loss":1.5,"accuracy":0.5,"confusion":[[1,1],[0,2]],"seconds":0.1}
{"version":1,"run":"a","event":"finished","engine":"wgpu","device":"A \"fast\" GPU","software":false,"steps":2,"train_loss":2.1,"test_loss":1.5,"test_accuracy":0.5,"images_per_second":256.0,"seconds":{"data":0.0,"compile":0.0,"upload":0.0,"steps":0.5,"readback":0.0,"evaluation":0.1}}
"#;

    #[test]
    fn a_run_of_the_command_line_joins_in() {
        let mut runs = vec![];
        keep(&mut runs, from_events(EVENTS).unwrap());
        keep(&mut runs, from_events(EVENTS).unwrap());
        assert_eq!(runs.iter().map(|kept| kept.number).collect::<Vec<_>>(), [2, 1]);
        let again = from_json(&to_json(&runs));
        assert_eq!(to_csv(&again), to_csv(&runs));
        assert_eq!(again[0].state.summary, runs[0].state.summary);
        runs.pop();
        expect![[r#"
            run,engine,device,curve,step,loss,accuracy
            2,wgpu,"A ""fast"" GPU",training,1,2.25,0.125
            2,wgpu,"A ""fast"" GPU",training,2,2,0.25
            2,wgpu,"A ""fast"" GPU",test,2,1.5,0.5
        "#]]
        .assert_eq(&to_csv(&runs));
    }

    #[test]
    fn what_is_no_finished_run_is_refused() {
        let half: String = EVENTS.lines().take(3).map(|line| format!("{line}\n")).collect();
        assert!(from_events(&half).is_none());
        assert!(from_events("{}").is_none() && from_events("").is_none());
        assert!(from_json("[1]").is_empty());
    }

    #[test]
    fn the_list_stays_short() {
        let mut runs = vec![];
        (0..20).for_each(|_| keep(&mut runs, RunState::default()));
        assert_eq!((runs.len(), runs[0].number), (MOST, 20));
    }
}
