//! A plan lowered: jobs one behind the other, over memory that is there from the beginning.

use std::collections::BTreeMap;

use compiler::{Body, Buffer, BufferId, ContractionKind, Limits, Place, Step};
use graph::{DType, Graph, HostTensor, Shape, Values};

use crate::{
    code::{Code, Loops},
    conv,
    job::{Beside, Job},
    memory::{Memory, Span},
    pool_grad::Unpool,
    product::{ColumnSums, Product},
    stage::{Rows, Stages},
};

/// There are no bindings to be short of. A group that does everything is one where threads do not share the work; from
/// some 50 µs on they should. Values private to a group gain nothing over scratch memory in a cache.
const LIMITS: Limits =
    Limits { bindings: usize::MAX, row: usize::MAX, local: 0, update_alone: 64 * 1024, ..Limits::WEBGPU };

/// Bytes that [`crate::Cpu`] takes for the values within a step of this graph, at least.
pub fn scratch_bytes(graph: &Graph) -> u64 {
    compiler::compile(graph, &LIMITS).scratch_bytes()
}

/// A graph that is ready to run.
pub(crate) struct Program {
    pub(crate) graph: Graph,
    buffers: Vec<(Place, Shape, DType)>,
    /// Scratch memory.
    blocks: Vec<Vec<f32>>,
    memory: Memory,
    jobs: Vec<Box<dyn Job>>,
}

impl Program {
    /// # Errors
    /// Bytes for which there is no memory.
    pub(crate) fn new(graph: &Graph) -> Result<Self, usize> {
        Self::within(graph, &LIMITS)
    }

    fn within(graph: &Graph, limits: &Limits) -> Result<Self, usize> {
        let plan = compiler::compile(graph, limits);
        let mut buffers: Vec<(Place, Shape, DType)> =
            plan.buffers.iter().map(|buffer| (buffer.place.clone(), buffer.shape.clone(), buffer.dtype)).collect();
        let mut sizes: Vec<usize> = plan.blocks.iter().map(|block| block.elements).collect();
        let dtypes: Vec<DType> = buffers.iter().map(|(_, _, dtype)| *dtype).collect();
        let mut reserve = |elements: usize| -> BufferId {
            buffers.push((Place::Scratch { block: sizes.len(), offset: 0 }, [elements].into(), DType::F32));
            sizes.push(elements);
            buffers.len() - 1
        };
        let jobs = plan.steps.iter().flat_map(|step| jobs(step, &plan.buffers, &dtypes, &mut reserve)).collect();
        let blocks = sizes.iter().map(|&size| block(size).ok_or(size * 4)).collect::<Result<Vec<_>, usize>>()?;
        let mut program = Program { graph: graph.clone(), memory: Memory::new(buffers.len()), buffers, blocks, jobs };
        let blocks: Vec<Span> = program.blocks.iter_mut().map(|block| Span::block(block)).collect();
        for (id, (place, shape, _)) in program.buffers.iter().enumerate() {
            if let Place::Scratch { block, offset } = place
                && let Some(block) = blocks.get(*block)
            {
                program.memory.set(id, block.part(*offset..*offset + shape.count()));
            }
        }
        Ok(program)
    }

    /// Points to what lies outside: inputs and slots, which were checked and lie still until the steps are made.
    pub(crate) fn bind(&mut self, resident: &Values, state: &mut Values) {
        // A slot's old value and its new one are one place.
        let mut slots: BTreeMap<&str, Span> = BTreeMap::new();
        for (id, (place, ..)) in self.buffers.iter().enumerate() {
            match place {
                Place::Resident(name) => self.memory.set(id, Span::input(&resident[name])),
                Place::State(slot) => {
                    let of_slot = || Span::of(state.get_mut(slot).expect("it was checked"));
                    self.memory.set(id, *slots.entry(slot).or_insert_with(of_slot));
                }
                _ => {}
            }
        }
    }

    /// One step, after [`Program::bind`].
    pub(crate) fn step(&mut self, feed: &Values, mut run: impl FnMut(&dyn Job, &Memory)) -> Values {
        let mut outputs = Values::new();
        for (id, (place, shape, dtype)) in self.buffers.iter().enumerate() {
            match place {
                Place::Feed(name) => self.memory.set(id, Span::input(&feed[name])),
                Place::Output(name) => {
                    let zeros = match dtype {
                        DType::F32 => HostTensor::zeros(shape.clone()),
                        _ => HostTensor::u32(shape.clone(), vec![0; shape.count()]),
                    };
                    let output = outputs.entry(name.clone()).or_insert(zeros);
                    self.memory.set(id, Span::of(output));
                }
                _ => {}
            }
        }
        self.jobs.iter().for_each(|job| run(&**job, &self.memory));
        outputs
    }
}

