//! What must travel, in loads that each fit one upload.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use super::folder;
use crate::{
    cuda,
    setup::{CHROMIUM, NPM},
    web,
    workspace::{target_dir, without_package},
};

/// Build what must travel: gpu-day/loads/1 and on, each of at most 60 MB.
///
/// Programs with and without CUDA, test programs of adapters and of CUDA, kernel benches, MNIST, a Vulkan loader, the peers'
/// scripts; then a browser with its libraries, the page, and other libraries' pages. Needs x86-64 Linux with Chromium, npm
/// and PLAYGROUND_DATA.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the peers: peers-web
    #[arg(long, value_name = "DIR")]
    peers: PathBuf,
    /// Pack no browser: for parts 1 to 3
    #[arg(long)]
    no_browser: bool,
}

/// Bytes of a load.
const LOAD: usize = 60_000_000;
/// A GPU of this compute capability is expected: an H100 or H200.
const COMPUTE_CAPABILITY: &str = "90";
/// Programs that are packed: what they are built of, and their names there.
const PROGRAMS: [(&str, &str); 4] = [
    ("crates/cli/src/main.rs", "playground-cli"),
    ("tests/tests/adapter/main.rs", "adapter"),
    ("crates/gpu/benches/kernels.rs", "kernels"),
    ("crates/gpu/examples/adapters.rs", "adapters"),
];
/// And with CUDA.
const CUDA_PROGRAMS: [(&str, &str); 2] =
    [("crates/cli/src/main.rs", "playground-cli-cuda"), ("tests/tests/cuda.rs", "cuda")];
/// What opens Vulkan, and what drivers of NVIDIA are linked to that a bare system may lack.
const LOADERS: [&str; 8] = [
    "libvulkan.so.1",
    "libEGL.so.1",
    "libGL.so.1",
    "libGLX.so.0",
    "libGLdispatch.so.0",
    "libX11.so.6",
    "libXext.so.6",
    "libX11-xcb.so.1",
];
/// What Chromium opens by name.
const OPENED_BY_CHROMIUM: [&str; 4] = ["libsoftokn3.so", "libfreeblpriv3.so", "libnssckbi.so", "libudev.so.1"];
/// Of glibc, which no program may bring along.
const SYSTEM: [&str; 9] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libresolv.so.2",
    "libcuda.so.1",
    "linux-vdso.so.1",
];
/// Peers that run in a browser: (name, back end).
const WEB_PEERS: [(&str, &str); 2] = [("tfjs", "webgpu"), ("jax-js", "webgpu")];

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let linux = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    ensure!(linux, "what is packed runs on x86-64 Linux, and so must be built there");
    let data = std::env::var_os("PLAYGROUND_DATA").map(|folder| Path::new(&folder).join("mnist"));
    let data = data.filter(|folder| folder.is_dir()).context("PLAYGROUND_DATA names no folder that has mnist/")?;
    let peers = args.peers.canonicalize().with_context(|| format!("cannot find {}", args.peers.display()))?;
    if !args.no_browser {
        for need in [&CHROMIUM, &NPM] {
            need.missing(sh).map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason)))?;
        }
    }
    let work = target_dir(sh)?.join("gpu-day");
    sh.remove_path(&work)?;

    let mut archives = vec![programs(sh, &work.join("programs"), &data)?];
    if !args.no_browser {
        archives.push(browser(sh, &work.join("browser"), &peers)?);
    }
    let loads = folder(sh).join("loads");
    sh.remove_path(&loads)?;
    split(&archives, &loads)
}

