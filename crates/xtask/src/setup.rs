//! `cargo xtask setup`: what the other commands need, as far as it can be installed without asking.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::cuda;

/// What a check needs of the machine, and the Debian package that brings it.
pub(crate) struct Need {
    sign: Sign,
    package: &'static str,
}

/// What shows that it is there.
enum Sign {
    /// A command that succeeds.
    Runs(&'static [&'static str]),
    /// A folder that holds something.
    Filled(&'static str),
}

/// libFuzzer is C++ and is compiled with the fuzz targets.
pub(crate) const CXX: Need = Need { sign: Sign::Runs(&["c++", "--version"]), package: "g++" };

/// pip fetches the CUDA toolkit where none is installed.
pub(crate) const PIP: Need = Need { sign: Sign::Runs(&["python3", "-m", "pip", "--version"]), package: "python3-pip" };

/// A Vulkan driver: on a machine without a GPU, Mesa's, which computes on the CPU.
const VULKAN: Need = Need { sign: Sign::Filled("/usr/share/vulkan/icd.d"), package: "mesa-vulkan-drivers" };

/// The browser that kernels are compiled in, too.
pub(crate) const CHROMIUM: Need = Need { sign: Sign::Runs(&["chromium", "--version"]), package: "chromium" };

/// The other browser that the page is used in.
pub(crate) const FIREFOX: Need = Need { sign: Sign::Runs(&["firefox-esr", "--version"]), package: "firefox-esr" };

/// A third browser, in which the page is tested where somebody has installed it. Its windows want a display.
pub(crate) const WEBKIT: Need =
    Need { sign: Sign::Runs(&["xvfb-run", "-a", "WebKitWebDriver", "--help"]), package: "webkit2gtk-driver xvfb" };

/// Node drives the browsers in the page's tests.
pub(crate) const NPM: Need = Need { sign: Sign::Runs(&["npm", "--version"]), package: "npm" };

impl Need {
    /// Why a check that needs this cannot run, or `None` where it can.
    pub(crate) fn missing(&self, sh: &Shell) -> Option<String> {
        let (present, what) = match self.sign {
            Sign::Runs(command) => {
                let (program, arguments) = command.split_first().expect("every command names a program");
                let runs = cmd!(sh, "{program} {arguments...}").quiet().ignore_stdout().ignore_stderr().run().is_ok();
                (runs, format!("`{}` does not run", command.join(" ")))
            }
            Sign::Filled(folder) => {
                let filled = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
                (filled, format!("{folder} is empty"))
            }
        };
        (!present).then(|| format!("{what}: apt-get install {}", self.package))
    }
}

/// Installs the wasm32 target, and names system packages that are missing (as root or with CI=1: installs them).
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "rustup target add wasm32-unknown-unknown").run()?;

    let mut needs = vec![CXX];
    if cfg!(target_os = "linux") {
        needs.extend([VULKAN, CHROMIUM, FIREFOX, NPM]); // elsewhere the system has a driver, and browsers are installed otherwise
    }
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