/// Zeroed memory, if there is enough.
fn block(elements: usize) -> Option<Vec<f32>> {
    let mut block = vec![];
    block.try_reserve_exact(elements).ok()?;
    block.resize(elements, 0.0);
    Some(block)
}

fn jobs(
    step: &Step,
    buffers: &[Buffer],
    dtypes: &[DType],
    reserve: &mut dyn FnMut(usize) -> BufferId,
) -> Vec<Box<dyn Job>> {
    match step {
        Step::Map(stages) => vec![Box::new(Stages::new(stages.iter(), dtypes))],
        Step::Group(group) => match &group.rows {
            Some(rows) => vec![Box::new(Rows::new(group, rows, dtypes))],
            None => Stages::levels(group, dtypes).into_iter().map(|level| Box::new(level) as Box<dyn Job>).collect(),
        },
        Step::Contraction(step) => {
            let body = code(&step.body, dtypes);
            let result = result(&step.body, buffers, reserve);
            match (&step.kind, result) {
                (ContractionKind::MatMul { transpose }, result) => {
                    let mut jobs =
                        result.map_or(vec![], |result| Product::jobs(step, *transpose, body, result, reserve));
                    if let Some(to) = step.row_sums {
                        let [k, m] = step.operands[0].shape.0[..] else { unreachable!("a matrix has two axes") };
                        let sums: Box<dyn Job> = Box::new(ColumnSums::new(step.operands[0].buffer, [k, m], to));
                        match jobs.pop() {
                            Some(last) => jobs.push(Box::new(Beside { jobs: [last, sums], mixed: true })),
                            None => jobs.push(sums),
                        }
                    }
                    jobs
                }
                (_, result) => {
                    // Row sums may be all that is wanted.
                    let result = result.unwrap_or_else(|| reserve(step.body.space.count()));
                    conv::jobs(step, body, result, reserve)
                }
            }
        }
        Step::PoolGrad(step) => {
            let body = code(&step.body, dtypes);
            let result = result(&step.body, buffers, reserve);
            result.map(|result| Box::new(Unpool::new(step, result, body)) as Box<dyn Job>).into_iter().collect()
        }
    }
}

/// Where a step puts what it has computed before its body runs, if the body stores anything: where the body's first value
/// goes, unless that is a slot whose old value the body reads.
fn result(body: &Body, buffers: &[Buffer], reserve: &mut dyn FnMut(usize) -> BufferId) -> Option<BufferId> {
    let first = body.stores.first()?.buffer;
    let is_read = body.lines.buffers().into_iter().any(|buffer| buffers[buffer].place == buffers[first].place);
    Some(if is_read { reserve(body.space.count()) } else { first })
}

