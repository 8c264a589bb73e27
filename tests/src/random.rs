//! What engines are compared on that nobody thought of: a graph with values, and what the reference makes of them.
//!
//! Everything is made from a list of numbers, each of which decides something; a list that is missing numbers has zeros, and
//! zero is the simplest choice. So a shorter list of smaller numbers makes something simpler, and whatever shrinks lists
//! shrinks what they make: [`crate::graphs`] and [`crate::configurations`].

use std::collections::BTreeMap;

use compiler::{Plan, interpret};
use engine::{Engine, EngineError};
use graph::{Feed, Graph, HostData, HostTensor, Op, Values, reference};

use crate::{
    compare::numbers,
    rounded::{Rounded, doubt},
};

/// The reference's numbers.
pub type R = Rounded<23>;

/// Elements by name.
pub type Numbers = BTreeMap<String, Vec<R>>;

/// Something that is made from numbers, as many as `numbers` at most.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Generator {
    pub numbers: usize,
    /// `None` where the values are not worth comparing: too large, or such that rounding decides where they come from.
    pub make: fn(&[u32]) -> Option<Random>,
}

/// A graph, and what it is tried with.
#[derive(Clone, Debug)]
pub struct Random {
    /// What was drawn, in words.
    pub text: String,
    /// As engines get it.
    pub graph: Graph,
    /// At least one.
    pub cases: Vec<Case>,
}

/// Values for a graph, and what comes of them.
#[derive(Clone, Debug)]
pub struct Case {
    /// Inputs, the same for each step.
    pub inputs: Values,
    /// Slots before the first step.
    pub state: Values,
    /// What each step gives: outputs, and slots after it.
    pub steps: Vec<[Numbers; 2]>,
}

/// Numbers that decide.
#[derive(Clone, Debug)]
pub struct Decisions<'a>(std::slice::Iter<'a, u32>);

impl<'a> Decisions<'a> {
    /// By these numbers, and zeros after them.
    pub fn new(numbers: &'a [u32]) -> Self {
        Decisions(numbers.iter())
    }

    /// One of 0, 1, …, `end` - 1.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.next().map_or(0, |&number| number as usize) % end
    }

    /// One time in so many.
    pub fn chance(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    /// One of these; the first one is the simplest.
    pub fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }
}

impl Case {
    /// What the reference makes of some steps, as long as there is no doubt about them; `None` where the first one is
    /// doubtful.
    pub fn new(graph: &Graph, inputs: Values, state: Values, most: usize) -> Option<Self> {
        let mut now = reference::state_from::<R>(&state);
        let mut steps = vec![];
        for _ in 0..most {
            doubt();
            let outputs = reference::evaluate(graph, &inputs, &mut now).expect("the graph has its inputs");
            if doubt() {
                break;
            }
            steps.push([outputs, now.clone()]);
        }
        (!steps.is_empty()).then_some(Case { inputs, state, steps })
    }
}

impl Random {
    /// What an engine makes of it, against the reference; it may be away from it by so many times what rounding explains.
    /// Everything that the engine holds is filled with NaN by steps before.
    ///
    /// # Errors
    /// What the engine says. The first difference is inside, if there is one.
    pub async fn difference(&self, engine: &mut dyn Engine, times: f64) -> Result<Option<String>, EngineError> {
        let program = engine.load(&self.graph).await?;
        let is_resident = |name: &str| self.graph.inputs().any(|(n, node)| n == name && is_resident(&node.op));
        for (number, case) in self.cases.iter().enumerate() {
            let mut ran = vec![];
            for values in [broken, HostTensor::clone] {
                let mut feed = Values::new();
                for (name, tensor) in &case.inputs {
                    match is_resident(name) {
                        true => engine.upload(name, &values(tensor)).await?,
                        false => drop(feed.insert(name.clone(), values(tensor))),
                    }
                }
                let state = case.state.iter().map(|(slot, tensor)| (slot.clone(), values(tensor))).collect();
                engine.write_state(&state).await?;
                ran = engine.run(program, &vec![feed; case.steps.len()]).await?.outputs;
            }
            if let Some(how) = case.difference(&ran, &engine.read_state().await?, times) {
                return Ok(Some(format!("case {number}, {how}")));
            }
        }
        Ok(None)
    }

