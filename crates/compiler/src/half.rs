//! Which buffers need 16 bits an element: those that nothing is written to that more bits would hold better.

use graph::{DType, Held, PoolKind};

use crate::{
    body::{Line, Lines},
    plan::{Buffer, Fold, FoldKind, Place, Stage, Step},
};

/// Marks scratch buffers whose values 16 bits hold, by what the steps write to them.
pub(crate) fn mark(buffers: &mut [Buffer], steps: &[Step]) {
    // Of what is written to each, the widest; nothing where nobody writes.
    let mut written: Vec<Option<Held>> = vec![None; buffers.len()];
    for step in steps {
        let results: Vec<Held> = match step {
            Step::Map(stages) => stages.iter().map(|stage| result(buffers, &written, stage)).collect(),
            Step::Group(group) => group.stages.iter().map(|(_, stage)| result(buffers, &written, stage)).collect(),
            Step::Contraction(_) => vec![Held::F32],
            // Each element is that of one window, or 0.
            Step::PoolGrad(step) if step.pool.kind == PoolKind::Max && step.pool.is_disjoint() => {
                vec![of_buffer(buffers, &written, step.operands[1].buffer)]
            }
            Step::PoolGrad(_) => vec![Held::F32],
        };
        for (body, result) in step.bodies().into_iter().zip(results) {
            let held = lines(buffers, &written, &body.lines, result);
            for store in &body.stores {
                let held = held[store.value];
                written[store.buffer] = Some(written[store.buffer].map_or(held, |before| before.min(held)));
            }
        }
        if let Step::Contraction(contraction) = step
            && let Some(sums) = contraction.row_sums
        {
            written[sums] = Some(Held::F32);
        }
    }
    for (buffer, written) in buffers.iter_mut().zip(written) {
        let is_scratch = matches!(buffer.place, Place::Scratch { .. });
        buffer.is_half = is_scratch && buffer.dtype == DType::F32 && written.is_some_and(|held| held >= Held::F16);
    }
}

/// What holds the values of a buffer, as far as it has been written.
fn of_buffer(buffers: &[Buffer], written: &[Option<Held>], id: usize) -> Held {
    match (&buffers[id].place, buffers[id].dtype) {
        (Place::Scratch { .. } | Place::Local, DType::F32) => written[id].unwrap_or(Held::F32),
        _ => Held::F32,
    }
}

/// What holds the results of a stage's fold.
fn result(buffers: &[Buffer], written: &[Option<Held>], stage: &Stage) -> Held {
    match &stage.fold {
        Some(Fold { kind: FoldKind::Max, lines: inner, value, .. }) => {
            lines(buffers, written, inner, Held::F32)[*value].min(Held::F16)
        }
        _ => Held::F32,
    }
}

fn lines(buffers: &[Buffer], written: &[Option<Held>], lines: &Lines, result: Held) -> Vec<Held> {
    let mut held: Vec<Held> = vec![];
    for line in &lines.0 {
        held.push(match line {
            Line::Result => result,
            Line::Constant(value) => Held::constant(*value),
            Line::Load { buffer, .. } => of_buffer(buffers, written, *buffer),
            Line::Row { table, .. } => of_buffer(buffers, written, *table),
            Line::Random { .. } | Line::ToFloat(_) => Held::F32,
            Line::IsIndex(..) => Held::Bit,
            Line::Unary(op, a) => Held::unary(*op, held[*a]),
            Line::Binary(op, a, b) => Held::binary(*op, held[*a], held[*b]),
        });
    }
    held
}
