//! From a plan to dispatches: which kernel runs for each step, with what text, over how many workgroups.

use std::fmt::Write;

use compiler::{
    Body, BufferId, Contraction, Fold, FoldKind, Group, Index, Line, Lines, Place, Plan, PoolGrad, Stage, Step, Store,
};
use engine::Choices;
use graph::{DType, PoolKind, Shape};
use shaders::{
    MAX_WORKGROUPS,
    product::{LARGE, RUN},
};

use crate::{
    product::{self, Sizes},
    table::{Choice, Sums, Target, Tier},
    wgsl::{Binding, LocalRows, Location, Writer, is_local, literal},
};

/// Inner elements up to which a fold is written out.
const UNROLLED: usize = 9;
/// Outer elements from which on each gets a lane instead of all lanes together.
const LANE_EACH: usize = 32;

/// One kernel at work, once a step.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Name of the kernel: its file in `shaders/`, or `map` or `group` for what is generated whole.
    pub kernel: &'static str,
    /// Sizes, in a few words.
    pub what: String,
    /// Its WGSL.
    pub text: String,
    /// Workgroups that it is dispatched over.
    pub workgroups: usize,
    /// Floating-point operations, for products alone.
    pub flops: u64,
    /// Bytes of the buffers that it reads or writes.
    pub bytes: u64,
    /// Turns that the loops of an invocation take together, at most.
    pub turns: usize,
    /// For a product: what it is called, and what was chosen for it.
    pub choice: Option<(String, Choice)>,
    pub(crate) bindings: Vec<Binding>,
    /// How it adds up sums that all lanes of a group make, if it does.
    pub(crate) sums: Option<Sums>,
}

impl Dispatch {
    /// Whether another one, later in the step, reads what this one writes.
    pub(crate) fn is_read_by(&self, later: &Dispatch) -> bool {
        let written = self.bindings.iter().filter(|binding| binding.is_written);
        written.into_iter().any(|own| later.bindings.iter().any(|binding| binding.memory == own.memory))
    }

    /// As a grid.
    pub(crate) fn grid(&self) -> [u32; 2] {
        let rows = self.workgroups.div_ceil(MAX_WORKGROUPS);
        [self.workgroups.min(MAX_WORKGROUPS), rows].map(|size| u32::try_from(size).expect("at most MAX_WORKGROUPS"))
    }
}

/// Splits the long sums of products into parts, which a fold behind them adds up, and says how each product is made.
/// Folds that wait for nothing else are one step together.
pub(crate) fn split(plan: &Plan, target: Target, preferred: &Choices) -> (Plan, Vec<Option<Choice>>) {
    let tier = target.tier;
    let mut split = Plan { steps: vec![], ..plan.clone() };
    let mut choices = vec![];
    let mut pending: Vec<Stage> = vec![];
    for step in &plan.steps {
        let written: Vec<BufferId> =
            pending.iter().flat_map(|s| s.body.stores.iter().map(|store| store.buffer)).collect();
        let places = |ids: &[BufferId]| ids.iter().map(|&id| &plan.buffers[id].place).cloned().collect::<Vec<_>>();
        let (reads, writes) = (places(&step.reads()), places(&step.writes()));
        let kept: Vec<Place> = pending.iter().flat_map(|stage| places(&plan_reads(plan, stage))).collect();
        // What is written late lives until then; what is read late may not.
        let meets = places(&written).iter().any(|place| reads.contains(place) || writes.contains(place))
            || kept.iter().any(|place| overlaps(&writes, place));
        if meets && !pending.is_empty() {
            split.steps.push(Step::Map(std::mem::take(&mut pending)));
            choices.push(None);
        }
        let Step::Contraction(contraction) = step else {
            split.steps.push(step.clone());
            choices.push(None);
            continue;
        };
        // Matrices of a subgroup hold numbers of 16 bits alone.
        let is_half = contraction.operands.iter().all(|operand| plan.buffers[operand.buffer].is_half);
        let cooperative = target.cooperative.map(|cooperative| cooperative.variant).filter(|_| is_half);
        let can = |choice: &Choice| choice.variant.side.is_none() || Some(choice.variant) == cooperative;
        let asked = preferred.get(&product::name(contraction)).and_then(|text| Choice::parse(text)).filter(can);
        let sizes = Sizes::of(contraction);
        let mut choice = asked.unwrap_or_else(|| tier.choose(sizes));
        // Half of the turns, since there are others beside them.
        choice.split = choice.split.max(sizes.k.div_ceil(4).div_ceil(tier.turns() / 2)).max(1);
        choices.push(Some(choice));
        if choice.split == 1 {
            split.steps.push(step.clone());
            continue;
        }
        let mut part = contraction.clone();
        let (stage, buffer) = sum_of_parts(&mut split, contraction.body.clone(), choice.split);
        part.body = Body {
            space: contraction.body.space.clone(),
            lines: Lines(vec![Line::Result]),
            stores: vec![Store { buffer, value: 0 }],
        };
        pending.push(stage);
        if let Some(sums) = contraction.row_sums {
            let body = Body {
                space: plan.buffers[sums].shape.clone(),
                lines: Lines(vec![Line::Result]),
                stores: vec![Store { buffer: sums, value: 0 }],
            };
            let (stage, buffer) = sum_of_parts(&mut split, body, choice.split);
            part.row_sums = Some(buffer);
            pending.push(stage);
        }
        split.steps.push(Step::Contraction(part));
    }
    if !pending.is_empty() {
        split.steps.push(Step::Map(pending));
        choices.push(None);
    }
    (split, choices)
}

