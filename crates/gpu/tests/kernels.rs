//! Kernels without a device: every text is one that WGSL allows, and what drifts only if somebody changes it is written
//! down.

use std::collections::{BTreeMap, BTreeSet};

use bench::workload;
use expect_test::{Expect, expect};
use gpu::{LIMITS, Tier, lowered};
use graph::{DType, Graph, Recorder, cases};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use protocol::{RunConfig, preset, presets};
use train::programs::{self, Table};

const TIERS: [Tier; 4] = [Tier::Software, Tier::Default, Tier::Integrated, Tier::Discrete];
const WORKLOADS: [&str; 3] = ["W1", "W2", "W3"];
/// MNIST as it is uploaded.
const TABLE: Table = Table { rows: 60_000, size: [28, 28], dtype: DType::U8 };

/// The training step of a workload, or of a preset without clipping.
fn step(name: &str) -> Graph {
    let (mut config, table) = match workload(name) {
        Some(w) => (w.config, w.table),
        None => (preset(name).expect("a preset"), TABLE),
    };
    config.optimizer.clip_norm = None;
    programs::train(&config, &table, false).expect("a valid configuration")
}

/// Everything that may be loaded: each preset's programs, the workloads, all cases.
fn graphs() -> Vec<(String, Graph)> {
    let mut graphs: Vec<(String, Graph)> = cases().into_iter().map(|case| (case.name, case.graph)).collect();
    graphs.extend(WORKLOADS.map(|name| (name.to_owned(), step(name))));
    for (name, _) in presets() {
        let config = preset(name).expect("a preset");
        let programs = [
            ("train", programs::train(&config, &TABLE, true)),
            ("evaluate", programs::evaluate(&config, &TABLE)),
            ("predict", programs::predict(&config, TABLE.size, config.batch)),
        ];
        graphs.extend(programs.map(|(what, graph)| (format!("{name} {what}"), graph.expect("a valid configuration"))));
    }
    graphs
}

/// What keeps a text from being a kernel on every adapter.
fn fault(text: &str) -> Option<String> {
    let module = match naga::front::wgsl::parse_str(text) {
        Ok(module) => module,
        Err(error) => return Some(error.emit_to_string(text)),
    };
    // What WebGPU promises everywhere, and nothing more.
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    if let Err(error) = validator.validate(&module) {
        return Some(error.emit_to_string(text));
    }
    let bound = text.matches("var<storage").count();
    let shared: u32 = (module.global_variables.iter())
        .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
        .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
        .sum();
    let lanes: u32 = module.entry_points[0].workgroup_size.iter().product();
    let limits = gpu::wgpu::Limits::default();
    let faults = [
        (bound > LIMITS.bindings).then(|| format!("{bound} storage buffers")),
        (shared > limits.max_compute_workgroup_storage_size).then(|| format!("{shared} bytes of workgroup memory")),
        (lanes > limits.max_compute_invocations_per_workgroup).then(|| format!("{lanes} invocations of a workgroup")),
    ];
    faults.into_iter().flatten().next()
}

/// What plans and kernels count on is what WebGPU promises.
#[test]
fn limits_are_those_of_webgpu() {
    let limits = gpu::wgpu::Limits::default();
    assert_eq!(LIMITS.bindings, limits.max_storage_buffers_per_shader_stage as usize);
    assert_eq!(shaders::MAX_WORKGROUPS, limits.max_compute_workgroups_per_dimension as usize);
    assert_eq!(4 * compiler::ALIGNMENT, limits.min_storage_buffer_offset_alignment as usize);
}