/// What parts 1 to 3 and 5 need, as an archive.
fn programs(sh: &Shell, room: &Path, data: &Path) -> Result<PathBuf> {
    let bin = room.join("bin");
    sh.create_dir(&bin)?;
    // The plain ones last, so that no program stays in the target folder that does not start without CUDA.
    let mut environment = cuda::build_environment(sh)?;
    environment.retain(|(name, _)| *name != "CUDA_COMPUTE_CAP");
    environment.push(("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY.into()));
    let targets = ["--bin=playground-cli", "--test=cuda", "--features=playground-cli/cuda,tests/cuda"];
    let built = build(sh, &targets, &environment)?;
    for (source, there) in CUDA_PROGRAMS {
        strip(sh, find(&built, source)?, &bin.join(there))?;
    }
    let targets = ["--bin=playground-cli", "--test=adapter", "--bench=kernels", "--example=adapters"];
    let built = build(sh, &targets, &[])?;
    for (source, there) in PROGRAMS {
        strip(sh, find(&built, source)?, &bin.join(there))?;
    }
    let lib = room.join("lib");
    sh.create_dir(&lib)?;
    let loaders = LOADERS.iter().map(|name| library(sh, name)).collect::<Result<Vec<_>>>()?;
    copy_libraries(sh, &loaders, &lib)?;
    let (mnist, peers) = (room.join("data/mnist"), room.join("peers"));
    copy_files(data, &mnist, |name| name.ends_with(".gz"))?;
    copy_files(&sh.current_dir().join("crates/xtask/src"), &peers, |name| name.ends_with("_peer.py"))?;
    let commit = cmd!(sh, "git describe --always --dirty --abbrev=12").read()?;
    fs::write(room.join("commit"), format!("commit {commit}\n"))?;
    archive(sh, room)
}

/// Chromium and what drives it, the built page, and other libraries' pages.
fn browser(sh: &Shell, room: &Path, peers: &Path) -> Result<PathBuf> {
    let peers = bundle_peers(sh, peers, &room.join("web"))?;
    web::run(sh, &web::Args { out: room.join("site") })?;
    sh.remove_path(room.join("site/data"))?; // the programs' archive has it

    let driver = room.join("web/browser.cjs");
    let source = folder(sh).join("browser.mjs");
    let options = ["--bundle", "--platform=node", "--format=cjs", "--log-level=error"];
    {
        let _folder = sh.push_dir(&peers); // with puppeteer and esbuild
        let (modules, esbuild) = (peers.join("node_modules"), peers.join("node_modules/.bin/esbuild"));
        cmd!(sh, "{esbuild} {source} {options...} --outfile={driver}").env("NODE_PATH", modules).run()?;
    }
    let bin = room.join("bin");
    sh.create_dir(&bin)?;
    let node = cmd!(sh, "node -p process.execPath").read()?;
    strip(sh, Path::new(&node), &bin.join("node"))?;

    let installed = Path::new("/usr/lib/chromium");
    ensure!(installed.join("chromium").is_file(), "Debian's Chromium is expected in {}", installed.display());
    copy_files(installed, &room.join("chromium"), |name| {
        !name.ends_with(".TOC") && !name.starts_with("libVk") // layers that validate
    })?;
    copy_files(&installed.join("locales"), &room.join("chromium/locales"), |name| name.starts_with("en-US"))?;
    copy_files(Path::new("/usr/share/fonts/truetype/dejavu"), &room.join("fonts"), |name| name == "DejaVuSans.ttf")?;
    let lib = room.join("lib");
    sh.create_dir(&lib)?;
    let mut roots = OPENED_BY_CHROMIUM.iter().map(|name| library(sh, name)).collect::<Result<Vec<_>>>()?;
    roots.extend([installed.join("chromium"), bin.join("node")]);
    copy_libraries(sh, &roots, &lib)?;
    archive(sh, room)
}

/// Bundles the peers' pages, by running each for a moment, and returns the folder where this was done.
fn bundle_peers(sh: &Shell, peers: &Path, to: &Path) -> Result<PathBuf> {
    let source = peers.join("peers-web");
    let work = target_dir(sh)?.join("peers/web");
    for folder in ["", "entries"] {
        copy_files(&source.join(folder), &work.join(folder), |_| true)?;
    }
    sh.create_dir(work.join("assets"))?; // of a peer that does not come along
    let _folder = sh.push_dir(&work);
    cmd!(sh, "npm ci --no-audit --no-fund").run()?;
    sh.create_dir(to)?;
    for (peer, backend) in WEB_PEERS {
        let moment = ["--workload", "W1", "--seconds", "0.1", "--min-steps", "3", "--warm-ms", "500"];
        let text = cmd!(sh, "node run.mjs --peer {peer} --backend {backend} {moment...}").read()?;
        let line: Value =
            serde_json::from_str(text.trim()).with_context(|| format!("{peer} prints no JSON: {text}"))?;
        ensure!(line["error"].is_null(), "{peer}: {}", line["error"]);
        let name = format!("{peer}-{backend}");
        copy_files(&work.join("dist").join(&name), &to.join(&name), |name| name.ends_with(".js"))?;
    }
    sh.copy_file(work.join("harness.js"), to.join("harness.js"))?;
    Ok(work)
}

/// A program and the file that it is built of.
type Built = (String, PathBuf);

/// Builds targets of the workspace; all programs that came of it.
fn build(sh: &Shell, targets: &[&str], environment: &[(&str, String)]) -> Result<Vec<Built>> {
    let options = ["--release", "--workspace", "--message-format=json-render-diagnostics"];
    let command = cmd!(sh, "cargo build {options...} {targets...}").envs(environment.iter().map(|(n, v)| (n, v)));
    let text = without_package(command).read()?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let (source, path) = (message["target"]["src_path"].as_str()?, message["executable"].as_str()?);
        Some((source.into(), path.into()))
    };
    Ok(messages.filter_map(program).collect())
}

/// The program that is built of this file.
fn find<'a>(built: &'a [Built], source: &str) -> Result<&'a Path> {
    let found = built.iter().find(|(of, _)| of.ends_with(source));
    found.map(|(_, path)| path.as_path()).with_context(|| format!("cargo built nothing of {source}"))
}

fn strip(sh: &Shell, program: &Path, to: &Path) -> Result<()> {
    cmd!(sh, "strip --strip-all -o {to} {program}").run()?;
    Ok(())
}

