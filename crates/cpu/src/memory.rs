//! Where a plan's buffers are while it runs.

use std::ops::Range;

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
}

/// All buffers of a step, by number.
///
/// Threads share it and write through it. That is sound since tasks that run at the same time write different elements,
/// and read none that another one writes: the plan orders its steps so, and each job divides its part so.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<Option<Span>>);

// SAFETY: see above.
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

    fn get(&self, buffer: BufferId, range: &Range<usize>) -> Span {
        let span = self.0[buffer].expect("every buffer is bound before the step");
        assert!(range.start <= range.end && range.end <= span.count, "{range:?} of {}", span.count);
        span
    }

    /// Elements of f32, or the bits of u32.
    pub(crate) fn words(&self, buffer: BufferId, range: Range<usize>) -> &[f32] {
        let span = self.get(buffer, &range);
        assert_ne!(span.dtype, DType::U8, "bytes are read as such");
        // SAFETY: the range is inside; the memory lives and lies as for `f32` while it is bound; nobody writes it now.
        unsafe { std::slice::from_raw_parts(span.pointer.cast::<f32>().add(range.start), range.len()) }
    }

    pub(crate) fn bytes(&self, buffer: BufferId, range: Range<usize>) -> &[u8] {
        let span = self.get(buffer, &range);
        assert_eq!(span.dtype, DType::U8, "words are read as such");
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(span.pointer.add(range.start), range.len()) }
    }

    /// The same to be written by one task.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn words_mut(&self, buffer: BufferId, range: Range<usize>) -> &mut [f32] {
        let span = self.get(buffer, &range);
        assert_ne!(span.dtype, DType::U8, "bytes are never written");
        // SAFETY: as above, and no other task touches these elements now.
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

impl Span {
    /// All of a tensor that is only read.
    pub(crate) fn input(tensor: &HostTensor) -> Self {
        let pointer = match &tensor.data {
            HostData::F32(data) => data.as_ptr().cast_mut().cast(),
            HostData::U32(data) => data.as_ptr().cast_mut().cast(),
            HostData::U8(data) => data.as_ptr().cast_mut(),
        };
        Span { pointer, count: tensor.shape.count(), dtype: tensor.dtype() }
    }

    /// All of a tensor of words.
    pub(crate) fn of(tensor: &mut HostTensor) -> Self {
        let pointer = match &mut tensor.data {
            HostData::F32(data) => data.as_mut_ptr().cast(),
            HostData::U32(data) => data.as_mut_ptr().cast(),
            HostData::U8(data) => data.as_mut_ptr(),
        };
        Span { pointer, count: tensor.shape.count(), dtype: tensor.dtype() }
    }

    /// Part of a block.
    pub(crate) fn part(block: &mut [f32], range: Range<usize>) -> Self {
        let part = &mut block[range];
        Span { pointer: part.as_mut_ptr().cast(), count: part.len(), dtype: DType::F32 }
    }
}
