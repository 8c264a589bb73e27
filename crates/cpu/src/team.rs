//! Threads that share tasks.
//!
//! A step of 300 µs is some ten jobs, so that a job must begin and end within microseconds: between jobs threads look for
//! work for a while before they sleep. Nobody waits for a thread that has not begun: where cores are busy with something
//! else, who has one does all of the work.
//!
//! # Why the orders of memory suffice
//!
//! Everything turns on one word, the gate: the number of a job, whether it is open, and how many helpers are inside.
//!
//! - *What the caller wrote before a job is seen inside.* It stores `work` and the shares (relaxed), then opens the gate
//!   with a store that releases. Who joins does so by an exchange that acquires and reads this store, or the exchange of
//!   somebody who joined or left before: such changes only continue the store's release sequence.
//! - *What tasks wrote is seen when `run` returns, and in the next job.* Who leaves subtracts with release. Leaving, joining
//!   and closing are changes of what was read, so the value that the caller waits for (this job, closed, nobody inside) ends
//!   the release sequence of every leaving, and its acquiring load comes after all of them: also before `failed` is read.
//! - *Nobody is inside when `work` and the shares are written.* The gate is closed then, joining fails while it is, and the
//!   last `run` has waited for an empty one. Nothing but the gate is read outside. `run` takes the team by `&mut`, so that
//!   there is one caller.
//! - *The closure outlives its users.* The caller's own tasks are caught like those of the others (and what they panic with
//!   is text, which is dropped without another panic), so nothing between opening and waiting unwinds.
//! - *No wake-up is lost.* A helper says that it sleeps and then looks at the gate; the caller opens the gate and then looks
//!   who sleeps. All four are sequentially consistent, so at least one sees the other: either the helper does not park or it
//!   is unparked, and an unpark that comes first makes the park return. The end is told in the same way, to all.
//! - *Numbers of jobs may come round* (after 2¹⁶ jobs where a word has 32 bits). A helper takes a job for the one that it had
//!   last only if it slept through a whole round; then it stays out of one job, and nobody waits for it. An exchange that
//!   finds the gate as it was a round ago joins the job that is open now, which is what it wants.

use std::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::*},
    },
    thread::{self, JoinHandle},
};

/// Looks for work before a thread sleeps: some 50 µs.
const PATIENCE: usize = 2000;
/// Looks for the others before the core is lent to them: they may wait for it.
const HASTE: usize = 200;

/// In [`Shared::gate`]: whether the job may be joined; the lower bits count who has, the higher ones jobs.
const OPEN: usize = 1 << 15;
const JOB: usize = 1 << 16;

type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// The caller's thread and those that help it.
pub(crate) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

struct Shared {
    gate: AtomicUsize,
    work: UnsafeCell<Option<*const Work<'static>>>,
    /// For each member the tasks that are its own first: their memory is likely in its cache from the last step.
    shares: Vec<Share>,
    asleep: Vec<AtomicBool>,
    failed: AtomicBool,
    closing: AtomicBool,
}

/// A cache line each, so that members do not disturb each other.
#[repr(align(64))]
#[derive(Default)]
struct Share {
    next: AtomicUsize,
    end: AtomicUsize,
}

// SAFETY: `work` is written while the gate is closed and nobody is inside, and read only inside.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}
// SAFETY: the pointer is to something that is `Sync`.
#[allow(unsafe_code)]
unsafe impl Send for Shared {}