#[test]
fn every_kernel_is_valid() {
    let mut seen = BTreeSet::new();
    let mut faults = String::new();
    for (name, graph) in graphs() {
        for tier in TIERS {
            for dispatch in lowered(&graph, tier).1 {
                if seen.insert(dispatch.text.clone())
                    && let Some(fault) = fault(&dispatch.text)
                {
                    faults += &format!("{name}, {tier:?}, {} {}: {fault}\n", dispatch.kernel, dispatch.what);
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    println!("{} texts", seen.len());
}

/// llvmpipe ends an invocation's loops after 65535 turns, and what it then computes is wrong without a word.
#[test]
fn loops_are_short_where_a_cpu_imitates_a_gpu() {
    let mut longest = 0;
    for (name, _) in presets() {
        // The largest batches that a configuration may have in memory.
        let largest = [8192, 4096, 2048, 1024].into_iter().find_map(|batch| {
            let config = RunConfig { batch, ..preset(name).expect("a preset") };
            programs::train(&config, &TABLE, true).ok()
        });
        let graph = largest.expect("a valid configuration");
        for dispatch in lowered(&graph, Tier::Software).1 {
            assert!(
                dispatch.turns <= 65_000,
                "{name}: {} {}: {} turns",
                dispatch.kernel,
                dispatch.what,
                dispatch.turns
            );
            longest = longest.max(dispatch.turns);
        }
    }
    println!("at most {longest} turns");
    // A sum that nobody may divide: what runs it refuses.
    let r = Recorder::new();
    let x = r.state("x", [5_000_011, 2]);
    let graph = r.finish(&[("sum", &x.sum(&[0]).expect("it fits"))], &[]).expect("it is valid");
    let turns = lowered(&graph, Tier::Software).1.into_iter().map(|dispatch| dispatch.turns).max();
    assert!(turns > Some(65_535), "{turns:?}");
}

/// What the kernels in files need of the text before them: see their modules in `shaders`.
const PRELUDE: &str = "
const M = 5u; const N = 6u; const K = 7u; const SPLIT = 2u; const ROW_SUMS = true;
const H = 4u; const W = 4u; const OH = 2u; const OW = 2u; const SIZE = 2u; const STRIDE = 2u; const COUNT = 16u;
const IS_MAX = true; const LANES = 64u; const MAX_WORKGROUPS = 65535u;
fn load_a(m: u32, k: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn load_b(k: u32, n: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn finish_row(split: u32, m: u32, n: u32, values: vec4<f32>) {}
fn finish_sum(split: u32, m: u32, value: f32) {}
fn load_x(i: u32) -> f32 { return 0.0; }
fn load_g(i: u32) -> f32 { return 0.0; }
fn finish(i: u32, value: f32) {}
";

/// A file is WGSL as it lies, without anything that only a program could make of it.
#[test]
fn every_file_is_valid() {
    let mut names = vec![];
    for folder in ["../../shaders", "src"] {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.extension().is_some_and(|extension| extension == "wgsl") {
                let text = std::fs::read_to_string(&path).expect("it is text");
                // Helpers are called by kernels, and have none of their own.
                let main = if text.contains("fn main(") { "" } else { "@compute @workgroup_size(1)\nfn main() {}\n" };
                assert_eq!(fault(&format!("{PRELUDE}{text}{main}")), None, "{}", path.display());
                names.push(path.file_name().expect("a file has one").to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    expect!["half.wgsl not_finite.wgsl pool_grad.wgsl pool_grad_disjoint.wgsl product_shared.wgsl random.wgsl"]
        .assert_eq(&names.join(" "));
}

#[test]
fn broken_kernels_are_refused() {
    let (_, dispatches) = lowered(&step("W1"), Tier::Discrete);
    let text = |kernel| &dispatches.iter().find(|dispatch| dispatch.kernel == kernel).expect("W1 has one").text;
    let (product, map) = (text("product_shared"), text("map"));
    let bindings = (0..9).map(|i| format!("@group(0) @binding({i}) var<storage, read> b{i}: array<f32>;\n"));
    let plants = [
        ("a name that nobody declares", product.replace("const K:", "const L:")),
        ("a type that does not fit", product.replace("mat4x4<f32>()", "mat3x3<f32>()")),
        ("a store into what is only read", map.replace("read_write", "read")),
        ("too much workgroup memory", product.replace("array<vec4<f32>, 512>", "array<vec4<f32>, 513>")),
        ("too many invocations", map.replace("@workgroup_size(64)", "@workgroup_size(257)")),
        ("nine storage buffers", bindings.chain(["@compute @workgroup_size(1)\nfn main() {}\n".into()]).collect()),
    ];
    assert_eq!([fault(product), fault(map)], [None, None]);
    for (what, text) in plants {
        match fault(&text) {
            Some(fault) => println!("{what}: {fault}"),
            None => panic!("{what} is not seen:\n{text}"),
        }
    }
}

/// Everything included, from gathering the batch to the update.
#[test]
fn workloads_are_few_dispatches() {
    for (name, most) in [("W1", 8), ("W2", 11), ("W3", 18)] {
        let (_, dispatches) = lowered(&step(name), Tier::Default);
        let update = &dispatches.last().expect("there are some").text;
        assert!(dispatches.len() <= most, "{name}: {} dispatches", dispatches.len());
        // All parameters lie one behind the other, and so do all moments: one loop updates them.
        assert_eq!(update.matches("fn finish_").count(), 1, "{name}:\n{update}");
    }
}

/// A line for each step on this kind of adapter.
fn check(tier: Tier, expected: Expect) {
    let mut text = String::new();
    for name in WORKLOADS.into_iter().chain(presets().map(|(name, _)| name)) {
        let (plan, dispatches) = lowered(&step(name), tier);
        let texts: BTreeSet<&str> = dispatches.iter().map(|dispatch| dispatch.text.as_str()).collect();
        let mut kernels: BTreeMap<&str, usize> = BTreeMap::new();
        dispatches.iter().for_each(|dispatch| *kernels.entry(dispatch.kernel).or_default() += 1);
        let kernels: Vec<String> = kernels.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
        let (count, bytes) = (dispatches.len(), plan.scratch_bytes());
        text += &format!("{name}: {count} dispatches, {} texts, {bytes} bytes: {}\n", texts.len(), kernels.join(", "));
    }
    expected.assert_eq(&text);
}

#[test]
fn steps_are_small() {
    check(
        Tier::Default,
        expect![[r#"
            W1: 8 dispatches, 8 texts, 678656 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            W2: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
            W3: 16 dispatches, 16 texts, 5050496 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 5 product_4x4, 2 product_8x8, 1 product_shared
            softmax: 5 dispatches, 5 texts, 237568 bytes: 1 group, 2 map, 2 product_4x4
            mlp: 8 dispatches, 8 texts, 679168 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            mlp-300: 8 dispatches, 8 texts, 1314304 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            mlp-wide: 11 dispatches, 11 texts, 5928448 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
            lenet5: 22 dispatches, 22 texts, 3893952 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 6 product_4x4, 1 product_8x8, 7 product_shared
            cnn: 16 dispatches, 16 texts, 5050496 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 5 product_4x4, 2 product_8x8, 1 product_shared
            cnn-bn: 26 dispatches, 26 texts, 19336448 bytes: 7 group, 6 map, 2 pool_grad_disjoint, 5 product_4x4, 3 product_8x8, 3 product_shared
            mnist-99: 25 dispatches, 25 texts, 16489728 bytes: 7 group, 5 map, 2 pool_grad_disjoint, 5 product_4x4, 3 product_8x8, 3 product_shared
            resnet-mini: 58 dispatches, 58 texts, 23697664 bytes: 19 group, 9 map, 1 pool_grad_disjoint, 15 product_4x4, 7 product_8x8, 7 product_shared
            nolearn-dbn: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
        "#]],
    );
}

/// Where sums of products are split, for adapters that would idle otherwise.
#[test]
fn split_steps_are_small() {
    check(
        Tier::Software,
        expect![[r#"
            W1: 8 dispatches, 8 texts, 678656 bytes: 1 group, 2 map, 2 product_16x16, 3 product_4x4
            W2: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 5 product_16x16, 3 product_4x4
            W3: 16 dispatches, 16 texts, 4933376 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 2 product_16x16, 3 product_4x4, 3 product_8x8
            softmax: 5 dispatches, 5 texts, 237568 bytes: 1 group, 2 map, 2 product_4x4
            mlp: 8 dispatches, 8 texts, 679168 bytes: 1 group, 2 map, 2 product_16x16, 3 product_4x4
            mlp-300: 8 dispatches, 8 texts, 1314304 bytes: 1 group, 2 map, 2 product_16x16, 3 product_4x4
            mlp-wide: 11 dispatches, 11 texts, 5928448 bytes: 1 group, 2 map, 5 product_16x16, 3 product_4x4
            lenet5: 22 dispatches, 22 texts, 3796352 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 5 product_16x16, 6 product_4x4, 3 product_8x8
            cnn: 16 dispatches, 16 texts, 4933376 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 2 product_16x16, 3 product_4x4, 3 product_8x8
            cnn-bn: 26 dispatches, 26 texts, 19262720 bytes: 7 group, 6 map, 2 pool_grad_disjoint, 8 product_16x16, 3 product_4x4
            mnist-99: 25 dispatches, 25 texts, 16397568 bytes: 7 group, 5 map, 2 pool_grad_disjoint, 5 product_16x16, 3 product_4x4, 3 product_8x8
            resnet-mini: 58 dispatches, 58 texts, 23568640 bytes: 19 group, 9 map, 1 pool_grad_disjoint, 24 product_16x16, 5 product_4x4
            nolearn-dbn: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 5 product_16x16, 3 product_4x4
        "#]],
    );
    check(
        Tier::Discrete,
        expect![[r#"
            W1: 8 dispatches, 8 texts, 678656 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            W2: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
            W3: 16 dispatches, 16 texts, 5552192 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 7 product_4x4, 1 product_shared
            softmax: 5 dispatches, 5 texts, 237568 bytes: 1 group, 2 map, 2 product_4x4
            mlp: 8 dispatches, 8 texts, 679168 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            mlp-300: 8 dispatches, 8 texts, 1314304 bytes: 1 group, 2 map, 2 product_4x4, 3 product_shared
            mlp-wide: 11 dispatches, 11 texts, 5928448 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
            lenet5: 22 dispatches, 22 texts, 4009920 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 7 product_4x4, 7 product_shared
            cnn: 16 dispatches, 16 texts, 5552192 bytes: 1 group, 5 map, 2 pool_grad_disjoint, 7 product_4x4, 1 product_shared
            cnn-bn: 26 dispatches, 26 texts, 20110592 bytes: 7 group, 6 map, 2 pool_grad_disjoint, 8 product_4x4, 3 product_shared
            mnist-99: 25 dispatches, 25 texts, 16780032 bytes: 7 group, 5 map, 2 pool_grad_disjoint, 8 product_4x4, 3 product_shared
            resnet-mini: 58 dispatches, 58 texts, 24342784 bytes: 19 group, 9 map, 1 pool_grad_disjoint, 22 product_4x4, 7 product_shared
            nolearn-dbn: 11 dispatches, 11 texts, 5927936 bytes: 1 group, 2 map, 2 product_4x4, 6 product_shared
        "#]],
    );
}
