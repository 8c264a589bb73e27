//! The one inner loop of products and convolutions: a tile of sums of products, kept in vector registers.
//!
//! `tile[i][j] = Σₚ a[rows[i] + deep(p)] · b[lanes(p) + j]`, where i runs through up to [`ROWS`] rows, whose values are
//! spread over a vector one at a time, and j through lanes, which are read as vectors. Neither side need be packed: rows
//! that lie one behind the other are read as they are, and what a convolution sees under its taps is an image at
//! different offsets.

use pulp::{Simd, WithSimd};

use crate::vectors;

/// Most rows of a tile.
pub(crate) const ROWS: usize = 12;
/// Most lanes of a tile: two vectors of the widest instruction set. Narrower ones take several passes.
pub(crate) const LANES: usize = 32;

/// Terms that are added one after the other; sums of so many are added up in turn. Else the rounding of a sum over thousands
/// of images, of which each adds nearly the same, would drift with their number.
pub(crate) const RUN: usize = 512;

/// Where the terms of a sum are, from the first one on.
#[derive(Clone, Copy)]
pub(crate) enum Terms<'a> {
    /// This many elements after each other.
    Step(usize),
    /// Any places, and the farthest of them.
    At(&'a [usize], usize),
}

/// Any places, and the farthest of them.
pub(crate) struct Places {
    list: Vec<usize>,
    last: usize,
}

/// A tile to be computed.
pub(crate) struct Tile<'a> {
    pub(crate) terms: usize,
    pub(crate) a: &'a [f32],
    /// Where each row has its first term, and its others.
    pub(crate) rows: &'a [usize],
    pub(crate) deep: Terms<'a>,
    pub(crate) b: &'a [f32],
    pub(crate) lanes: Terms<'a>,
    /// Lanes that are wanted; b has them, and those up to the next multiple of [`LANES`] / 2, for each term.
    pub(crate) width: usize,
    /// Row i has its lanes at `i · pitch`, again up to that multiple.
    pub(crate) sums: &'a mut [f32],
    pub(crate) pitch: usize,
}

impl Places {
    pub(crate) fn new(list: Vec<usize>) -> Self {
        let last = list.iter().copied().max().unwrap_or(0);
        Places { list, last }
    }

    pub(crate) fn list(&self) -> &[usize] {
        &self.list
    }

    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms::At(&self.list, self.last)
    }
}

impl Terms<'_> {
    /// The farthest of some terms.
    fn last(&self, terms: usize) -> usize {
        match self {
            Terms::Step(step) => (terms - 1) * step,
            Terms::At(places, last) => {
                assert!(terms <= places.len(), "each term has a place");
                *last
            }
        }
    }

    /// Those from one on, and how much farther the first of them is.
    fn from(self, first: usize) -> (Self, usize) {
        match self {
            Terms::Step(step) => (self, first * step),
            Terms::At(places, last) => (Terms::At(&places[first..], last), 0),
        }
    }
}

impl Tile<'_> {
    /// Run by run.
    pub(crate) fn compute(self) {
        let Tile { terms, a, rows, deep, b, lanes, width, sums, pitch } = self;
        Tile { terms: terms.min(RUN), sums, ..self }.compute_run();
        for first in (RUN..terms).step_by(RUN) {
            let mut more = [0.0; ROWS * LANES];
            let ((deep, a_first), (lanes, b_first)) = (deep.from(first), lanes.from(first));
            let (a, b, terms) = (&a[a_first..], &b[b_first..], RUN.min(terms - first));
            Tile { terms, a, rows, deep, b, lanes, width, sums: &mut more, pitch: LANES }.compute_run();
            for (sums, more) in sums.chunks_mut(pitch).zip(more.chunks(LANES)).take(rows.len()) {
                sums.iter_mut().zip(&more[..width]).for_each(|(sum, more)| *sum += more);
            }
        }
    }

    fn compute_run(self) {
        assert!(self.rows.len() <= ROWS && self.width <= LANES);
        let wide = self.width.next_multiple_of(LANES / 2);
        if self.terms > 0 {
            let row = self.rows.iter().copied().max().unwrap_or(0) + self.deep.last(self.terms);
            let lane = self.lanes.last(self.terms) + wide;
            assert!(row < self.a.len() && lane <= self.b.len(), "a tile inside of its operands");
        }
        assert!(self.rows.is_empty() || (self.rows.len() - 1) * self.pitch + wide <= self.sums.len());
        // Half a vector in its own right is as fast as a whole one of which half is wasted, and two run at once.
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let (pulp::Arch::V4(wider), true) = (pulp::Arch::new(), self.width <= LANES / 4) {
            return Simd::vectorize(*wider, self);
        }
        vectors::dispatch(self);
    }
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(unsafe_code)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `compute_run` has checked that there are as many places as terms.
        let at = |places: &[usize], p: usize| unsafe { *places.get_unchecked(p) };
        match (self.deep, self.lanes) {
            (Terms::Step(a), Terms::Step(b)) => passes(simd, self, |p| (p * a, p * b)),
            (Terms::Step(a), Terms::At(b, _)) => passes(simd, self, |p| (p * a, at(b, p))),
            (Terms::At(a, _), Terms::Step(b)) => passes(simd, self, |p| (at(a, p), p * b)),
            (Terms::At(..), Terms::At(..)) => unreachable!("no kernel looks both up"),
        }
    }
}