    /// How many numbers are compared, and how many of them may be off by a thousandth of the largest beside them at most:
    /// the others prove little.
    pub fn numbers(&self) -> [usize; 2] {
        let steps = self.cases.iter().flat_map(|case| &case.steps).flatten();
        steps.flat_map(BTreeMap::values).fold([0, 0], |[all, tight], tensor| {
            let largest = tensor.iter().fold(0.0, |most: f64, number| most.max(number.value().abs()));
            let is_tight = |number: &&R| number.bound() <= 1e-3 * largest;
            [all + tensor.len(), tight + tensor.iter().filter(is_tight).count()]
        })
    }

    /// How a plan differs that is carried out as it is written, in f64. (What is constant was folded in f32.)
    pub fn difference_of_plan(&self, plan: &Plan) -> Option<String> {
        let difference = |(number, case): (usize, &Case)| {
            let how = case.difference_of_plan(plan)?;
            Some(format!("case {number}, {how}"))
        };
        self.cases.iter().enumerate().find_map(difference)
    }
}

fn is_resident(op: &Op) -> bool {
    matches!(op, Op::Input { feed: Feed::Resident, .. })
}

/// NaN everywhere; integers stay, since they are rows of tables.
fn broken(tensor: &HostTensor) -> HostTensor {
    match tensor.data() {
        HostData::F32(data) => HostTensor::f32(tensor.shape().clone(), vec![f32::NAN; data.len()]),
        HostData::U32(_) | HostData::U8(_) => tensor.clone(),
    }
}

impl Case {
    /// How outputs of each step and the state behind the last one differ from the reference's.
    fn difference(&self, ran: &[Values], state: &Values, times: f64) -> Option<String> {
        if ran.len() != self.steps.len() {
            return Some(format!("{} steps came back of {}", ran.len(), self.steps.len()));
        }
        let differs = |(number, (got, [want, _])): (usize, (&Values, &[Numbers; 2]))| {
            difference(got, want, times).map(|how| format!("step {number}, output {how}"))
        };
        let [_, slots] = self.steps.last()?;
        let in_slots =
            || difference(state, slots, times).map(|how| format!("after step {}, slot {how}", ran.len() - 1));
        ran.iter().zip(&self.steps).enumerate().find_map(differs).or_else(in_slots)
    }

    fn difference_of_plan(&self, plan: &Plan) -> Option<String> {
        let mut state = reference::state_from::<f64>(&self.state);
        self.steps.iter().enumerate().find_map(|(number, [outputs, slots])| {
            let got = interpret::run(plan, &self.inputs, &mut state);
            let compared = |(name, want): (&String, &Vec<R>), got: &BTreeMap<String, Vec<f64>>| match got.get(name) {
                Some(got) => element(got, want, 1.0).map(|how| format!("{name}: {how}")),
                None if want.is_empty() => None,
                None => Some(format!("{name} is not written")),
            };
            let how = outputs.iter().find_map(|pair| compared(pair, &got));
            let how = how.or_else(|| slots.iter().find_map(|pair| compared(pair, &state)));
            how.map(|how| format!("step {number}, {how}"))
        })
    }
}

/// The first number that is not what it should be.
fn difference(got: &Values, want: &Numbers, times: f64) -> Option<String> {
    want.iter().find_map(|(name, want)| {
        let Some(got) = got.get(name) else { return Some(format!("{name} is missing")) };
        element(&numbers(got), want, times).map(|how| format!("{name}{}: {how}", got.shape()))
    })
}

fn element(got: &[f64], want: &[R], times: f64) -> Option<String> {
    if got.len() != want.len() {
        return Some(format!("{} elements instead of {}", got.len(), want.len()));
    }
    let wrong = got.iter().zip(want).position(|(got, want)| !want.admits(*got, times))?;
    let (got, want) = (got[wrong], want[wrong]);
    Some(format!("element {wrong} is {got} instead of {} ± {:.1e}", want.value(), want.bound()))
}
