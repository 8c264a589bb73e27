//! Groups while they are made: which stages fit together, and along which axis the work could be divided.

use std::collections::BTreeMap;

use graph::Shape;

use crate::{
    BufferId, Limits,
    body::Index,
    plan::{Group, Rows, Stage},
};

/// A group that may still grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) stages: Vec<(usize, Stage)>,
    /// Whether one group can do everything.
    single: bool,
    visits: usize,
    divisions: Vec<Division>,
}

/// A way to divide the work: along an axis of `count` elements, which each stage has.
#[derive(Clone, Debug)]
struct Division {
    count: usize,
    axes: Vec<usize>,
    /// For each buffer that the group writes: how many elements lie between two rows.
    strides: BTreeMap<BufferId, usize>,
}

/// Visits of a row from which on it has a group of its own.
const ROW_VISITS: usize = 256;
/// Visits that a group of several rows should have, and most rows of it.
const GROUP_VISITS: usize = 1024;
const GROUP_ROWS: usize = 64;

impl Draft {
    pub(crate) fn new(stage: Stage, limits: &Limits) -> Self {
        let visits = stage.visits();
        let space = stage.body.space.clone();
        let divide = |axis: usize| Division { count: space.0[axis], axes: vec![axis], strides: strides(&stage, axis) };
        let divisions = (0..space.rank()).filter(|&axis| space.0[axis] > 1).map(divide).collect();
        Draft { single: visits <= limits.single_group, visits, divisions, stages: vec![(0, stage)] }
    }

    /// Whether one group does everything, so that a stage need not have anything to do with the others.
    pub(crate) fn is_single(&self) -> bool {
        self.single
    }

    /// The stage that writes a buffer.
    pub(crate) fn producer(&self, buffer: BufferId) -> Option<usize> {
        self.stages.iter().position(|(_, stage)| stage.body.stores.iter().any(|store| store.buffer == buffer))
    }

    /// Adds a stage behind those that it reads from, if the work can still be divided or need not be.
    pub(crate) fn push(&mut self, stage: Stage, limits: &Limits) -> bool {
        let reads = stage.reads();
        let level = reads.iter().filter_map(|&buffer| self.producer(buffer)).map(|i| self.stages[i].0 + 1).max();
        let visits = self.visits.saturating_add(stage.visits());
        let single = self.single && visits <= limits.single_group;
        let fitting = |division: &Division| {
            let axis = (0..stage.body.space.rank()).find(|&axis| division.fits(&stage, axis))?;
            if stage.visits() / division.count > limits.row {
                return None;
            }
            let mut division = division.clone();
            division.axes.push(axis);
            division.strides.extend(strides(&stage, axis));
            Some(division)
        };
        let divisions: Vec<Division> = self.divisions.iter().filter_map(fitting).collect();
        if !single && divisions.is_empty() {
            return false;
        }
        self.stages.push((level.unwrap_or(0), stage));
        (self.single, self.visits, self.divisions) = (single, visits, divisions);
        true
    }

    /// Takes over stage `number` with more in its body.
    pub(crate) fn replace(&mut self, number: usize, stage: Stage) -> bool {
        let level = self.stages[number].0;
        let below = |buffer: BufferId| self.producer(buffer).is_none_or(|i| i == number || self.stages[i].0 < level);
        if !stage.reads().into_iter().all(below) {
            return false;
        }
        let fitting = |division: &Division| {
            let mut division = division.clone();
            division.strides.extend(strides(&stage, division.axes[number]));
            division.fits(&stage, division.axes[number]).then_some(division)
        };
        let divisions: Vec<Division> = self.divisions.iter().filter_map(fitting).collect();
        if !self.single && divisions.is_empty() {
            return false;
        }
        self.stages[number].1 = stage;
        self.divisions = divisions;
        true
    }

    /// The group with its division chosen.
    pub(crate) fn finish(mut self) -> Group {
        let rows = match (self.single, self.divisions.first()) {
            (false, Some(division)) => {
                let visits = self.stages.iter().map(|(_, stage)| stage.visits() / division.count).max().unwrap_or(1);
                let per_group =
                    if visits >= ROW_VISITS { 1 } else { (GROUP_VISITS / visits.max(1)).clamp(1, GROUP_ROWS) };
                Some((division.count, per_group, division.axes.clone()))
            }
            _ => None,
        };
        let mut order: Vec<usize> = (0..self.stages.len()).collect();
        order.sort_by_key(|&i| self.stages[i].0);
        let rows = rows.map(|(count, per_group, axes)| {
            let axes = order.iter().map(|&i| axes[i]).collect();
            Rows { count, axes, per_group }
        });
        let mut stages: Vec<Option<(usize, Stage)>> = self.stages.drain(..).map(Some).collect();
        let stages = order.iter().filter_map(|&i| stages[i].take()).collect();
        Group { stages, rows }
    }
}

impl Division {
    /// Whether a stage, divided along `axis`, reads from this group's buffers its own rows alone.
    fn fits(&self, stage: &Stage, axis: usize) -> bool {
        stage.body.space.0[axis] == self.count
            && stage.loads().all(|(buffer, at)| match self.strides.get(&buffer) {
                Some(&stride) => at.is_some_and(|(index, space)| keeps_row(index, &space, axis, self.count, stride)),
                None => true,
            })
    }
}

/// Whether the element at `index` is always in the row that the coordinate along `axis` names, where a buffer has `count`
/// rows that lie `stride` elements apart.
fn keeps_row(index: &Index, space: &Shape, axis: usize, count: usize, stride: usize) -> bool {
    if stride == 0 {
        return true; // rows without elements, of which nothing is read
    }
    let mut within = index.offset;
    for (i, (&s, &size)) in index.strides.iter().zip(&space.0).enumerate() {
        if i == axis {
            if s != stride {
                return false;
            }
        } else if size > 1 && s % (count * stride) != 0 {
            within += s * (size - 1); // moves inside of a row
        }
    }
    within < stride
}

/// Elements between two rows of what a stage writes.
fn strides(stage: &Stage, axis: usize) -> BTreeMap<BufferId, usize> {
    let stride = stage.body.space.strides()[axis];
    stage.body.stores.iter().map(|store| (store.buffer, stride)).collect()
}