/// What a stage reads that the plan knows, without the parts of sums.
fn plan_reads(plan: &Plan, stage: &Stage) -> Vec<BufferId> {
    stage.reads().into_iter().filter(|&id| id < plan.buffers.len()).collect()
}

/// Whether one of these places may lie in the memory of `place`: blocks of scratch memory are used again.
fn overlaps(places: &[Place], place: &Place) -> bool {
    places.iter().any(|other| match (other, place) {
        (Place::Scratch { block: a, .. }, Place::Scratch { block: b, .. }) => a == b,
        (a, b) => a == b,
    })
}

/// A stage that adds up parts and goes on with `body`, and the buffer of the parts, `[split, …]`.
fn sum_of_parts(plan: &mut Plan, body: Body, split: usize) -> (Stage, BufferId) {
    let count = body.space.count();
    let shape = Shape([&[split], &body.space.0[..]].concat());
    let place = Place::Scratch { block: plan.blocks.len(), offset: 0 };
    plan.blocks.push(compiler::Block { elements: shape.count(), dtype: DType::F32, is_half: false });
    plan.buffers.push(compiler::Buffer { place, shape, dtype: DType::F32, is_half: false });
    let buffer = plan.buffers.len() - 1;
    let mut index = Index::contiguous(&body.space);
    index.strides.push(count);
    let lines = Lines(vec![Line::Load { buffer, index }]);
    (Stage { fold: Some(Fold { kind: FoldKind::Sum, inner: [split].into(), lines, value: 0 }), body }, buffer)
}

/// The dispatches of a plan that [`split`] has prepared. Steps without elements have none.
pub(crate) fn lower(
    plan: &Plan,
    choices: &[Option<Choice>],
    locations: &[Option<Location>],
    target: Target,
) -> Vec<Dispatch> {
    let Target { tier, sums, .. } = target;
    let mut dispatches = vec![];
    for (step, choice) in plan.steps.iter().zip(choices) {
        if step.bodies().iter().all(|body| body.space.count() == 0) {
            continue;
        }
        let mut writer = Writer::new(plan, locations, &step.writes());
        let mut touched = [step.reads(), step.writes()].concat();
        touched.sort_unstable();
        touched.dedup();
        let bytes = touched.iter().filter(|id| !is_local(plan, **id)).map(|&id| plan.buffers[id].bytes()).sum();
        let (mut flops, mut chosen) = (0, None);
        let (kernel, what, constants, rest, workgroups) = match step {
            Step::Map(stages) => map(&mut writer, plan, stages, locations, tier),
            Step::Group(group) => groups(&mut writer, plan, group, tier, sums),
            Step::Contraction(step) => {
                let choice = choice.expect("products have a choice");
                flops = Sizes::of(step).flops();
                chosen = Some((product::name(step), choice));
                contraction(&mut writer, step, choice, target)
            }
            Step::PoolGrad(step) => pool_grad(&mut writer, step, tier),
        };
        let (text, bindings) = writer.finish(&constants, &rest);
        let turns = turns(step, *choice, tier);
        let sums = matches!(step, Step::Group(group) if adds_up(group)).then_some(sums);
        dispatches.push(Dispatch {
            kernel,
            what,
            text,
            bindings,
            workgroups,
            flops,
            bytes,
            turns,
            choice: chosen,
            sums,
        });
    }
    dispatches
}