impl Team {
    /// A team of this many, the caller included.
    pub(crate) fn new(members: usize) -> std::io::Result<Self> {
        if members > OPEN {
            return Err(std::io::Error::other(format!("{OPEN} threads are the most")));
        }
        let shared = Arc::new(Shared {
            gate: AtomicUsize::new(0),
            work: UnsafeCell::new(None),
            shares: (0..members).map(|_| Share::default()).collect(),
            asleep: (0..members).map(|_| AtomicBool::new(false)).collect(),
            failed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let mut team = Team { shared, helpers: vec![] };
        for member in 1..members {
            let shared = team.shared.clone();
            team.helpers.push(thread::Builder::new().name(format!("cpu-{member}")).spawn(move || shared.help(member))?);
        }
        Ok(team)
    }

    /// How many they are.
    pub(crate) fn members(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Calls `work(member, task)` for every task, once, and returns when all are done.
    ///
    /// # Panics
    /// Where a task does.
    #[allow(unsafe_code)]
    pub(crate) fn run(&mut self, tasks: usize, work: &Work<'_>) {
        if tasks <= 1 || self.helpers.is_empty() {
            return (0..tasks).for_each(|task| work(0, task));
        }
        let shared = &*self.shared;
        for (i, share) in shared.shares.iter().enumerate() {
            share.next.store(tasks * i / self.members(), Relaxed);
            share.end.store(tasks * (i + 1) / self.members(), Relaxed);
        }
        // SAFETY: the gate is closed and everyone has left. The lifetime is longer than the truth; the pointer is used
        // only by those inside, and this function neither returns nor unwinds before all have left.
        unsafe { *shared.work.get() = Some(std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work)) };
        let job = (shared.gate.load(Relaxed) & !(JOB - 1)).wrapping_add(JOB);
        shared.gate.store(job | OPEN, SeqCst);
        for (asleep, helper) in shared.asleep[1..].iter().zip(&self.helpers) {
            if asleep.load(SeqCst) {
                helper.thread().unpark();
            }
        }
        shared.share(0, work);
        shared.gate.fetch_and(!OPEN, AcqRel);
        let mut looks = 0;
        while shared.gate.load(Acquire) != job {
            wait(&mut looks, HASTE, thread::yield_now);
        }
        assert!(!shared.failed.swap(false, Relaxed), "a task failed: see its message above");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            helper.join().unwrap_or_default(); // its failure was reported when it happened
        }
    }
}

impl Shared {
    fn help(&self, member: usize) {
        let (mut last, mut looks) = (0, 0);
        while !self.closing.load(Relaxed) {
            match self.join(last) {
                Some(job) => {
                    (last, looks) = (job, 0);
                    // SAFETY: from joining to leaving nobody writes the pointer, and what it points to is there.
                    #[allow(unsafe_code)]
                    let work = unsafe { (*self.work.get()).map(|work| &*work) };
                    if let Some(work) = work {
                        self.share(member, work);
                    }
                    self.gate.fetch_sub(1, Release);
                }
                None => wait(&mut looks, PATIENCE, || {
                    self.asleep[member].store(true, SeqCst);
                    // A job or the end may have come before the flag was seen.
                    if !self.is_open(last) && !self.closing.load(SeqCst) {
                        thread::park();
                    }
                    self.asleep[member].store(false, SeqCst);
                }),
            }
        }
    }

    fn is_open(&self, last: usize) -> bool {
        let gate = self.gate.load(SeqCst);
        gate & OPEN != 0 && gate & !(JOB - 1) != last
    }

    /// Enters the job that is open, unless it is the last one.
    fn join(&self, last: usize) -> Option<usize> {
        let enter = |gate: usize| (gate & OPEN != 0 && gate & !(JOB - 1) != last).then_some(gate + 1);
        self.gate.fetch_update(Acquire, Relaxed, enter).ok().map(|gate| gate & !(JOB - 1))
    }

    /// Own tasks, then those of the others.
    fn share(&self, member: usize, work: &Work<'_>) {
        let members = self.shares.len();
        for share in (member..member + members).map(|i| &self.shares[i % members]) {
            let end = share.end.load(Relaxed);
            loop {
                let task = share.next.fetch_add(1, Relaxed);
                if task >= end {
                    break;
                }
                let run = std::panic::AssertUnwindSafe(|| work(member, task));
                if std::panic::catch_unwind(run).is_err() {
                    self.failed.store(true, Relaxed);
                }
            }
        }
    }
}

fn wait(looks: &mut usize, most: usize, then: impl FnOnce()) {
    *looks += 1;
    if *looks < most {
        std::hint::spin_loop();
    } else {
        *looks = 0;
        then();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once() {
        for members in [1, 2, 3, 7] {
            let mut team = Team::new(members).expect("threads");
            for tasks in [0, 1, 2, 5, 100] {
                for _ in 0..if cfg!(miri) { 3 } else { 50 } {
                    let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                    team.run(tasks, &|_, task| {
                        done[task].fetch_add(1, Relaxed);
                    });
                    assert!(done.iter().all(|count| count.load(Relaxed) == 1), "{members} {tasks}");
                }
            }
        }
    }

    #[test]
    fn a_failing_task_fails_the_caller() {
        let mut team = Team::new(2).expect("threads");
        for fails in 0..4 {
            let run = || team.run(4, &|_, task| assert!(task != fails, "planted"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
        team.run(4, &|_, _| {});
    }

    /// What tasks write without atomics is seen by the caller and by the next job's tasks, whoever has them.
    #[test]
    fn what_was_written_is_seen() {
        struct Cells(Vec<UnsafeCell<usize>>);
        #[allow(unsafe_code)]
        // SAFETY: each task uses its own cell, one job after the other.
        unsafe impl Sync for Cells {}
        impl Cells {
            fn get(&self, i: usize) -> *mut usize {
                self.0[i].get()
            }
        }

        let mut team = Team::new(3).expect("threads");
        let cells = Cells((0..7).map(UnsafeCell::new).collect());
        for round in 0..if cfg!(miri) { 8 } else { 1000 } {
            if round % 4 == 3 {
                thread::sleep(std::time::Duration::from_millis(1)); // helpers go to sleep
            }
            team.run(7, &|_, task| {
                #[allow(unsafe_code)]
                // SAFETY: see above.
                unsafe {
                    *cells.get(task) += 1;
                }
            });
            #[allow(unsafe_code)]
            // SAFETY: all tasks are done.
            (0..7).for_each(|i| assert_eq!(unsafe { *cells.get(i) }, i + round + 1));
        }
    }

    #[test]
    fn more_threads_than_can_be_counted_are_refused() {
        assert!(Team::new(OPEN + 1).is_err());
    }
}
