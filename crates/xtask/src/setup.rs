//! `cargo xtask setup`: what the other commands need, as far as it can be installed without asking.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::cuda;

/// A program that a check calls, and the Debian package that brings it.
pub(crate) struct Need {
    program: &'static [&'static str],
    package: &'static str,
}

/// libFuzzer is C++ and is compiled with the fuzz targets.
pub(crate) const CXX: Need = Need { program: &["c++", "--version"], package: "g++" };

/// pip fetches the CUDA toolkit where none is installed.
pub(crate) const PIP: Need = Need { program: &["python3", "-m", "pip", "--version"], package: "python3-pip" };

impl Need {
    /// Why a check that needs this program cannot run, or `None` where it can.
    pub(crate) fn missing(&self, sh: &Shell) -> Option<String> {
        let (program, arguments) = self.program.split_first().expect("every need names a program");
        let runs = cmd!(sh, "{program} {arguments...}").quiet().ignore_stdout().ignore_stderr().run().is_ok();
        (!runs).then(|| format!("`{}` does not run: apt-get install {}", self.program.join(" "), self.package))
    }
}

/// Installs the wasm32 target, and names system packages that are missing (as root or with CI=1: installs them).
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "rustup target add wasm32-unknown-unknown").run()?;

    let mut needs = vec![CXX];
    if cuda::find(sh)?.is_none() {
        needs.push(PIP);
    }
    for need in needs.iter().filter(|need| need.missing(sh).is_some()) {
        let package = need.package;
        let commands = [cmd!(sh, "apt-get update"), cmd!(sh, "apt-get install --yes {package}")];
        for command in commands {
            if may_install(sh) {
                command.run()?;
            } else {
                println!("to install a missing system package: sudo {command}");
            }
        }
    }
    Ok(())
}

/// System packages belong to the machine's owner: only root, or a machine that says it is there for this, installs them.
fn may_install(sh: &Shell) -> bool {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true");
    ci || cmd!(sh, "id -u").quiet().ignore_stderr().read().is_ok_and(|id| id == "0")
}