/// Turns that the loops of an invocation take together, at most.
fn turns(step: &Step, choice: Option<Choice>, tier: Tier) -> usize {
    let inner = |stage: &Stage| stage.fold.as_ref().map_or(0, |fold| fold.inner.count());
    match step {
        Step::Map(stages) => stages.iter().map(inner).max().unwrap_or(0),
        Step::Group(group) => {
            let lanes = tier.group_lanes();
            let turns = |number: usize| match shared_fold(group, number) {
                Some(fold) => {
                    elements(group, number) * (1 + fold.inner.count().div_ceil(lanes) + lanes.ilog2() as usize)
                }
                None => elements(group, number).div_ceil(lanes) * (1 + inner(&group.stages[number].1)),
            };
            (0..group.stages.len()).map(turns).sum()
        }
        Step::Contraction(step) => {
            let terms = Sizes::of(step).k.div_ceil(choice.map_or(1, |choice| choice.split));
            // A turn for four terms or for each, one for each run, and those that hand the rows over.
            let per_turn = if choice.is_some_and(|choice| choice.variant.shared) { 1 } else { 4 };
            terms.div_ceil(per_turn) + terms.div_ceil(RUN) + LARGE.tile[0]
        }
        Step::PoolGrad(PoolGrad { pool, operands, .. }) => {
            let windows = |axis: usize| pool.size.div_ceil(pool.stride).min(operands[1].shape.0[axis]);
            windows(2) * windows(3) * (1 + pool.size.pow(2)) + pool.stride.pow(2)
        }
    }
}

/// The most elements of a stage that one group has.
fn elements(group: &Group, number: usize) -> usize {
    let space = &group.stages[number].1.body.space;
    match &group.rows {
        None => space.count(),
        Some(rows) => rows.per_group * (space.count() / space.0[rows.axes[number]].max(1)),
    }
}

/// The fold of a stage where all lanes of a group make each element together: where there is not one for each lane.
fn shared_fold(group: &Group, number: usize) -> Option<&Fold> {
    let fold = group.stages[number].1.fold.as_ref()?;
    let is_shared = fold.kind != FoldKind::ArgMax && fold.inner.count() > LANE_EACH;
    (is_shared && elements(group, number) < LANE_EACH).then_some(fold)
}

/// Whether all lanes of a group make a sum together.
fn adds_up(group: &Group) -> bool {
    (0..group.stages.len()).any(|number| shared_fold(group, number).is_some_and(|fold| fold.kind == FoldKind::Sum))
}

