//! Products and sums as one instruction.
//!
//! Newer browsers have relaxed vectors, with a multiply-add that makes matrix products nearly twice as fast. A module
//! that has it does not load elsewhere, so there must be two, and a second build would take minutes. Besides, LLVM uses
//! all relaxed instructions where it may use one, and what least and largest values make of NaN is not settled there.

use anyhow::Result;
use walrus::{
    LocalId, ModuleConfig, ModuleLocals, ValType,
    ir::{BinaryOp, Binop, Instr, InstrSeq, LocalGet, LocalSet, TernOp, TernaryOp, VisitorMut, dfs_pre_order_mut},
};

/// Functions with at least so many pairs are those whose loops are unrolled into tiles of products. All others keep
/// their bits.
const TILES: usize = 64;

/// The same module for browsers with relaxed vectors: what tiles multiply and add they round once. Returns it with the
/// number of such pairs.
///
/// # Errors
/// Where the module is damaged.
pub fn fused(wasm: &[u8]) -> Result<(Vec<u8>, usize)> {
    fuse(wasm, TILES)
}

fn fuse(wasm: &[u8], least: usize) -> Result<(Vec<u8>, usize)> {
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    let mut module = config.parse(wasm)?;
    let mut all = 0;
    let locals = &mut module.locals;
    for (_, function) in module.funcs.iter_local_mut() {
        let start = function.entry_block();
        let mut count = Count(0);
        dfs_pre_order_mut(&mut count, function, start);
        if count.0 >= least {
            all += count.0;
            dfs_pre_order_mut(&mut Fuse::new(locals), function, start);
        }
    }
    Ok((module.emit_wasm(), all))
}

/// What follows a product that is added to something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pair {
    /// `mul; add`: the other summand lies below.
    Below,
    /// `mul; local.get; add`: it is a local.
    Local(LocalId),
}

/// Whether these instructions begin with a pair, and how many it takes.
fn pair(instructions: &[(Instr, walrus::ir::InstrLocId)]) -> Option<(Pair, usize)> {
    let is_product = |i| matches!(instructions.get(i), Some((Instr::Binop(Binop { op: BinaryOp::F32x4Mul }), _)));
    let is_sum = |i| matches!(instructions.get(i), Some((Instr::Binop(Binop { op: BinaryOp::F32x4Add }), _)));
    if !is_product(0) {
        return None;
    }
    match instructions.get(1)? {
        _ if is_sum(1) => Some((Pair::Below, 2)),
        (Instr::LocalGet(LocalGet { local }), _) if is_sum(2) => Some((Pair::Local(*local), 3)),
        _ => None,
    }
}

struct Count(usize);

impl VisitorMut for Count {
    fn start_instr_seq_mut(&mut self, sequence: &mut InstrSeq) {
        self.0 += (0..sequence.instrs.len()).filter(|&i| pair(&sequence.instrs[i..]).is_some()).count();
    }
}

/// Replaces the pairs of a function.
struct Fuse {
    /// Where summand and factors wait while they change places; registers in the end.
    room: [LocalId; 3],
}

impl Fuse {
    fn new(locals: &mut ModuleLocals) -> Self {
        Fuse { room: std::array::from_fn(|_| locals.add(ValType::V128)) }
    }
}

impl VisitorMut for Fuse {
    fn start_instr_seq_mut(&mut self, sequence: &mut InstrSeq) {
        let old = std::mem::take(&mut sequence.instrs);
        let [summand, left, right] = self.room;
        let set = |local| Instr::LocalSet(LocalSet { local });
        let get = |local| Instr::LocalGet(LocalGet { local });
        let mut i = 0;
        while let Some((instruction, place)) = old.get(i) {
            let mut push = |instruction| sequence.instrs.push((instruction, *place));
            match pair(&old[i..]) {
                None => push(instruction.clone()),
                Some((Pair::Local(local), _)) => push(get(local)),
                Some((Pair::Below, _)) => {
                    [right, left, summand].into_iter().for_each(|local| push(set(local)));
                    [left, right, summand].into_iter().for_each(|local| push(get(local)));
                }
            }
            let taken = pair(&old[i..]).map_or(1, |(_, taken)| {
                push(Instr::TernOp(TernOp { op: TernaryOp::F32x4RelaxedMadd }));
                taken
            });
            i += taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use walrus::{FunctionBuilder, Module, ir::UnaryOp};
    use wasmi::{Engine, Linker, Store};

    use super::*;

    /// `f(x, y, z)`: the first lane of x · y + z, with z first or last on the stack.
    fn module(first: bool) -> Vec<u8> {
        let mut module = Module::default();
        let [x, y, z] = [(); 3].map(|()| module.locals.add(ValType::V128));
        let parameters: Vec<LocalId> = (0..3).map(|_| module.locals.add(ValType::F32)).collect();
        let mut builder = FunctionBuilder::new(&mut module.types, &[ValType::F32; 3], &[ValType::F32]);
        let mut body = builder.func_body();
        for (parameter, vector) in parameters.iter().zip([x, y, z]) {
            body.local_get(*parameter).unop(UnaryOp::F32x4Splat).local_set(vector);
        }
        if first {
            body.local_get(z);
        }
        body.local_get(x).local_get(y).binop(BinaryOp::F32x4Mul);
        if !first {
            body.local_get(z);
        }
        body.binop(BinaryOp::F32x4Add).unop(UnaryOp::F32x4ExtractLane { idx: 0 });
        let function = builder.finish(parameters, &mut module.funcs);
        module.exports.add("f", function);
        module.emit_wasm()
    }

    fn call(bytes: &[u8], arguments: (f32, f32, f32)) -> f32 {
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, bytes).expect("a valid module");
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it imports nothing");
        let f = instance.get_typed_func::<(f32, f32, f32), f32>(&store, "f").expect("it is exported");
        f.call(&mut store, arguments).expect("it runs")
    }

    #[test]
    fn a_product_and_a_sum_are_one_instruction() {
        for first in [true, false] {
            let bytes = module(first);
            let (fused, pairs) = fuse(&bytes, 1).expect("a valid module");
            assert_eq!((pairs, fuse(&fused, 1).expect("a valid module").1), (1, 0));
            for bytes in [&bytes, &fused] {
                assert_eq!(call(bytes, (2.0, 3.0, 4.0)), 10.0);
                assert_eq!(call(bytes, (-1.0, 5.0, 0.5)), -4.5);
            }
        }
    }

    #[test]
    fn few_pairs_stay() {
        assert_eq!(fused(&module(true)).expect("a valid module").1, 0);
    }
}
