//! Linking this crate into a fuzz target makes an allocation that is out of proportion a finding.
//!
//! libFuzzer measures memory that was touched, a second apart. A reader that believes a hostile header and reserves
//! gigabytes, then fails, would pass.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Bytes of one allocation. Inputs have a few kilobytes, and gzip grows them by 1 000 at most; a target whose inputs may
/// ask for more sets more.
pub static LIMIT: AtomicUsize = AtomicUsize::new(64 << 20);

struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

impl Bounded {
    fn check(size: usize) {
        if size > LIMIT.load(Relaxed) {
            // neither message nor panic can be formed here without allocating
            std::process::abort();
        }
    }
}

// SAFETY: every call goes to the system's allocator as it is, unless the process ends.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::check(size);
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}