type Parts = (&'static str, String, String, String, usize);

/// All elements of all stages, a lane each.
fn map(writer: &mut Writer, plan: &Plan, stages: &[Stage], locations: &[Option<Location>], tier: Tier) -> Parts {
    let lanes = tier.map_lanes();
    let stages = merged(plan, stages, locations);
    let mut main = format!(
        "\n@compute @workgroup_size({lanes})\nfn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{\n    \
         let id = group.y * {MAX_WORKGROUPS}u + group.x;\n"
    );
    let mut first = 0;
    let is_vector = stages.iter().all(|stage| writer.is_body_vectorizable(stage));
    for (number, stage) in stages.iter().enumerate() {
        let count = if is_vector { stage.body.space.count().div_ceil(4) } else { stage.body.space.count() };
        let groups = count.div_ceil(lanes);
        let element = if is_vector {
            writer.vector_body(&format!("finish_{number}"), &stage.body);
            format!("            finish_{number}(i);\n")
        } else {
            functions(writer, number, stage);
            element(number, stage, tier, "            ", "")
        };
        let _ = write!(
            main,
            "    if (id >= {first}u && id < {}u) {{\n        let i = (id - {first}u) * {lanes}u + lane;\n        if (i < {count}u) {{\n{}        }}\n    }}\n",
            first + groups,
            element
        );
        first += groups;
    }
    let what = format!("{} stages", stages.len());
    ("map", what, String::new(), helpers(&main).to_owned() + &main + "}\n", first)
}

/// Stages that do the same to neighbours in memory become one.
fn merged(plan: &Plan, stages: &[Stage], locations: &[Option<Location>]) -> Vec<Stage> {
    let mut merged: Vec<Stage> = vec![];
    for stage in stages.iter().filter(|stage| stage.body.space.count() > 0) {
        let joined = merged.last_mut().is_some_and(|last| extend(plan, locations, last, stage));
        if !joined {
            merged.push(stage.clone());
        }
    }
    merged
}

/// Lets `last` go on over the elements of `next`, if these come next wherever it reads and writes. It also visits the
/// padding in between.
fn extend(plan: &Plan, locations: &[Option<Location>], last: &mut Stage, next: &Stage) -> bool {
    let (Some((pattern, ours)), Some((other, theirs))) = (compiler::pattern(plan, last), compiler::pattern(plan, next))
    else {
        return false;
    };
    if pattern != other {
        return false;
    }
    let count = last.body.space.count();
    // How far the next elements are behind ours, if nothing else lies in between.
    let distance = |(&ours, &theirs): (&BufferId, &BufferId)| {
        let (a, b) = (locations[ours].as_ref()?, locations[theirs].as_ref()?);
        let distance = a.memory.pitch(count);
        (a.memory == b.memory && b.offset == a.offset + distance).then_some(distance)
    };
    // It must be the same everywhere.
    let mut distances = ours.iter().zip(&theirs).map(distance);
    let Some(Some(first)) = distances.next() else { return false };
    if !distances.all(|distance| distance == Some(first)) {
        return false;
    }
    let space = Shape::from([first + next.body.space.count()]);
    for line in &mut last.body.lines.0 {
        if let Line::Load { buffer, index } = line {
            // As in the pattern, a buffer of one element is the same number for all.
            *index = match plan.buffers[*buffer].shape.count() {
                1 => Index { strides: vec![0], offset: 0 },
                _ => Index::contiguous(&space),
            };
        }
    }
    last.body.space = space;
    true
}

/// The functions of a stage: `element_N`, if it folds, and `finish_N`.
fn functions(writer: &mut Writer, number: usize, stage: &Stage) {
    let mut result = DType::F32;
    if let Some(fold) = &stage.fold {
        if fold.inner.count() > 0 {
            writer.fold_element(&format!("element_{number}"), stage, fold);
        }
        if fold.kind == FoldKind::ArgMax {
            result = DType::U32;
        }
    }
    writer.body(&format!("finish_{number}"), &stage.body, result);
}

/// Statements that compute element i of a stage in one lane.
fn element(number: usize, stage: &Stage, tier: Tier, indent: &str, first: &str) -> String {
    let Some(Fold { kind, inner, .. }) = &stage.fold else {
        return format!("{indent}finish_{number}(i, 0.0{first});\n");
    };
    let count = inner.count();
    let end = match tier {
        Tier::Software => format!("unknown({count}u, i)"),
        Tier::Default | Tier::Integrated | Tier::Discrete => format!("{count}u"),
    };
    let value = |r: &str| format!("element_{number}(i, {r}{first})");
    let mut text = String::new();
    match kind {
        FoldKind::ArgMax => {
            let _ = write!(
                text,
                "{indent}var best = {};\n{indent}var at = 0u;\n{indent}for (var r = 1u; r < {end}; r++) {{\n{indent}    \
                 let other = {};\n{indent}    if (other > best) {{\n{indent}        best = other;\n{indent}        at = r;\n{indent}    }}\n{indent}}}\n\
                 {indent}finish_{number}(i, at{first});\n",
                value("0u"),
                value("r")
            );
        }
        _ if count <= UNROLLED => {
            let _ = writeln!(text, "{indent}var sum = {};", if count == 0 { start(*kind) } else { value("0u") });
            for r in 1..count {
                let _ = writeln!(text, "{indent}sum = {};", combine(*kind, "sum", &value(&format!("{r}u"))));
            }
            let _ = writeln!(text, "{indent}finish_{number}(i, sum{first});");
        }
        _ => {
            text += &fold(*kind, ["0u", &end], 1, count, &value("r"), indent);
            let _ = writeln!(text, "{indent}finish_{number}(i, sum{first});");
        }
    }
    text
}

/// Statements that fold the `value`s of each `stride`-th r from the first to the end, of `count` that are folded in all, into
/// `sum`: long sums in runs.
fn fold(kind: FoldKind, [from, end]: [&str; 2], stride: usize, count: usize, value: &str, indent: &str) -> String {
    let turns = |into: &str, [from, end]: [&str; 2], indent: &str| {
        let start = start(kind);
        let combined = combine(kind, into, value);
        format!(
            "{indent}var {into} = {start};\n{indent}for (var r = {from}; r < {end}; r += {stride}u) {{\n\
             {indent}    {into} = {combined};\n{indent}}}\n"
        )
    };
    if kind != FoldKind::Sum || count.div_ceil(stride) <= RUN {
        return turns("sum", [from, end], indent);
    }
    let run = RUN * stride;
    let terms = turns("run", ["start", &format!("min(start + {run}u, {end})")], &format!("{indent}    "));
    format!(
        "{indent}var sum = 0.0;\n{indent}for (var start = {from}; start < {end}; start += {run}u) {{\n{terms}\
         {indent}    sum += run;\n{indent}}}\n"
    )
}

/// What a fold of nothing is.
fn start(kind: FoldKind) -> String {
    match kind {
        FoldKind::Sum => "0.0".into(),
        FoldKind::Max | FoldKind::ArgMax => literal(f32::NEG_INFINITY),
    }
}

fn combine(kind: FoldKind, a: &str, b: &str) -> String {
    match kind {
        FoldKind::Sum => format!("{a} + {b}"),
        FoldKind::Max | FoldKind::ArgMax => format!("maximum({a}, {b})"),
    }
}

/// What the text calls.
fn helpers(text: &str) -> &'static str {
    if text.contains("unknown(") { UNKNOWN } else { "" }
}

