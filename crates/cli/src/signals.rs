//! Signals that end a run: Ctrl-C (INT), `kill` and `timeout` (TERM), a closed terminal (HUP), a limit of processor time
//! (XCPU), and those by which batch systems announce that a job's time is over (USR1, USR2). QUIT ends the program at once,
//! as KILL does. That a file has reached the limit of its size (XFSZ) is an error of who writes it, and no end.
//!
//! Before the first step there is nothing to keep, and the program ends at once. From then on a signal asks the run to
//! stop, and however many come, it is kept; only a second Ctrl-C, a second later or more, ends the program as the signal
//! itself would. What was ignored at the start, as HUP is under `nohup`, stays ignored.

use std::{
    io,
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::Duration,
};

const PREPARING: u8 = 0;
const TRAINING: u8 = 1;
const ASKED: u8 = 2;
const LEAVING: u8 = 3;

/// How long whoever reads what is written is waited for once the program is to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

static STATE: AtomicU8 = AtomicU8::new(PREPARING);

/// From here on a signal is asked for; where it comes before [`train`], it ends the program.
pub(crate) fn listen() -> io::Result<()> {
    wait_in_a_thread()
}

/// From here on there may be something to keep.
pub(crate) fn train() {
    if STATE.compare_exchange(PREPARING, TRAINING, Ordering::AcqRel, Ordering::Acquire).is_err() {
        loop {
            thread::park(); // the other thread is leaving
        }
    }
}

/// Whether the run is to stop.
pub(crate) fn is_asked() -> bool {
    STATE.load(Ordering::Acquire) == ASKED
}

/// Whether the run is to stop, or the program ends without one.
pub(crate) fn is_ending() -> bool {
    STATE.load(Ordering::Acquire) >= ASKED
}

#[cfg(unix)]
fn wait_in_a_thread() -> io::Result<()> {
    use std::{sync::Arc, time::Instant};

    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ},
        iterator::Signals,
        low_level,
    };

    use crate::{INTERRUPTED, say};

    /// Presses of Ctrl-C that are closer than this are one.
    const HASTE: Duration = Duration::from_secs(1);

    let ends = [SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2];
    let mut signals = Signals::new(ends.into_iter().filter(|&signal| !is_ignored(signal)))?;
    signal_hook::flag::register(SIGXFSZ, Arc::default())?; // whoever wrote is told as soon as somebody listens to it
    let wait = move || {
        let mut first = None;
        for signal in signals.forever() {
            if STATE.compare_exchange(PREPARING, LEAVING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                say("interrupted before the first step: there was nothing to keep, and no file was touched");
                low_level::exit(INTERRUPTED.into()); // at once: other threads may be compiling
            }
            STATE.store(ASKED, Ordering::Release);
            if signal == SIGINT && first.get_or_insert_with(Instant::now).elapsed() >= HASTE {
                let _ = low_level::emulate_default_handler(SIGINT); // ends the program
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    #[allow(unsafe_code)]
    // SAFETY: without a new action the call changes nothing, and where it succeeds it has written the present one.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
fn wait_in_a_thread() -> io::Result<()> {
    let asked = || STATE.store(ASKED, Ordering::Release);
    #[allow(unsafe_code)]
    // SAFETY: the handler stores to an atomic, no more.
    unsafe { signal_hook::low_level::register(signal_hook::consts::SIGINT, asked) }.map(drop)
}
