//! A crate of the workspace as a browser loads it: compiled by cargo, finished by wasm-bindgen. No tool is downloaded.
//!
//! This crate does not know what it builds, nor who serves it.

use std::{
    fs,
    io::{BufRead, BufReader},
    iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use walrus::ir::{BinaryOp, Binop, VisitorMut, dfs_pre_order_mut};
use wasm_bindgen_cli_support::Bindgen;

/// Builds `package`, a crate of type cdylib in the workspace of the current folder, with `features`, and puts `NAME.js`,
/// a module whose default export loads the other file, and `NAME_bg.wasm` into the folder `out`.
///
/// Of a crate that keeps its relocations (`--emit-relocs`), functions marked `wasm_split` are cut off: what only they need
/// is in further wasm files, which `NAME_split.js` fetches when they are called.
///
/// Packages `beside` it are built, too: cargo then chooses the features of what they share for all of them, and compiles it
/// once.
///
/// # Errors
/// Where cargo or wasm-bindgen fails; cargo has said why on stderr.
pub fn build(package: &str, features: &[&str], beside: &[&str], profile: &str, name: &str, out: &Path) -> Result<()> {
    let mut wasm = compile(package, features, beside, profile)?;
    let keep_names = profile == "release"; // for who reads traces of tests
    let bytes = fs::read(&wasm)?;
    let is_split = bytes.windows(RELOCATIONS.len()).any(|part| part == RELOCATIONS);
    if is_split {
        wasm.set_extension("first.wasm");
        split(&bytes, &wasm, name, out, keep_names)?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&wasm).out_name(name).web(true)?.typescript(false).omit_default_module_path(false);
    // The parts are linked with what the linker exports.
    bindgen.keep_lld_exports(is_split).remove_name_section(!keep_names).remove_producers_section(true);
    let mut output =
        bindgen.generate_output().with_context(|| format!("wasm-bindgen cannot finish {}", wasm.display()))?;
    for (_, function) in output.wasm_mut().funcs.iter_local_mut() {
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut ExactExtrema, function, entry);
    }
    output.emit(out)
}

/// The section of a wasm that says where its code names what a linker has placed.
const RELOCATIONS: &[u8] = b"reloc.CODE";

/// Puts what of a program is needed from its start into `first`, the rest into `out`, with a script that links it.
fn split(program: &[u8], first: &Path, name: &str, out: &Path, keep_names: bool) -> Result<()> {
    let (main_module, link_name) = (format!("./{name}.js"), format!("./{name}_split.js"));
    let mut options = wasm_split_cli_support::Options::new(program);
    (options.main_module, options.link_name) = (&main_module, &link_name);
    (options.output_dir, options.main_out_path) = (out, first);
    let split = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("{error:#}"))?;
    for part in &split.split_modules {
        let mut config = walrus::ModuleConfig::new();
        config.generate_name_section(keep_names).generate_producers_section(false);
        config.parse_file(part)?.emit_wasm_file(part)?;
    }
    Ok(())
}

/// Puts exact minima and maxima back where LLVM (seen in 22) takes relaxed ones. In a module in which any function may use
/// relaxed instructions it does so for every `if a < b { a } else { b }`, and then NaN may get lost.
struct ExactExtrema;

impl VisitorMut for ExactExtrema {
    fn visit_binop_mut(&mut self, Binop { op }: &mut Binop) {
        *op = match op {
            BinaryOp::F32x4RelaxedMin => BinaryOp::F32x4PMin,
            BinaryOp::F32x4RelaxedMax => BinaryOp::F32x4PMax,
            BinaryOp::F64x2RelaxedMin => BinaryOp::F64x2PMin,
            BinaryOp::F64x2RelaxedMax => BinaryOp::F64x2PMax,
            _ => return,
        };
    }
}

/// Names of the variables in which the cargo that started this program tells of its package. A cargo that is started from
/// here should not get them: some build scripts read them, and would run again whenever a person and this program take
/// turns.
pub fn package_variables() -> impl Iterator<Item = String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

/// The wasm that cargo makes of a package.
fn compile(package: &str, features: &[&str], beside: &[&str], profile: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--lib", "--target", "wasm32-unknown-unknown", "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped());
    for package in iter::once(&package).chain(beside) {
        command.args(["--package", package]);
    }
    for feature in features {
        command.args(["--features", &format!("{package}/{feature}")]);
    }
    for name in package_variables() {
        command.env_remove(name);
    }
    let mut cargo = command.spawn().context("cannot run cargo")?;
    let output = cargo.stdout.take().context("cargo has an output")?;
    let mut wasm = None;
    for line in BufReader::new(output).lines() {
        let message: Value = serde_json::from_str(&line?).context("cargo prints something else than JSON")?;
        // `path+file:///its/folder#package@0.1.0`, or `path+file:///its/package#0.1.0`
        let is_it = |id: &str| id.contains(&format!("#{package}@")) || id.contains(&format!("/{package}#"));
        if message["package_id"].as_str().is_some_and(is_it) {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            wasm = files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from).next().or(wasm);
        }
    }
    ensure!(cargo.wait()?.success(), "{package} does not compile for wasm32; `cargo xtask setup` installs the target");
    match wasm {
        Some(wasm) => Ok(wasm),
        None => bail!("{package} is not a library of type cdylib"),
    }
}