/// lavapipe (Mesa 22.3) unrolls loops of up to 32 turns if it knows their number, and then a CPU compiles the softmax of ten
/// classes twice as long, a tenth of a second: more than its steps ever win back. To be deleted when it does not.
const UNKNOWN: &str = "\nfn unknown(count: u32, i: u32) -> u32 {\n    return select(count, 0u, i == 0xffffffffu);\n}\n";

/// A workgroup for each group of rows; its lanes share the elements of a stage, or each of them.
fn groups(writer: &mut Writer, plan: &Plan, group: &Group, tier: Tier, sums: Sums) -> Parts {
    let lanes = tier.group_lanes();
    for (number, (_, stage)) in group.stages.iter().enumerate() {
        for store in stage.body.stores.iter().filter(|store| is_local(plan, store.buffer)) {
            let rows = match &group.rows {
                None => LocalRows { stride: 0, size: stage.body.space.count() },
                Some(rows) => {
                    let stride = stage.body.space.strides()[rows.axes[number]];
                    LocalRows { stride, size: rows.per_group * stride }
                }
            };
            writer.locals.push((store.buffer, rows));
        }
    }
    let first = writer.first_argument();
    let mut main = String::new();
    let workgroups = match &group.rows {
        None => {
            main += "    let first = 0u;\n";
            1
        }
        Some(rows) => {
            let (count, per_group) = (rows.count, rows.per_group);
            // The last group has what is left, and groups past it nothing.
            let _ = write!(
                main,
                "    let first = min((group.y * {MAX_WORKGROUPS}u + group.x) * {per_group}u, {count}u);\n    \
                 let rows = min({per_group}u, {count}u - first);\n"
            );
            count.div_ceil(per_group)
        }
    };
    let mut level = 0;
    let (mut shares, mut adds) = (false, false);
    for (number, (own_level, stage)) in group.stages.iter().enumerate() {
        functions(writer, number, stage);
        if *own_level > level {
            level = *own_level;
            main += "    // What the stages above wrote is read below, by other lanes.\n    storageBarrier();\n    workgroupBarrier();\n";
        }
        let space = &stage.body.space;
        // The number of elements of this group, and which one the e-th is.
        let (elements, place) = match &group.rows {
            None => (format!("{}u", space.count()), "e".to_owned()),
            Some(rows) => {
                let axis = rows.axes[number];
                let inner = space.strides()[axis];
                let outer: usize = space.0[..axis].iter().product();
                let place = match outer {
                    1 => format!("first * {inner}u + e"),
                    _ => {
                        format!("(e / (rows * {inner}u) * {}u + first) * {inner}u + e % (rows * {inner}u)", rows.count)
                    }
                };
                (format!("rows * {}u", outer * inner), place)
            }
        };
        let Some(Fold { kind, inner, .. }) = shared_fold(group, number) else {
            let _ = write!(
                main,
                "    for (var e = lane; e < {elements}; e += {lanes}u) {{\n        let i = {place};\n{}    }}\n",
                element(number, stage, tier, "        ", first)
            );
            continue;
        };
        shares = true;
        let inner = inner.count();
        let value = format!("element_{number}(i, r{first})");
        let part = fold(*kind, ["lane", &format!("{inner}u")], lanes, inner, &value, "        ");
        if *kind == FoldKind::Sum && sums == Sums::Subgroups {
            adds = true;
            let _ = write!(
                main,
                "    for (var e = 0u; e < {elements}; e++) {{\n        let i = {place};\n{part}        \
                 let own = subgroupAdd(sum);\n        if (member == 0u) {{\n            sh_parts[subgroup] = own;\n        }}\n        \
                 workgroupBarrier(); // the sums of all subgroups are there\n        if (lane == 0u) {{\n            var all = 0.0;\n            \
                 for (var s = 0u; s < subgroups; s++) {{\n                all += sh_parts[s];\n            }}\n            \
                 finish_{number}(i, all{first});\n        }}\n        workgroupBarrier(); // nobody reads them any more\n    }}\n"
            );
            continue;
        }
        let _ = write!(
            main,
            "    for (var e = 0u; e < {elements}; e++) {{\n        let i = {place};\n{part}        \
             sh_parts[lane] = sum;\n        workgroupBarrier(); // all parts are there\n        \
             for (var half = {}u; half > 0u; half /= 2u) {{\n            if (lane < half) {{\n                \
             sh_parts[lane] = {};\n            }}\n            workgroupBarrier(); // half of the parts are left\n        }}\n        \
             if (lane == 0u) {{\n            finish_{number}(i, sh_parts[0]{first});\n        }}\n        \
             workgroupBarrier(); // nobody reads the parts any more\n    }}\n",
            lanes / 2,
            combine(*kind, "sh_parts[lane]", "sh_parts[lane + half]"),
        );
    }
    let parts = if shares { format!("\nvar<workgroup> sh_parts: array<f32, {lanes}>;\n") } else { String::new() };
    let subgroups = match adds {
        true => {
            ", @builtin(subgroup_invocation_id) member: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32"
        }
        false => "",
    };
    let entry = format!(
        "\n@compute @workgroup_size({lanes})\nfn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: \
         u32{subgroups}) {{\n"
    );
    let what = format!("{} stages", group.stages.len());
    ("group", what, String::new(), parts + helpers(&main) + &entry + &main + "}\n", workgroups)
}