/// A library as the system's linker knows it.
fn library(sh: &Shell, name: &str) -> Result<PathBuf> {
    let known = cmd!(sh, "/sbin/ldconfig -p").quiet().read()?;
    let line = known.lines().find(|line| line.trim_start().split(' ').next() == Some(name) && line.contains("x86-64"));
    let path = line.and_then(|line| line.rsplit(" => ").next());
    path.map(PathBuf::from).with_context(|| format!("the system has no {name}"))
}

/// Copies what these programs and libraries are linked to, and those that are libraries, but for the system's own.
fn copy_libraries(sh: &Shell, roots: &[PathBuf], to: &Path) -> Result<()> {
    let mut found = BTreeSet::new();
    for root in roots {
        if root.to_string_lossy().contains(".so") {
            found.insert(root.clone());
        }
        for line in cmd!(sh, "ldd {root}").quiet().read()?.lines() {
            ensure!(!line.contains("not found"), "{}: {line}", root.display());
            found.extend(line.split(" => ").nth(1).and_then(|rest| rest.split(' ').next()).map(PathBuf::from));
        }
    }
    for path in found {
        let name = path.file_name().context("a library has a name")?.to_string_lossy().into_owned();
        if !SYSTEM.contains(&name.as_str()) {
            fs::copy(&path, to.join(&name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Copies the files of a folder whose names are wanted, not those below it.
fn copy_files(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && wanted(&name) {
            fs::copy(&path, to.join(&name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// `FOLDER.tar.xz` of what is in it.
fn archive(sh: &Shell, folder: &Path) -> Result<PathBuf> {
    let to = folder.with_extension("tar.xz");
    cmd!(sh, "tar --create --xz --file {to} --owner=0 --group=0 --sort=name --directory {folder} .")
        .env("XZ_OPT", "-T0 -9")
        .run()?;
    Ok(to)
}

/// Cuts archives into pieces, `NAME.tar.xz.1-of-2`, that fill one load after the other.
fn split(archives: &[PathBuf], loads: &Path) -> Result<()> {
    let (mut load, mut room) = (1, LOAD);
    let mut sums: Vec<String> = vec![String::new()];
    for archive in archives {
        let bytes = fs::read(archive)?;
        let pieces = cut(bytes.len(), room);
        let name = archive.file_name().context("an archive has a name")?.to_string_lossy().into_owned();
        let mut rest = &bytes[..];
        for (number, &length) in (1..).zip(&pieces) {
            if length > room {
                (load, room) = (load + 1, LOAD);
                sums.push(String::new());
            }
            let (piece, after) = rest.split_at(length);
            let (to, name) = (loads.join(load.to_string()), format!("{name}.{number}-of-{}", pieces.len()));
            fs::create_dir_all(&to)?;
            fs::write(to.join(&name), piece)?;
            let sum: String = Sha256::digest(piece).iter().map(|byte| format!("{byte:02x}")).collect();
            sums[load - 1] += &format!("{sum}  {name}\n");
            println!("{:>6.1} MB  {}", length as f64 / 1e6, to.join(&name).display());
            (rest, room) = (after, room - length);
        }
    }
    for (load, sums) in (1..).zip(sums) {
        fs::write(loads.join(format!("{load}/SHA256SUMS")), sums)?;
    }
    Ok(())
}

/// Lengths of pieces: the first as much as there is room for, if that is worth it.
fn cut(length: usize, room: usize) -> Vec<usize> {
    let mut pieces = vec![];
    let (mut rest, mut room) = (length, if room < LOAD / 10 { LOAD } else { room });
    while rest > 0 {
        let piece = rest.min(room);
        pieces.push(piece);
        (rest, room) = (rest - piece, LOAD);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_fill_loads() {
        assert_eq!(cut(10, LOAD), [10]);
        assert_eq!(cut(LOAD, LOAD), [LOAD]);
        assert_eq!(cut(2 * LOAD + 1, LOAD - 5), [LOAD - 5, LOAD, 6]);
        assert_eq!(cut(10, 5), [10]); // there is no room worth a piece
    }

    #[test]
    fn loads_are_joined_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let archives = [(LOAD - LOAD / 5, b'a'), (LOAD + 7, b'b')].map(|(length, byte)| {
            let path = folder.path().join(format!("{}.tar.xz", byte as char));
            fs::write(&path, vec![byte; length]).expect("it is written");
            path
        });
        let loads = folder.path().join("loads");
        split(&archives, &loads).expect("they are cut");
        let size = |name: &str| fs::metadata(loads.join(name)).expect(name).len() as usize;
        assert_eq!(size("1/a.tar.xz.1-of-1"), LOAD - LOAD / 5);
        assert_eq!(size("1/b.tar.xz.1-of-2"), LOAD / 5);
        assert_eq!(size("2/b.tar.xz.2-of-2"), LOAD + 7 - LOAD / 5);
        let sums = fs::read_to_string(loads.join("1/SHA256SUMS")).expect("sums");
        assert_eq!(sums.lines().count(), 2);
    }
}
