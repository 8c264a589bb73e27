//! The day without its GPU: in a bare system of its own, without a network, with software in the GPU's place.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use super::{
    folder,
    report::{self, Ended, Step},
};
use crate::workspace::{find_program, target_dir};

/// Run every part in a bare Ubuntu without a network, lavapipe in place of the GPU; parts that need CUDA say so.
///
/// Needs root, debootstrap and what `gpu-day pack` made. Fails where a step fails, a part takes longer than its limit, or
/// what comes back is too large. What was measured is no figure of a GPU: it goes to target/gpu-day/rehearsal.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A part to rehearse; repeat it for more [default: all, or 1 to 3 and 5 where no browser was packed]
    #[arg(long = "part", value_name = "1-5", value_parser = clap::value_parser!(u32).range(1..=5))]
    parts: Vec<u32>,
    /// Where Ubuntu's packages are
    #[arg(long, value_name = "URL", default_value = "http://archive.ubuntu.com/ubuntu")]
    mirror: String,
}

const SUITE: &str = "noble";
/// What the GPU's machine has, and Mesa's driver in place of NVIDIA's.
const PACKAGES: &str = "python3,mesa-vulkan-drivers";
/// Bytes of an archive that can be fetched.
const ARCHIVE: u64 = 16_000_000;
/// Seconds beyond a part's limit that starting and packing may take.
const GRACE: f64 = 15.0;

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    for program in ["debootstrap", "unshare", "ip"] {
        find_program(program).with_context(|| format!("`{program}` is missing: apt-get install {program}"))?;
    }
    let source = folder(sh);
    ensure!(source.join("loads/1").is_dir(), "nothing is packed: cargo xtask gpu-day pack");
    let root = root(sh, &args.mirror)?;
    let there = root.join("work/gpu-day");
    sh.remove_path(&there)?;
    sh.create_dir(&there)?;
    let (script, turns, loads) = (source.join("run.sh"), source.join("turns.py"), source.join("loads"));
    cmd!(sh, "cp -r {script} {turns} {loads} {there}").run()?;
    let archives = target_dir(sh)?.join("gpu-day/rehearsal");
    sh.remove_path(&archives)?;
    sh.create_dir(&archives)?;

    in_root(sh, &root, "unpack")?;
    let limits = limits(&fs::read_to_string(source.join("run.sh"))?)?;
    let has_browser = there.join("room/browser.done").exists();
    let all = (1..=5).filter(|part| has_browser || *part != 4);
    let parts: Vec<u32> = if args.parts.is_empty() { all.collect() } else { args.parts.clone() };
    let mut faults = vec![];
    for &part in &parts {
        let clock = Instant::now();
        in_root(sh, &root, &part.to_string())?;
        let (seconds, limit) = (clock.elapsed().as_secs_f64(), limits[part as usize]);
        println!("part {part}: {seconds:.0} s of {limit:.0} s");
        if seconds > limit + GRACE {
            faults.push(format!("part {part} took {seconds:.0} s, its limit is {limit:.0} s"));
        }
        let archive = there.join(format!("out/part-{part}.tar.gz"));
        let bytes = fs::metadata(&archive).with_context(|| format!("part {part} left no archive"))?.len();
        if bytes > ARCHIVE {
            faults.push(format!("part {part} left {bytes} bytes, and {ARCHIVE} can be fetched"));
        }
        fs::copy(&archive, archives.join(format!("part-{part}.tar.gz")))?;
    }
    let day = report::read(sh, &archives)?;
    let failed = |step: &&Step| matches!(step.ended, Ended::Failed(_));
    faults.extend(day.steps.iter().filter(failed).map(|step| format!("{}: {}", step.name, step.ended)));
    report::write(&day, &archives)?;
    ensure!(faults.is_empty(), "the rehearsal found:\n{}", faults.join("\n"));
    let skipped: Vec<String> = (1..=5).filter(|part| !parts.contains(part)).map(|part: u32| part.to_string()).collect();
    if !skipped.is_empty() {
        println!("not rehearsed: part {}", skipped.join(", "));
    }
    println!("the rehearsal ran within its limits: {}", archives.display());
    Ok(())
}

/// Seconds that `run.sh` gives each part, from its line `limits=(0 90 …)`.
fn limits(script: &str) -> Result<Vec<f64>> {
    let list = script.lines().find_map(|line| line.strip_prefix("limits=(")?.strip_suffix(')'));
    let numbers = list.into_iter().flat_map(|list| list.split(' ')).map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    ensure!(numbers.len() == 6, "run.sh has no line of limits=(…) for its five parts");
    Ok(numbers)
}

/// A bare system, made once. It has a Vulkan driver and no loader, as the machine with the GPU may.
fn root(sh: &Shell, mirror: &str) -> Result<PathBuf> {
    let root = target_dir(sh)?.join("gpu-day-root");
    if root.join("made").exists() {
        return Ok(root);
    }
    sh.remove_path(&root)?;
    // Every release of Ubuntu is made as this one; not every Debian knows the newer names.
    let (include, components) = (format!("--include={PACKAGES}"), "--components=main,universe");
    cmd!(sh, "debootstrap --variant=minbase {components} {include} {SUITE} {root} {mirror} gutsy").run()?;
    for entry in fs::read_dir(root.join("usr/lib/x86_64-linux-gnu"))? {
        let path = entry?.path();
        if path.file_name().unwrap_or_default().to_string_lossy().starts_with("libvulkan.so.1") {
            fs::remove_file(path)?;
        }
    }
    cmd!(sh, "chroot {root} ldconfig").run()?;
    fs::write(root.join("made"), "")?;
    Ok(root)
}

/// `run.sh PART` in that system: its own processes, no network but itself.
fn in_root(sh: &Shell, root: &Path, part: &str) -> Result<()> {
    let apart = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
    let script = r#"set -e
ip link set lo up
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
exec chroot "$1" env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 REHEARSAL=1 \
    bash /work/gpu-day/run.sh "$2""#;
    cmd!(sh, "unshare {apart...} bash -c {script} rehearsal {root} {part}").quiet().run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::limits;

    #[test]
    fn limits_are_those_of_the_script() {
        let script = include_str!("../../../../gpu-day/run.sh");
        assert_eq!(limits(script).expect("it has them"), [0.0, 90.0, 120.0, 60.0, 180.0, 240.0]);
        assert!(limits("limits=(0 90)\n").is_err() && limits("").is_err());
    }
}