fn code(body: &Body, dtypes: &[DType]) -> Code {
    Code::body(body, &Loops::flat(&body.space), dtypes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Worker;

    /// Outputs and state of one step, in one thread.
    fn step(case: &graph::Case, limits: &Limits) -> (Values, Values) {
        let mut program = Program::within(&case.graph, limits).expect("there is memory");
        let mut state = case.state.clone();
        program.bind(&case.inputs, &mut state);
        let outputs = program.step(&case.inputs, |job, memory| {
            (0..job.tasks()).for_each(|task| job.run(task, memory, &mut Worker::default()));
        });
        (outputs, state)
    }

    type Build<'a> = dyn Fn(&graph::Tensor) -> Result<graph::Tensor, graph::GraphError> + 'a;

    /// Tasks of a job at the same time, in a thread each, give what they give in turn. Miri sees it where one touches, or
    /// only borrows, what another one writes.
    fn assert_tasks_are_apart(name: &str, shape: &[usize], build: &Build<'_>) {
        let record = || {
            let r = graph::Recorder::new();
            let x = r.state("x", shape);
            let y = build(&x)?;
            let dx = graph::gradients(&y.square()?.sum_all()?, &[&x])?.remove(0);
            r.finish(&[("y", &y), ("dx", &dx)], &[("x".into(), x.sub(&dx.scale(0.1)?)?)])
        };
        let graph = record().expect("shapes fit");
        let limits = Limits { single_group: 0, ..LIMITS };
        let results = [false, true].map(|together| {
            let mut program = Program::within(&graph, &limits).expect("there is memory");
            let values = |node: &graph::Node| {
                let number = |i: usize| (i * 7919 % 101) as f32 / 50.5 - 1.0;
                HostTensor::f32(node.shape.clone(), (0..node.shape.count()).map(number).collect())
            };
            let mut state: Values = graph.slots().map(|(slot, node)| (slot.to_owned(), values(node))).collect();
            program.bind(&Values::new(), &mut state);
            let outputs = program.step(&Values::new(), |job, memory| {
                let run = |task| job.run(task, memory, &mut Worker::default());
                match together {
                    false => (0..job.tasks()).for_each(run),
                    true => std::thread::scope(|scope| {
                        (0..job.tasks()).for_each(|task| drop(scope.spawn(move || run(task))));
                    }),
                }
            });
            (outputs, state)
        });
        assert_eq!(results[0], results[1], "{name}");
    }

    #[test]
    fn tasks_of_maps_and_rows_are_apart() {
        assert_tasks_are_apart("map", &[1100], &|x| x.tanh());
        // Groups of rows, whose second stage reads, spread out, what the first one has written.
        assert_tasks_are_apart("rows", &[24, 4], &|x| x.log_softmax());
    }

    #[test]
    fn tasks_of_columns_windows_and_products_are_apart() {
        let pool = |kind| move |x: &graph::Tensor| x.pool2d(graph::Pool { kind, size: 2, stride: 2 })?.square();
        let conv = graph::Conv { stride: 1, padding: 1 };
        assert_tasks_are_apart("columns", &[4, 24], &|x| x.sub(&x.mean(&[0])?.reshape([1, 24])?)?.relu());
        assert_tasks_are_apart("channels", &[2, 4, 3, 3], &|x| {
            x.sub(&x.mean(&[0, 2, 3])?.reshape([1, 4, 1, 1])?)?.tanh()
        });
        assert_tasks_are_apart("largest", &[2, 3, 6, 6], &pool(graph::PoolKind::Max));
        assert_tasks_are_apart("average", &[2, 3, 6, 6], &pool(graph::PoolKind::Average));
        assert_tasks_are_apart("product", &[9, 9], &|x| x.matmul_transposed([true, false], x)?.relu());
        assert_tasks_are_apart("convolution", &[3, 3, 3, 3], &|x| x.conv2d(x, conv)?.relu());
    }

    /// How many of a step's jobs wake other threads.
    fn shared(graph: &Graph) -> usize {
        let program = Program::new(graph).expect("there is memory");
        program.jobs.iter().filter(|job| job.is_shared() && job.tasks() > 1).count()
    }

    #[test]
    fn threads_are_woken_where_it_pays() -> Result<(), graph::GraphError> {
        let dense = |side: usize| {
            let r = graph::Recorder::new();
            let (x, w, b) = (r.state("x", [1, side]), r.state("w", [side, side]), r.state("b", [side]));
            let y = x.matmul_transposed([false, true], &w)?.add(&b)?.relu()?; // [1, side]
            r.finish(&[("y", &y)], &[])
        };
        assert_eq!(shared(&dense(128)?), 0, "a few microseconds");
        assert_ne!(shared(&dense(2048)?), 0, "some hundred");
        let convolution = |side: usize| {
            let r = graph::Recorder::new();
            let (x, w) = (r.state("x", [1, 8, side, side]), r.state("w", [16, 8, 3, 3]));
            let y = x.conv2d(&w, graph::Conv { stride: 1, padding: 1 })?; // [1, 16, side, side]
            let gradients = graph::gradients(&y.square()?.sum_all()?, &[&x, &w])?;
            r.finish(&[("y", &y), ("dx", &gradients[0]), ("dw", &gradients[1])], &[])
        };
        assert_eq!(shared(&convolution(7)?), 0, "a few microseconds");
        assert!(shared(&convolution(56)?) >= 3, "one image has work for all, in each direction");
        Ok(())
    }

    #[test]
    fn slots_updated_alone_get_the_same_bits() {
        let mut alone = 0;
        for case in graph::cases() {
            let [together, apart] = [usize::MAX, 0].map(|update_alone| Limits { update_alone, ..LIMITS });
            alone += usize::from(compiler::compile(&case.graph, &together) != compiler::compile(&case.graph, &apart));
            let (want, got) = (step(&case, &together), step(&case, &apart));
            assert!(format!("{want:?}") == format!("{got:?}"), "{}: {got:?} instead of {want:?}", case.name);
        }
        assert!(alone > 20, "{alone} plans differ");
    }
}