fn contraction(writer: &mut Writer, step: &Contraction, choice: Choice, target: Target) -> Parts {
    let Choice { variant, split } = choice;
    let Sizes { m, n, k } = Sizes::of(step);
    let lanes = target.tier.lanes();
    let has_sums = step.row_sums.is_some();
    let constants = format!(
        "const M: u32 = {m}u;\nconst N: u32 = {n}u;\nconst K: u32 = {k}u;\nconst SPLIT: u32 = {split}u;\n\
         const LANES: u32 = {lanes}u;\nconst ROW_SUMS: bool = {has_sums};\nconst MAX_WORKGROUPS: u32 = {MAX_WORKGROUPS}u;\n"
    );
    let place = product::operands(writer, step);
    let part = |count: usize| if split > 1 { format!("split * {count}u + ") } else { String::new() };
    // With parts, the body is one store into the buffer of the parts: `[split, …]`.
    writer.body("result", &step.body, DType::F32);
    let sums = match step.row_sums {
        None => String::new(),
        Some(buffer) => {
            let lines = Lines(vec![Line::Result]);
            let body = Body { space: [m].into(), lines, stores: vec![Store { buffer, value: 0 }] };
            writer.body("sum", &body, DType::F32);
            format!("    sum({}m, value);\n", part(m))
        }
    };
    // Where rows have a multiple of four elements, four neighbours exist together or not at all.
    let elements = match n % 4 {
        0 => "    if (n < N) {\n        finish(split, m, n, y.x);\n        finish(split, m, n + 1u, y.y);\n        \
              finish(split, m, n + 2u, y.z);\n        finish(split, m, n + 3u, y.w);\n    }\n"
            .to_owned(),
        _ => ["x", "y", "z", "w"]
            .iter()
            .enumerate()
            .map(|(i, y)| format!("    if (n + {i}u < N) {{\n        finish(split, m, n + {i}u, y.{y});\n    }}\n"))
            .collect(),
    };
    let _ = write!(
        writer.functions,
        "\nfn finish(split: u32, m: u32, n: u32, value: f32) {{\n    result({}{place}, value);\n}}\n\n\
         fn finish_row(split: u32, m: u32, n: u32, y: vec4<f32>) {{\n{elements}}}\n\n\
         fn finish_sum(split: u32, m: u32, value: f32) {{\n{sums}}}\n\n",
        part(step.body.space.count())
    );
    let workgroups = variant.workgroups([m, n], split, lanes);
    let what = format!("{m}×{n}×{k}{}", if split > 1 { format!(", split in {split}") } else { String::new() });
    let subgroup = target.cooperative.map_or(1, |cooperative| cooperative.subgroup);
    (variant.name, what, constants, variant.text(k.div_ceil(split), subgroup), workgroups)
}

