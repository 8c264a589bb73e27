//! Where results go: outputs beside the values that they are, new state in place of the old where nothing reads that
//! any more.

use graph::Graph;

use crate::{
    BufferId, Limits,
    body::{Body, Index, Line, Store},
    draft::Draft,
    fuse::Builder,
    plan::{Buffer, Contraction, Place, PoolGrad, Rows, Stage, Step},
};

/// Visits of one element from which on threads should share them.
const SHARED_FOLD: usize = 128;

/// Gives outputs and new state their buffers.
pub(crate) fn place(graph: &Graph, builder: &mut Builder) {
    for (name, id) in &graph.outputs {
        let from = builder.whole(*id);
        let output = builder.result_buffer(Place::Output(name.clone()), &graph.nodes[*id]);
        if !store_too(builder, from, output) {
            builder.copy(from, output, false);
        }
    }
    // All values first, since what computes one may read old ones.
    let values: Vec<BufferId> = graph.updates.iter().map(|(_, id)| builder.whole(*id)).collect();
    // The old values that become new ones of other slots, behind all steps.
    let read_last: Vec<Place> = values.iter().map(|&from| builder.buffers[from].place.clone()).collect();
    let mut copies = vec![];
    for ((slot, id), from) in graph.updates.iter().zip(values) {
        let place = Place::State(slot.clone());
        let is_free = matches!(builder.buffers[from].place, Place::Scratch { .. }) && !read_last.contains(&place);
        if is_free && may_write(builder, slot, from) {
            builder.buffers[from].place = place;
        } else {
            let node = &graph.nodes[*id];
            copies.push((from, builder.buffer(place, &node.shape, node.dtype)));
        }
    }
    // A copy may read a slot that another copy writes, so that all values are set aside first.
    for (from, _) in &mut copies {
        if !matches!(builder.buffers[*from].place, Place::Scratch { .. }) {
            let Buffer { shape, dtype, .. } = builder.buffers[*from].clone();
            let aside = builder.buffer(Place::Scratch { block: usize::MAX, offset: 0 }, &shape, dtype);
            builder.copy(*from, aside, true);
            *from = aside;
        }
    }
    copies.into_iter().for_each(|(from, to)| builder.copy(from, to, true));
}

/// Stores a value that some body stores also elsewhere.
fn store_too(builder: &mut Builder, from: BufferId, to: BufferId) -> bool {
    let store = |body: &mut crate::Body| {
        let value = body.stores.iter().find(|store| store.buffer == from).map(|store| store.value);
        value.map(|value| body.stores.push(Store { buffer: to, value })).is_some()
    };
    builder.steps.iter_mut().any(|draft| match draft {
        Draft::Map(stages) => stages.iter_mut().any(|stage| store(&mut stage.body)),
        Draft::Group(group) => group.stages.iter_mut().any(|(_, stage)| store(&mut stage.body)),
        Draft::Contraction(step) => store(&mut step.body),
        Draft::PoolGrad(step) => store(&mut step.body),
    })
}

/// Whether the step that writes `buffer` may write the slot instead: nothing reads the old value later, and beside it
/// only the same element.
fn may_write(builder: &Builder, slot: &str, buffer: BufferId) -> bool {
    let is_old = |id: BufferId| builder.buffers[id].place == Place::State(slot.into());
    let Some(number) = builder.steps.iter().position(|draft| draft.writes().contains(&buffer)) else { return false };
    if builder.steps[number + 1..].iter().any(|draft| draft.reads().into_iter().any(is_old)) {
        return false;
    }
    let writes = |stage: &Stage| stage.body.stores.iter().any(|store| store.buffer == buffer);
    match &builder.steps[number] {
        Draft::Map(stages) => stages.iter().all(|stage| match writes(stage) {
            true => reads_own_element(stage, &is_old),
            false => !stage.reads().into_iter().any(is_old),
        }),
        Draft::Group(group) => group.stages.iter().all(|(_, stage)| match writes(stage) {
            true => reads_own_element(stage, &is_old),
            // Another stage may run after this one, or beside it.
            false => !stage.reads().into_iter().any(is_old),
        }),
        Draft::Contraction(step) if step.row_sums == Some(buffer) => {
            // They are made beside the elements, not with them.
            !builder.steps[number].reads().into_iter().any(is_old)
        }
        Draft::Contraction(Contraction { operands, body, .. }) | Draft::PoolGrad(PoolGrad { operands, body, .. }) => {
            !operands.iter().any(|operand| is_old(operand.buffer)) && body_reads_own_element(body, &is_old)
        }
    }
}

fn reads_own_element(stage: &Stage, is_old: &impl Fn(BufferId) -> bool) -> bool {
    let folded = stage.fold.iter().flat_map(|fold| fold.lines.buffers()).any(is_old);
    !folded && body_reads_own_element(&stage.body, is_old)
}

