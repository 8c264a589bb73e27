//! Steps while they are made: what each touches, and how one takes up what else is computed for its elements.

use crate::{
    BufferId,
    body::{Body, Index, Line, Store},
    group,
    plan::{Contraction, PoolGrad, Stage, Step},
};

/// A step while it may still grow.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    Map(Vec<Stage>),
    Group(group::Draft),
    Contraction(Contraction),
    PoolGrad(PoolGrad),
}

/// Into a stage that reads the same elements, else as one more.
pub(crate) fn beside(stages: &mut Vec<Stage>, stage: Stage) {
    let reads = stage.reads();
    let alike = |other: &&mut Stage| {
        let shares = other.body.lines.0.iter().any(|line| match line {
            Line::Load { buffer, index } => index.strides.iter().any(|s| *s != 0) && reads.contains(buffer),
            _ => false,
        });
        shares && other.fold.is_none() && stage.fold.is_none()
    };
    let joined = stages.iter_mut().filter(alike).any(|other| extend(&mut other.body, &stage.body));
    if !joined {
        stages.push(stage);
    }
}

/// Appends `other` to `body` where both visit the same elements: what `body` stores is taken from it directly. `false`,
/// and nothing changed, where `other` reads elements of it that are not its own.
pub(crate) fn extend(body: &mut Body, other: &Body) -> bool {
    if body.space.count() != other.space.count() {
        return false;
    }
    let Some(lines) = other.lines.reindexed(|index| index.reshaped(&other.space, &body.space)) else { return false };
    let own = Index::contiguous(&body.space);
    let stored = |buffer: BufferId| body.stores.iter().find(|store| store.buffer == buffer);
    let foreign = lines.0.iter().any(|line| match line {
        Line::Load { buffer, index } => stored(*buffer).is_some() && *index != own,
        Line::Row { table: buffer, .. } | Line::Random { key: buffer, .. } => stored(*buffer).is_some(),
        _ => false,
    });
    if foreign {
        return false;
    }
    let mut extended = body.lines.clone();
    let place = extended.append(&lines, |line| match line {
        Line::Load { buffer, .. } => stored(*buffer).map_or(Ok(line.clone()), |store| Err(store.value)),
        line => Ok(line.clone()),
    });
    body.stores.extend(other.stores.iter().map(|store| Store { value: place[store.value], ..*store }));
    body.lines = extended;
    true
}

impl Draft {
    pub(crate) fn reads(&self) -> Vec<BufferId> {
        match self {
            Draft::Group(draft) => draft.stages.iter().flat_map(|(_, stage)| stage.reads()).collect(),
            Draft::Map(stages) => stages.iter().flat_map(Stage::reads).collect(),
            Draft::Contraction(step) => Step::Contraction(step.clone()).reads(),
            Draft::PoolGrad(step) => Step::PoolGrad(step.clone()).reads(),
        }
    }

    pub(crate) fn writes(&self) -> Vec<BufferId> {
        let of = |stages: &mut dyn Iterator<Item = &Stage>| {
            stages.flat_map(|stage| stage.body.stores.iter().map(|store| store.buffer)).collect()
        };
        match self {
            Draft::Group(draft) => of(&mut draft.stages.iter().map(|(_, stage)| stage)),
            Draft::Map(stages) => of(&mut stages.iter()),
            Draft::Contraction(step) => Step::Contraction(step.clone()).writes(),
            Draft::PoolGrad(step) => Step::PoolGrad(step.clone()).writes(),
        }
    }

    /// Everything that the part around `stage` touches: of a map, only the stage that it joined.
    pub(crate) fn buffers(&self, stage: &Stage) -> Vec<BufferId> {
        let mut buffers = match self {
            Draft::Map(stages) => {
                let joined = |s: &&Stage| {
                    stage.body.stores.iter().all(|store| s.body.stores.iter().any(|o| o.buffer == store.buffer))
                };
                let joined: Vec<&Stage> = stages.iter().filter(joined).collect();
                joined
                    .iter()
                    .flat_map(|s| s.reads().into_iter().chain(s.body.stores.iter().map(|store| store.buffer)))
                    .collect()
            }
            _ => [self.reads(), self.writes()].concat(),
        };
        buffers.sort_unstable();
        buffers.dedup();
        buffers
    }
}
