//! Where a plan's buffers are while it runs.
//!
//! This is the one place that reads and writes what threads share. Why it may:
//!
//! - A [`Span`] is made of all elements of a vector that is there, and its count is that vector's. The engine holds the
//!   vectors, neither resizes nor drops one while jobs run, and binds all spans anew before the jobs run again.
//! - Everything that is handed out was found inside of its span.
//! - A plan orders its steps, and a job divides its own, so that an element that one task writes is neither read nor
//!   written by another one at the same time. References must not cover such an element either, whatever is read through
//!   them. So a buffer that anybody writes during a job is lent by exactly those elements that a task reads or writes: as a
//!   slice where they lie side by side, as [`Apart`] where others lie between them. Only operands of products, convolutions
//!   and poolings are lent whole: a plan lets no step write its own operand.
//! - Jobs come one behind the other: [`crate::team::Team::run`] returns when all tasks are done, and what they wrote is
//!   then seen by everyone.

use std::{marker::PhantomData, ops::Range};

use compiler::BufferId;
use graph::{DType, HostData, HostTensor};

/// Words of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 16;

/// The elements of a buffer. Integers of 32 bits are kept as the bits of an f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pointer: *mut u8,
    count: usize,
    dtype: DType,
    writable: bool,
}

/// All of a buffer, of which nothing is lent yet.
#[derive(Clone, Copy)]
pub(crate) struct Elements<'a, T> {
    first: *const T,
    count: usize,
    memory: PhantomData<&'a Memory>,
}

/// Elements at equal distances, each of which is read by itself.
#[derive(Clone, Copy)]
pub(crate) struct Apart<'a, T> {
    first: *const T,
    stride: usize,
    count: usize,
    memory: PhantomData<&'a Memory>,
}

/// All buffers of a step, by number, which threads share and write through.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<Option<Span>>);

// SAFETY: see the head of this file.
#[allow(unsafe_code)]
unsafe impl Sync for Memory {}

#[allow(unsafe_code)]
impl Memory {
    pub(crate) fn new(buffers: usize) -> Self {
        Memory(vec![None; buffers])
    }

    pub(crate) fn set(&mut self, buffer: BufferId, span: Span) {
        self.0[buffer] = Some(span);
    }

    /// A buffer of f32, or the bits of u32, of which parts are read.
    #[inline]
    pub(crate) fn all_words(&self, buffer: BufferId) -> Elements<'_, f32> {
        let span = self.0[buffer].expect("every buffer is bound before the step");
        assert_ne!(span.dtype, DType::U8, "bytes are read as such");
        Elements { first: span.pointer.cast(), count: span.count, memory: PhantomData }
    }

    /// A buffer of bytes, of which parts are read.
    #[inline]
    pub(crate) fn all_bytes(&self, buffer: BufferId) -> Elements<'_, u8> {
        let span = self.0[buffer].expect("every buffer is bound before the step");
        assert_eq!(span.dtype, DType::U8, "words are read as such");
        Elements { first: span.pointer, count: span.count, memory: PhantomData }
    }

    /// Elements of f32, or the bits of u32.
    pub(crate) fn words(&self, buffer: BufferId, range: Range<usize>) -> &[f32] {
        self.all_words(buffer).slice(range)
    }

    /// Elements to be written by one task.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn words_mut(&self, buffer: BufferId, range: Range<usize>) -> &mut [f32] {
        let span = self.0[buffer].expect("every buffer is bound before the step");
        assert!(span.writable, "inputs and bytes are never written");
        assert!(range.start <= range.end && range.end <= span.count, "{range:?} of {}", span.count);
        // SAFETY: the range is inside; the memory lives and lies as for `f32` while it is bound, since only words are
        // writable; no other task touches these elements now.
        unsafe { std::slice::from_raw_parts_mut(span.pointer.cast::<f32>().add(range.start), range.len()) }
    }

    /// Brings words that will be read soon nearer, where the machine can be asked to.
    pub(crate) fn will_read(&self, buffer: BufferId, range: Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        for line in self.words(buffer, range).chunks(LINE) {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: a prefetch changes nothing, wherever it points; every x86-64 processor has it.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (buffer, range);
    }

    pub(crate) fn count(&self, buffer: BufferId) -> usize {
        self.0[buffer].expect("every buffer is bound before the step").count
    }
}

