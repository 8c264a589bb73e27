//! `cargo xtask cuda-toolkit`: what compiles and links candle's CUDA kernels, on machines with or without a GPU.
//!
//! An installed toolkit is taken as it is. Where there is none, one is put together from NVIDIA's Python wheels, each
//! pinned by its hash in `cuda-requirements.txt`. It builds and runs nothing: `libcuda.so`, which comes with the driver
//! of a machine that has a GPU, is here a stub for the linker.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::setup::PIP;
use crate::workspace::{find_program, target_dir};

/// Find or assemble a CUDA toolkit and print the environment that builds with it.
///
/// Meant for `eval "$(cargo xtask cuda-toolkit)"`, then `cargo run --release --features cuda -- train`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to assemble a toolkit if none is installed [default: cuda-toolkit in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let toolkit = match &args.prefix {
        Some(prefix) => std::path::absolute(prefix)?,
        None => default_prefix(sh)?,
    };
    let root = match installed() {
        Some(root) => root,
        None => assemble(sh, &toolkit)?,
    };
    for (name, value) in environment(sh, &root)? {
        println!("export {name}='{value}'");
    }
    Ok(())
}

/// The toolkit that [`build_environment`] would use without downloading anything.
pub(crate) fn find(sh: &Shell) -> Result<Option<PathBuf>> {
    let assembled = root_in(&default_prefix(sh)?);
    Ok(installed().or_else(|| assembled.is_dir().then_some(assembled)))
}

/// The variables under which `cargo build --features cuda` works, after assembling a toolkit if there is none.
pub(crate) fn build_environment(sh: &Shell) -> Result<Vec<(&'static str, String)>> {
    let root = match find(sh)? {
        Some(root) => root,
        None => assemble(sh, &default_prefix(sh)?)?,
    };
    environment(sh, &root)
}

/// Why no toolkit can be had on this machine, or `None` where one can.
pub(crate) fn missing(sh: &Shell) -> Result<Option<String>> {
    if find(sh)?.is_some() {
        return Ok(None);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Some("no CUDA toolkit found, and the wheels are for x86-64 Linux: install NVIDIA's".into()));
    }
    Ok(PIP.missing(sh))
}

fn default_prefix(sh: &Shell) -> Result<PathBuf> {
    Ok(target_dir(sh)?.join("cuda-toolkit"))
}

/// The wheels share one tree below the folder that they are unpacked into.
fn root_in(prefix: &Path) -> PathBuf {
    prefix.join("nvidia/cu13")
}

/// `CUDA_HOME`, or the toolkit whose nvcc is on `PATH`.
fn installed() -> Option<PathBuf> {
    let home = env::var_os("CUDA_HOME").map(PathBuf::from).filter(|home| home.join("bin/nvcc").is_file());
    home.or_else(|| {
        let nvcc = find_program("nvcc")?.canonicalize().ok()?;
        Some(nvcc.parent()?.parent()?.to_owned())
    })
}

/// Puts a toolkit together under `prefix` and returns its root. Unpacks beside it and renames, so that what exists is
/// complete.
fn assemble(sh: &Shell, prefix: &Path) -> Result<PathBuf> {
    if prefix.exists() {
        ensure!(root_in(prefix).is_dir(), "{} exists and is not a CUDA toolkit", prefix.display());
        return Ok(root_in(prefix));
    }
    let partial = prefix.with_extension("partial");
    sh.remove_path(&partial)?;
    let pinned = ["--require-hashes", "--requirement", "crates/xtask/cuda-requirements.txt"];
    let plain = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"];
    // stdout is for the export lines alone
    cmd!(sh, "python3 -m pip install {plain...} {pinned...} --target {partial}")
        .env("PIP_ROOT_USER_ACTION", "ignore") // nothing outside the folder is touched, so root may
        .ignore_stdout()
        .run()
        .context("cannot fetch the CUDA toolkit; installing NVIDIA's own makes this step unnecessary")?;
    let root = root_in(&partial);
    link_libraries(sh, &root)?;
    write_driver_stub(sh, &root)?;
    std::fs::rename(&partial, prefix).with_context(|| format!("cannot rename {}", partial.display()))?;
    Ok(root_in(prefix))
}

/// The wheels bring `libcublas.so.13` alone; the linker looks for `libcublas.so`, and build scripts for `lib64`.
fn link_libraries(sh: &Shell, root: &Path) -> Result<()> {
    for library in sh.read_dir(root.join("lib"))? {
        let name = library.file_name().expect("a folder's entry has a name").to_string_lossy().into_owned();
        if let Some((stem, _version)) = name.split_once(".so.") {
            let link = library.with_file_name(format!("{stem}.so"));
            cmd!(sh, "ln -sf {name} {link}").quiet().run()?;
        }
    }
    let lib64 = root.join("lib64");
    cmd!(sh, "ln -sfn lib {lib64}").quiet().run()?;
    Ok(())
}

/// A `libcuda.so` with every entry point that the header declares, each returning an error.
fn write_driver_stub(sh: &Shell, root: &Path) -> Result<()> {
    const UNKNOWN: u32 = 999; // CUDA_ERROR_UNKNOWN
    let header = sh.read_file(root.join("include/cuda.h"))?;
    let names: BTreeSet<&str> = header
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.strip_prefix("cu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())))
        .chain(["cuProfilerInitialize", "cuProfilerStart", "cuProfilerStop"]) // declared in a header of their own
        .collect();
    let source: String = names.iter().map(|name| format!("int {name}(void) {{ return {UNKNOWN}; }}\n")).collect();
    let stubs = root.join("lib/stubs");
    sh.create_dir(&stubs)?;
    let stub = stubs.join("libcuda.so");
    cmd!(sh, "cc -shared -fPIC -w -fno-builtin -Wl,-soname,libcuda.so.1 -x c -o {stub} -").stdin(source).run()?;
    Ok(())
}

fn environment(sh: &Shell, root: &Path) -> Result<Vec<(&'static str, String)>> {
    let prepend = |folders: &[PathBuf], name: &str| -> Result<String> {
        let old = env::var_os(name).unwrap_or_default();
        let old = env::split_paths(&old).filter(|folder| !folder.as_os_str().is_empty());
        let all = env::join_paths(folders.iter().cloned().chain(old))?;
        all.into_string().ok().with_context(|| format!("{name} is not UTF-8"))
    };
    let lib = root.join("lib64");
    let mut variables = vec![
        ("CUDA_HOME", root.display().to_string()),
        ("PATH", prepend(&[root.join("bin")], "PATH")?),
        ("LIBRARY_PATH", prepend(&[lib.clone(), lib.join("stubs")], "LIBRARY_PATH")?),
    ];
    // candle's build script takes half of the cores if it is not told otherwise.
    if let (Ok(cores), None) = (std::thread::available_parallelism(), env::var_os("CUDAFORGE_THREADS")) {
        variables.push(("CUDAFORGE_THREADS", cores.to_string()));
    }
    // Without a GPU to ask, kernels are built for Ampere: the driver of every later GPU compiles them on from there.
    let gpu = cmd!(sh, "nvidia-smi").quiet().ignore_stdout().ignore_stderr().run().is_ok();
    if !gpu && env::var_os("CUDA_COMPUTE_CAP").is_none() {
        variables.push(("CUDA_COMPUTE_CAP", "80".into()));
    }
    Ok(variables)
}
