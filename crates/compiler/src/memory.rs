//! Where buffers are: which share scratch memory, and which lie side by side.

use std::collections::BTreeMap;

use graph::DType;

use crate::{
    body::{Body, Index, Line},
    fuse::SMALL,
    plan::{Block, Buffer, BufferId, Place, Plan, Stage, Step},
};

/// Buffers in one block begin at multiples of this: 256 bytes, the widest alignment that a binding may need. What lies
/// between the end of one and the next multiple belongs to no other.
pub const ALIGNMENT: usize = 64;

/// From the first to the last step that touches something.
#[derive(Clone, Copy, Debug)]
struct LiveRange {
    first: usize,
    last: usize,
}

pub(crate) fn plan(mut buffers: Vec<Buffer>, steps: Vec<Step>, flops: u64) -> Plan {
    let live_ranges = live_ranges(buffers.len(), &steps);
    let arenas = arenas(&buffers, &steps);
    let mut blocks = Vec::new();
    let mut free: Vec<(Block, LiveRange)> = vec![];
    let is_scratch = |buffer: &Buffer| matches!(buffer.place, Place::Scratch { .. });

    // What is updated together lies together, and small values share a block for each type.
    let mut clusters: Vec<Vec<BufferId>> =
        arenas.iter().filter(|arena| arena.iter().all(|&id| is_scratch(&buffers[id]))).cloned().collect();
    let in_arena = |id: BufferId, clusters: &[Vec<BufferId>]| clusters.iter().any(|cluster| cluster.contains(&id));
    let rest: Vec<BufferId> = (0..buffers.len())
        .filter(|&id| live_ranges[id].is_some() && is_scratch(&buffers[id]) && !in_arena(id, &clusters))
        .collect();
    for (dtype, is_half) in [(DType::F32, false), (DType::F32, true), (DType::U32, false)] {
        let small = |id: &BufferId| {
            let buffer = &buffers[*id];
            buffer.shape.count() <= SMALL && (buffer.dtype, buffer.is_half) == (dtype, is_half)
        };
        clusters.push(rest.iter().copied().filter(small).collect());
    }
    clusters.extend(rest.into_iter().filter(|&id| buffers[id].shape.count() > SMALL).map(|id| vec![id]));

    let range = |cluster: &[BufferId]| {
        let live = cluster.iter().filter_map(|&id| live_ranges[id]);
        live.reduce(|a, b| LiveRange { first: a.first.min(b.first), last: a.last.max(b.last) })
    };
    let mut clusters: Vec<(LiveRange, Vec<BufferId>)> =
        clusters.into_iter().filter_map(|cluster| Some((range(&cluster)?, cluster))).collect();
    clusters.sort_by_key(|(range, _)| range.first);
    for (range, cluster) in clusters {
        let mut elements = 0;
        let mut offsets = vec![];
        for &id in &cluster {
            offsets.push(elements);
            elements += buffers[id].shape.count().next_multiple_of(ALIGNMENT);
        }
        let Buffer { dtype, is_half, .. } = buffers[cluster[0]];
        let block = Block { elements: elements.max(ALIGNMENT), dtype, is_half };
        let number = take(&mut free, block, range);
        for (id, offset) in cluster.into_iter().zip(offsets) {
            buffers[id].place = Place::Scratch { block: number, offset };
        }
    }
    blocks.extend(free.into_iter().map(|(block, _)| block));
    let arenas = arenas.into_iter().filter(|arena| !arena.iter().any(|&id| is_scratch(&buffers[id]))).collect();
    Plan { buffers, steps, blocks, arenas, flops }
}

/// The free block that fits best, or a new one. Blocks that are a little too small grow.
fn take(blocks: &mut Vec<(Block, LiveRange)>, need: Block, range: LiveRange) -> usize {
    let fits = |(block, busy): &(Block, LiveRange)| {
        (block.dtype, block.is_half) == (need.dtype, need.is_half) && busy.last < range.first
    };
    let waste = |(block, _): &(Block, LiveRange)| block.elements.abs_diff(need.elements);
    let best = (0..blocks.len()).filter(|&i| fits(&blocks[i])).min_by_key(|&i| waste(&blocks[i]));
    match best {
        Some(i) => {
            let (block, busy) = &mut blocks[i];
            block.elements = block.elements.max(need.elements);
            busy.last = range.last;
            i
        }
        None => {
            blocks.push((need, range));
            blocks.len() - 1
        }
    }
}