/// Most rows of two vectors that the registers hold.
const fn most_rows<S: Simd>() -> usize {
    match S::F32_LANES {
        16.. => 12,
        4 if cfg!(target_arch = "aarch64") => 12,
        // What compiles wasm for x86-64 needs some of the 16 registers itself.
        4 if cfg!(target_arch = "wasm32") => 4,
        _ => 6,
    }
}

/// As many rows and vectors at once as the registers hold, in parts of nearly one size.
#[inline(always)]
fn passes<S: Simd>(simd: S, tile: Tile<'_>, place: impl Fn(usize) -> (usize, usize) + Copy) {
    let Tile { terms, a, rows, b, width, sums, pitch, .. } = tile;
    let most = most_rows::<S>();
    let mut j = 0;
    while j < width {
        let two = width - j > S::F32_LANES;
        let most = if two { most } else { 2 * most };
        let part = chunk(rows.len(), most);
        for i in (0..rows.len()).step_by(part) {
            let rows = &rows[i..rows.len().min(i + part)];
            let part = Part { terms, a, rows, b, j, sums: &mut sums[i * pitch + j..], pitch };
            match rows.len() {
                1 => part.columns::<S, 1>(simd, two, place),
                2 => part.columns::<S, 2>(simd, two, place),
                3 => part.columns::<S, 3>(simd, two, place),
                4 => part.columns::<S, 4>(simd, two, place),
                5 => part.columns::<S, 5>(simd, two, place),
                6 => part.columns::<S, 6>(simd, two, place),
                7 => part.columns::<S, 7>(simd, two, place),
                8 => part.columns::<S, 8>(simd, two, place),
                9 => part.columns::<S, 9>(simd, two, place),
                10 => part.columns::<S, 10>(simd, two, place),
                11 => part.columns::<S, 11>(simd, two, place),
                _ => part.columns::<S, 12>(simd, two, place),
            }
        }
        j += if two { 2 } else { 1 } * S::F32_LANES;
    }
}

/// The size of the parts, none larger than `most`, into which `count` is divided evenly.
pub(crate) fn chunk(count: usize, most: usize) -> usize {
    count.div_ceil(count.div_ceil(most).max(1)).max(1)
}

struct Part<'a> {
    terms: usize,
    a: &'a [f32],
    rows: &'a [usize],
    b: &'a [f32],
    j: usize,
    sums: &'a mut [f32],
    pitch: usize,
}

impl Part<'_> {
    #[inline(always)]
    fn columns<S: Simd, const M: usize>(self, simd: S, two: bool, place: impl Fn(usize) -> (usize, usize)) {
        // Where registers hold few rows, `passes` gives no more, and code for more would only be larger.
        match two {
            true if M <= most_rows::<S>() => self.block::<S, M, 2>(simd, place),
            false if M <= 2 * most_rows::<S>() => self.block::<S, M, 1>(simd, place),
            _ => unreachable!("`passes` gives no more rows"),
        }
    }

    // In wasm each shape is a function of its own: V8 (seen in node 20) gives values of one that contains them all no
    // registers, and 784-800-800-10 trains at 41 instead of 64 steps/s.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(all(target_arch = "wasm32", feature = "relaxed-simd"), target_feature(enable = "relaxed-simd"))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    #[allow(unsafe_code)]
    fn block<S: Simd, const M: usize, const V: usize>(self, simd: S, place: impl Fn(usize) -> (usize, usize)) {
        let Part { terms, a, rows, b, j, sums, pitch } = self;
        // SAFETY: `Tile::compute_run` has checked that each row's terms are inside.
        let rows: [*const f32; M] = std::array::from_fn(|i| unsafe { a.as_ptr().add(rows[i]) });
        let mut acc = [[simd.splat_f32s(0.0); V]; M];
        for p in 0..terms {
            let (deep, lanes) = place(p);
            let lanes = lanes + j;
            // SAFETY: `Tile::compute_run` has checked that the last row and the last lane at every place are inside.
            let b: [S::f32s; V] = std::array::from_fn(|v| unsafe {
                b.as_ptr().add(lanes + v * S::F32_LANES).cast::<S::f32s>().read_unaligned()
            });
            for i in 0..M {
                // SAFETY: as above.
                let a = simd.splat_f32s(unsafe { *rows[i].add(deep) });
                for v in 0..V {
                    acc[i][v] = simd.mul_add_e_f32s(a, b[v], acc[i][v]);
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                let out = &mut sums[i * pitch + v * S::F32_LANES..][..S::F32_LANES];
                // SAFETY: the slice has the size of a vector.
                unsafe { out.as_mut_ptr().cast::<S::f32s>().write_unaligned(*acc) };
            }
        }
    }
}