/// From the first element to the last.
fn reach(first: usize, stride: usize, count: usize) -> Range<usize> {
    // What is too far for a number is outside of every span.
    let farthest = (count.max(1) - 1).saturating_mul(stride);
    first..first.saturating_add(farthest).saturating_add(count.min(1))
}

#[allow(unsafe_code)]
impl<'a, T> Elements<'a, T> {
    /// Some that lie side by side.
    #[inline]
    pub(crate) fn slice(self, range: Range<usize>) -> &'a [T] {
        assert!(range.start <= range.end && range.end <= self.count, "{range:?} of {}", self.count);
        // SAFETY: the range is inside; the memory lives and lies as for `T` while it is bound; nobody writes these elements
        // now.
        unsafe { std::slice::from_raw_parts(self.first.add(range.start), range.len()) }
    }

    /// `count` elements, from the `first` on, `stride` from each other.
    #[inline]
    pub(crate) fn apart(self, first: usize, stride: usize, count: usize) -> Apart<'a, T> {
        let reach = reach(first, stride, count);
        assert!(reach.start <= reach.end && reach.end <= self.count, "{reach:?} of {}", self.count);
        // SAFETY: the first one is inside, or behind the last where there is none.
        let first = unsafe { self.first.add(first) };
        Apart { first, stride, count, memory: PhantomData }
    }
}

impl<T: Copy> Apart<'_, T> {
    /// Calls `f` with each of `out`, as many as there are, and the element of the same number.
    ///
    /// # Panics
    /// Where `out` has another number.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn combine(self, out: &mut [f32], f: impl Fn(&mut f32, T)) {
        assert_eq!(out.len(), self.count);
        // SAFETY: for a number below `count`: all up to the last one were found inside, and nobody writes them now.
        let at = |element: usize| unsafe { *self.first.add(element) };
        // The compiler makes vectors of distances that it knows.
        match self.stride {
            0 if out.is_empty() => {}
            0 => {
                let value = at(0);
                out.iter_mut().for_each(|out| f(out, value));
            }
            1 => out.iter_mut().enumerate().for_each(|(i, out)| f(out, at(i))),
            2 => out.iter_mut().enumerate().for_each(|(i, out)| f(out, at(2 * i))),
            stride => out.iter_mut().enumerate().for_each(|(i, out)| f(out, at(stride * i))),
        }
    }
}

#[allow(unsafe_code)]
impl Span {
    /// All of a tensor that is only read.
    pub(crate) fn input(tensor: &HostTensor) -> Self {
        let (pointer, count) = match tensor.data() {
            HostData::F32(data) => (data.as_ptr().cast_mut().cast(), data.len()),
            HostData::U32(data) => (data.as_ptr().cast_mut().cast(), data.len()),
            HostData::U8(data) => (data.as_ptr().cast_mut(), data.len()),
        };
        Span { pointer, count, dtype: tensor.dtype(), writable: false }
    }

    /// All of a tensor, which is written where it has words.
    pub(crate) fn of(tensor: &mut HostTensor) -> Self {
        let dtype = tensor.dtype();
        let (pointer, count) = if let Some(data) = tensor.as_f32_mut() {
            (data.as_mut_ptr().cast(), data.len())
        } else if let Some(data) = tensor.as_u32_mut() {
            (data.as_mut_ptr().cast(), data.len())
        } else {
            return Span::input(tensor);
        };
        Span { pointer, count, dtype, writable: true }
    }

    /// All of a block.
    pub(crate) fn block(block: &mut [f32]) -> Self {
        Span { pointer: block.as_mut_ptr().cast(), count: block.len(), dtype: DType::F32, writable: true }
    }

    /// Some of its words.
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.count && self.dtype != DType::U8);
        // SAFETY: the first one is inside, or behind the last.
        let pointer = unsafe { self.pointer.cast::<f32>().add(range.start) }.cast();
        Span { pointer, count: range.len(), ..self }
    }
}