fn pool_grad(writer: &mut Writer, step: &PoolGrad, tier: Tier) -> Parts {
    let [x, g] = [0, 1].map(|i| &step.operands[i]);
    let (count, lanes) = (step.body.space.count(), tier.lanes());
    let ([h, w], [oh, ow]) = ([x.shape.0[2], x.shape.0[3]], [g.shape.0[2], g.shape.0[3]]);
    let constants = format!(
        "const H: u32 = {h}u;\nconst W: u32 = {w}u;\nconst OH: u32 = {oh}u;\nconst OW: u32 = {ow}u;\n\
         const SIZE: u32 = {}u;\nconst STRIDE: u32 = {}u;\nconst COUNT: u32 = {count}u;\nconst IS_MAX: bool = {};\n\
         const LANES: u32 = {lanes}u;\nconst MAX_WORKGROUPS: u32 = {MAX_WORKGROUPS}u;\n",
        step.pool.size,
        step.pool.stride,
        step.pool.kind == PoolKind::Max
    );
    for (name, buffer) in [("load_x", x.buffer), ("load_g", g.buffer)] {
        let value = writer.load_float(buffer, "i");
        let _ = write!(writer.functions, "\nfn {name}(i: u32) -> f32 {{\n    return {value};\n}}\n");
    }
    writer.body("finish", &step.body, DType::F32);
    let what = format!("{}", x.shape);
    // Where windows do not overlap, one invocation serves all elements of one.
    let (kernel, invocations) = match step.pool.is_disjoint() {
        true => (
            shaders::pool_grad::DISJOINT,
            count / (h * w) * h.div_ceil(step.pool.stride) * w.div_ceil(step.pool.stride),
        ),
        false => (shaders::pool_grad::OVERLAPPING, count),
    };
    (kernel.name, what, constants, format!("\n{}", kernel.text), invocations.div_ceil(lanes))
}

#[cfg(test)]
mod tests {
    use compiler::{Limits, compile};
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    use shaders::product::{COOPERATIVE_8, COOPERATIVE_16};

    use super::*;
    use crate::{program::for_target, table::Cooperative};

    /// Kernels of adapters that software does not imitate everywhere: those of a step in f16.
    #[test]
    fn kernels_with_optional_features_are_valid() {
        let mut w = bench::workload("W3").expect("a workload");
        w.config.precision = models::Precision::F16;
        w.config.batch = 1024;
        let graph = train::programs::train(&w.config, &w.table, true).expect("a valid configuration");
        let plan = compile(&graph, &Limits { half: true, ..crate::LIMITS });
        for (variant, subgroup) in [(COOPERATIVE_8, 8), (COOPERATIVE_16, 32), (COOPERATIVE_16, 64)] {
            let cooperative = Some(Cooperative { variant, subgroup });
            let target = Target { tier: Tier::Discrete, sums: Sums::Subgroups, cooperative };
            let asked = plan.steps.iter().filter_map(|step| match step {
                Step::Contraction(step) => Some((product::name(step), variant.name.to_owned())),
                _ => None,
            });
            let dispatches = for_target(&plan, target, &asked.collect()).1;
            for dispatch in &dispatches {
                let module = naga::front::wgsl::parse_str(&dispatch.text)
                    .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&dispatch.text)));
                let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
                let valid = validator.validate(&module);
                valid.unwrap_or_else(|error| panic!("{}", error.emit_to_string(&dispatch.text)));
            }
            let taken = dispatches.iter().filter(|dispatch| dispatch.kernel == variant.name).count();
            assert!(taken > 0, "no product is made of matrices of a subgroup");
        }
    }
}