fn body_reads_own_element(body: &Body, is_old: &impl Fn(BufferId) -> bool) -> bool {
    let own = Index::contiguous(&body.space);
    body.lines.0.iter().all(|line| match line {
        Line::Load { buffer, index } => !is_old(*buffer) || *index == own,
        line => line.buffer().is_none_or(|buffer| !is_old(buffer)),
    })
}

/// Steps without stores that nothing reads, and with what is private to groups.
pub(crate) fn finish(builder: Builder, limits: &Limits) -> (Vec<Buffer>, Vec<Step>) {
    let Builder { mut buffers, steps, .. } = builder;
    let mut steps: Vec<Step> = steps.into_iter().map(step).collect();
    while drop_unread(&buffers, &mut steps) {}
    for number in 0..steps.len() {
        let local = local(number, &steps, &buffers, limits);
        local.into_iter().for_each(|buffer| buffers[buffer].place = Place::Local);
    }
    (buffers, steps)
}

fn step(draft: Draft) -> Step {
    match draft {
        Draft::Map(stages) => Step::Map(stages),
        Draft::Contraction(step) => Step::Contraction(step),
        Draft::PoolGrad(step) => Step::PoolGrad(step),
        Draft::Group(draft) => {
            let mut group = draft.finish();
            // Alone, and with more elements than visits of each: no thread needs another.
            let alone = |stage: &Stage| {
                let inner = stage.fold.as_ref().map_or(1, |fold| fold.inner.count());
                inner <= SHARED_FOLD && stage.body.space.count() >= inner
            };
            match &group.stages[..] {
                [(_, stage)] if alone(stage) => Step::Map(vec![group.stages.remove(0).1]),
                _ => Step::Group(group),
            }
        }
    }
}

/// Removes stores into scratch memory that no step reads, and of bodies without elements, then what only they needed.
/// `true` if there was one.
fn drop_unread(buffers: &[Buffer], steps: &mut Vec<Step>) -> bool {
    let mut read = vec![false; buffers.len()];
    steps.iter().flat_map(Step::reads).for_each(|buffer| read[buffer] = true);
    let kept = |store: &Store| read[store.buffer] || !matches!(buffers[store.buffer].place, Place::Scratch { .. });
    let mut found = false;
    for body in steps.iter_mut().flat_map(Step::bodies_mut) {
        let (before, is_empty) = (body.stores.len(), body.space.count() == 0);
        body.stores.retain(|store| kept(store) && !is_empty);
        found |= body.stores.len() < before;
        body.lines.sweep(body.stores.iter_mut().map(|store| &mut store.value));
    }
    for step in steps.iter_mut() {
        let is_used = |stage: &Stage| !stage.body.stores.is_empty();
        match step {
            Step::Map(stages) => stages.retain(is_used),
            Step::Group(group) => {
                let mut axes =
                    group.rows.iter_mut().flat_map(|rows| rows.axes.drain(..)).collect::<Vec<_>>().into_iter();
                let mut kept = vec![];
                group.stages.retain(|(_, stage)| {
                    let (axis, used) = (axes.next(), is_used(stage));
                    kept.extend(axis.filter(|_| used));
                    used
                });
                group.rows.iter_mut().for_each(|rows| rows.axes = std::mem::take(&mut kept));
            }
            Step::Contraction(_) | Step::PoolGrad(_) => {}
        }
    }
    steps.retain(|step| step.bodies().iter().any(|body| !body.stores.is_empty()) || !step.writes().is_empty());
    found
}

/// Buffers that only this group touches and whose part for one group is small.
fn local(number: usize, steps: &[Step], buffers: &[Buffer], limits: &Limits) -> Vec<BufferId> {
    let Step::Group(group) = &steps[number] else { return vec![] };
    let mut room = limits.local;
    let mut found = vec![];
    for (i, (_, stage)) in group.stages.iter().enumerate() {
        let size = match &group.rows {
            None => stage.body.space.count(),
            Some(Rows { axes, per_group, .. }) => {
                let axis = axes[i];
                // The rows of a group must lie one behind the other.
                match stage.body.space.0[..axis].iter().product() {
                    1 => per_group * stage.body.space.strides()[axis],
                    _ => usize::MAX,
                }
            }
        };
        for store in &stage.body.stores {
            let buffer = store.buffer;
            let elsewhere = steps.iter().enumerate().any(|(i, step)| i != number && step.reads().contains(&buffer));
            if matches!(buffers[buffer].place, Place::Scratch { .. }) && !elsewhere && size <= room {
                room -= size;
                found.push(buffer);
            }
        }
    }
    found
}
