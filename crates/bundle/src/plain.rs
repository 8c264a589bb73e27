//! Without relaxed vector instructions.

use anyhow::{Result, bail};
use walrus::{
    LocalId, ModuleConfig, ValType,
    ir::{BinaryOp, Binop, Instr, InstrSeq, LocalGet, LocalSet, TernOp, TernaryOp, VisitorMut, dfs_pre_order_mut},
};

/// The same module for browsers that have no relaxed vector instructions: a multiply-add becomes a product and a sum,
/// which rounds twice. A second build would take minutes.
///
/// # Errors
/// Where there are others than that.
pub fn plain(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    let mut module = config.parse(wasm)?;
    let mut others = vec![];
    let locals = &mut module.locals;
    for (_, function) in module.funcs.iter_local_mut() {
        let start = function.entry_block();
        let mut unfuse = Unfuse { sum: locals.add(ValType::V128), others: vec![] };
        dfs_pre_order_mut(&mut unfuse, function, start);
        others.append(&mut unfuse.others);
    }
    match others.first() {
        Some(other) => bail!("{} relaxed instructions are not known here, the first is {other}", others.len()),
        None => Ok(module.emit_wasm()),
    }
}

/// Replaces instructions of a function.
struct Unfuse {
    /// Keeps what is added while the product is made.
    sum: LocalId,
    others: Vec<String>,
}

impl VisitorMut for Unfuse {
    fn start_instr_seq_mut(&mut self, sequence: &mut InstrSeq) {
        let mut instructions = Vec::with_capacity(sequence.instrs.len());
        let local = self.sum;
        for (instruction, place) in sequence.instrs.drain(..) {
            match instruction {
                Instr::TernOp(TernOp { op: TernaryOp::F32x4RelaxedMadd }) => instructions.extend([
                    (Instr::LocalSet(LocalSet { local }), place),
                    (Instr::Binop(Binop { op: BinaryOp::F32x4Mul }), place),
                    (Instr::LocalGet(LocalGet { local }), place),
                    (Instr::Binop(Binop { op: BinaryOp::F32x4Add }), place),
                ]),
                other => {
                    let name = match &other {
                        Instr::TernOp(TernOp { op }) => format!("{op:?}"),
                        Instr::Binop(Binop { op }) => format!("{op:?}"),
                        Instr::Unop(walrus::ir::Unop { op }) => format!("{op:?}"),
                        _ => String::new(),
                    };
                    if name.contains("Relaxed") {
                        self.others.push(name);
                    }
                    instructions.push((other, place));
                }
            }
        }
        sequence.instrs = instructions;
    }
}