fn live_ranges(count: usize, steps: &[Step]) -> Vec<Option<LiveRange>> {
    let mut live_ranges: Vec<Option<LiveRange>> = vec![None; count];
    for (number, step) in steps.iter().enumerate() {
        for id in step.reads().into_iter().chain(step.writes()) {
            live_ranges[id].get_or_insert(LiveRange { first: number, last: number }).last = number;
        }
    }
    live_ranges
}

/// Lists of buffers over which stages of one map do the same: where each list lies in one piece, so do the stages.
fn arenas(buffers: &[Buffer], steps: &[Step]) -> Vec<Vec<BufferId>> {
    let mut arenas: Vec<Vec<BufferId>> = vec![];
    for step in steps {
        let Step::Map(stages) = step else { continue };
        let mut alike: BTreeMap<String, Vec<Vec<BufferId>>> = BTreeMap::new();
        for stage in stages {
            if let Some((text, touched)) = pattern_of(buffers, stage) {
                alike.entry(text).or_default().push(touched);
            }
        }
        for touched in alike.into_values().filter(|touched| touched.len() > 1) {
            for position in 0..touched[0].len() {
                arenas.push(touched.iter().map(|buffers| buffers[position]).collect());
            }
        }
    }
    // A buffer can lie in one place only.
    let mut seen = std::collections::BTreeSet::new();
    arenas.retain(|arena| {
        let slots: Vec<_> = arena.iter().map(|&id| key(buffers, id)).collect();
        let is_new = slots.iter().all(|slot| !seen.contains(slot));
        seen.extend(slots);
        is_new
    });
    arenas
}

/// Old and new value of a slot are one place.
fn key(buffers: &[Buffer], id: BufferId) -> String {
    match &buffers[id].place {
        Place::State(slot) => slot.clone(),
        _ => format!("%{id}"),
    }
}

/// What a stage does to whole buffers, element by element, without their names; and the buffers, in the order in which
/// they come. `None` if it does something else. Stages with one pattern whose buffers lie one behind the other can be
/// carried out as one: see [`Plan::arenas`]. A buffer of one element is a number that all elements share, and part of the
/// pattern by its name, also where the stage has but one element.
pub fn pattern(plan: &Plan, stage: &Stage) -> Option<(String, Vec<BufferId>)> {
    pattern_of(&plan.buffers, stage)
}

fn pattern_of(buffers: &[Buffer], stage: &Stage) -> Option<(String, Vec<BufferId>)> {
    let Stage { fold: None, body: Body { space, lines, stores } } = stage else { return None };
    let mut touched: Vec<BufferId> = vec![];
    let mut number = |id: BufferId| {
        let known = touched.iter().position(|&other| key(buffers, other) == key(buffers, id));
        known.unwrap_or_else(|| {
            touched.push(id);
            touched.len() - 1
        })
    };
    let mut text = String::new();
    for line in &lines.0 {
        match line {
            Line::Load { buffer, .. } if buffers[*buffer].shape.count() == 1 => {
                text += &format!("scalar {buffer}; ");
            }
            Line::Load { buffer, index } if *index == Index::contiguous(space) => {
                text += &format!("load {} {}; ", number(*buffer), kind(&buffers[*buffer]));
            }
            Line::Constant(_) | Line::Unary(..) | Line::Binary(..) => text += &format!("{line:?}; "),
            _ => return None,
        }
    }
    for store in stores {
        text += &format!("store {} {} {}; ", number(store.buffer), kind(&buffers[store.buffer]), store.value);
    }
    Some((text, touched))
}

fn kind(buffer: &Buffer) -> String {
    if buffer.is_half { "f16".into() } else { buffer.dtype.to_string() }
}
