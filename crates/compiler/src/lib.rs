//! From a recorded step to a plan: what is computed together, and where values are kept.
//!
//! [`compile`] turns a [`graph::Graph`] into a [`Plan`]: a short list of steps, each of which one kernel or one loop can
//! run, over buffers that share memory where their lifetimes allow it. A plan is plain data. It does not know what will
//! run it: nothing here is about GPUs, WGSL or threads, and [`Limits`] is all that an executor says of itself.
//!
//! What is fused: whatever is pointwise joins what made its argument (bias and activation behind a product, a mask behind
//! a gradient); reductions take their pointwise arguments in; chains of reductions become one group of rows (softmax,
//! loss, metrics and the gradient of the scores; batch norm with its statistics); bias gradients are made by the product
//! that sums over the same gradient; all parameters are updated in one step, or large ones by what makes their gradients.
//!
//! ```
//! use compiler::{Limits, compile};
//! use graph::Recorder;
//!
//! let r = Recorder::new();
//! let (x, w, b) = (r.state("x", [4, 8]), r.state("w", [3, 8]), r.state("b", [3]));
//! let y = x.matmul_transposed([false, true], &w)?.add(&b)?.relu()?; // [4, 3]
//! let plan = compile(&r.finish(&[("y", &y)], &[])?, &Limits::default());
//! assert_eq!(plan.steps.len(), 1, "product, bias and ReLU are one step");
//! # Ok::<(), graph::GraphError>(())
//! ```

mod body;
mod draft;
mod fuse;
mod group;
mod half;
pub mod interpret;
mod memory;
mod plan;
mod results;

use graph::{Binary, Graph, Op};

pub use body::{Body, Index, Line, LineId, Lines, Store};
pub use fuse::SMALL;
pub use memory::{ALIGNMENT, pattern};
pub use plan::{
    Block, Buffer, BufferId, Contraction, ContractionKind, Fold, FoldKind, Group, Operand, Place, Plan, PoolGrad, Rows,
    Stage, Step,
};

/// What an executor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most buffers that one step may touch, where small ones count together.
    pub bindings: usize,
    /// Most elements that a group without others beside it should visit.
    pub single_group: usize,
    /// Most elements that a group should visit for one row, and a fold for one element of its result.
    pub row: usize,
    /// Elements of memory that is private to a group.
    pub local: usize,
    /// Elements from which on a slot is updated by the contraction that makes its gradient, which then need not be kept.
    /// Smaller ones are updated together in one step, the last one: all of them where each step has its price.
    pub update_alone: usize,
    /// Whether buffers may have 16 bits an element: see [`Buffer::is_half`].
    pub half: bool,
}

impl Limits {
    /// What WebGPU promises everywhere: 8 storage buffers, 16 KiB of workgroup memory (of which folds need a part).
    pub const WEBGPU: Limits = Limits {
        bindings: 8,
        single_group: 16 * 1024,
        row: 128 * 1024,
        local: 2 * 1024,
        update_alone: usize::MAX,
        half: false,
    };
}

impl Default for Limits {
    /// [`Limits::WEBGPU`], which every executor meets.
    fn default() -> Self {
        Limits::WEBGPU
    }
}

/// Compiles a graph.
pub fn compile(graph: &Graph, limits: &Limits) -> Plan {
    let graph = &masks_from_results(graph);
    let mut builder = fuse::Builder::run(graph, limits);
    results::place(graph, &mut builder);
    let (mut buffers, steps) = results::finish(builder, limits);
    if limits.half {
        half::mark(&mut buffers, &steps);
    }
    memory::plan(buffers, steps, graph.flops())
}

/// `a > c` is `max(a, c) > c`: where the maximum is there anyway, as in a ReLU, a need not be kept for its derivative.
fn masks_from_results(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    for id in 0..graph.nodes.len() {
        if graph.nodes[id].op != Op::Binary(Binary::Greater) {
            continue;
        }
        let arguments = graph.nodes[id].arguments.clone();
        let is_max = |node: &graph::Node| node.op == Op::Binary(Binary::Max) && node.arguments == arguments;
        if let Some(max) = graph.nodes[..id].iter().position(is_max) {
            graph.nodes[id].arguments[0] = max;
        }
    }
    graph
}
