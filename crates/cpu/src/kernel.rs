//! The one inner loop of products and convolutions: a tile of sums of products, kept in vector registers.
//!
//! `tile[i][j] = Σₚ a[rows[i] + p · step] · b[lanes(p) + j]`, where i runs through up to [`ROWS`] rows, whose values are
//! spread over a vector one at a time, and j through lanes, which are read as vectors. Neither side need be packed: rows
//! that lie one behind the other are read as they are, and what a convolution sees under its taps is an image at
//! different offsets.

use pulp::{Simd, WithSimd};

/// Most rows of a tile.
pub(crate) const ROWS: usize = 12;
/// Most lanes of a tile: two vectors of the widest instruction set. Narrower ones take several passes.
pub(crate) const LANES: usize = 32;

/// Where the vectors of a sum's terms begin.
#[derive(Clone, Copy)]
pub(crate) enum Lanes<'a> {
    /// This many elements after each other.
    Step(usize),
    /// Anywhere.
    At(&'a [usize]),
}

/// A tile to be computed.
pub(crate) struct Tile<'a> {
    pub(crate) terms: usize,
    pub(crate) a: &'a [f32],
    pub(crate) rows: &'a [usize],
    pub(crate) step: usize,
    pub(crate) b: &'a [f32],
    pub(crate) lanes: Lanes<'a>,
    /// Lanes that are wanted; b has them, and those up to the next multiple of [`LANES`] / 2, at each place.
    pub(crate) width: usize,
    /// Row i has its lanes at `i · LANES`.
    pub(crate) sums: &'a mut [f32; ROWS * LANES],
}

impl Tile<'_> {
    pub(crate) fn compute(self) {
        assert!(self.rows.len() <= ROWS && self.width <= LANES);
        let wide = self.width.next_multiple_of(LANES / 2);
        if self.terms > 0 {
            let last = match self.lanes {
                Lanes::Step(step) => (self.terms - 1) * step,
                Lanes::At(places) => places[..self.terms].iter().copied().max().unwrap_or(0),
            };
            let row = self.rows.iter().copied().max().unwrap_or(0) + (self.terms - 1) * self.step;
            assert!(row < self.a.len() && last + wide <= self.b.len(), "a tile inside of its operands");
        }
        pulp::Arch::new().dispatch(self);
    }
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.lanes {
            Lanes::Step(step) => passes(simd, self, |p| p * step),
            Lanes::At(places) => passes(simd, self, |p| places[p]),
        }
    }
}

/// As many rows and vectors at once as the registers hold, in parts of nearly one size.
#[inline(always)]
fn passes<S: Simd>(simd: S, tile: Tile<'_>, place: impl Fn(usize) -> usize + Copy) {
    let Tile { terms, a, rows, step, b, width, sums, .. } = tile;
    let most = match S::F32_LANES {
        16.. => 12,
        4 if cfg!(target_arch = "aarch64") => 12,
        _ => 6,
    };
    let part = chunk(rows.len(), most);
    let mut j = 0;
    while j < width {
        let two = width - j > S::F32_LANES;
        for i in (0..rows.len()).step_by(part) {
            let rows = &rows[i..rows.len().min(i + part)];
            let part = Part { terms, a, rows, step, b, j, sums: &mut sums[i * LANES + j..] };
            // The compiler drops what `most` rules out.
            match rows.len().min(most) {
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
    step: usize,
    b: &'a [f32],
    j: usize,
    sums: &'a mut [f32],
}

impl Part<'_> {
    #[inline(always)]
    fn columns<S: Simd, const M: usize>(self, simd: S, two: bool, place: impl Fn(usize) -> usize) {
        if two { self.block::<S, M, 2>(simd, place) } else { self.block::<S, M, 1>(simd, place) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn block<S: Simd, const M: usize, const V: usize>(self, simd: S, place: impl Fn(usize) -> usize) {
        let Part { terms, a, rows, step, b, j, sums } = self;
        let rows: [usize; M] = std::array::from_fn(|i| rows[i]);
        let mut acc = [[simd.splat_f32s(0.0); V]; M];
        for p in 0..terms {
            let lanes = place(p) + j;
            // SAFETY: `Tile::compute` has checked that the last row and the last lane at every place are inside.
            let b: [S::f32s; V] = std::array::from_fn(|v| unsafe {
                b.as_ptr().add(lanes + v * S::F32_LANES).cast::<S::f32s>().read_unaligned()
            });
            for i in 0..M {
                // SAFETY: as above.
                let a = simd.splat_f32s(unsafe { *a.get_unchecked(rows[i] + p * step) });
                for v in 0..V {
                    acc[i][v] = simd.mul_add_e_f32s(a, b[v], acc[i][v]);
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                let out = &mut sums[i * LANES + v * S::F32_LANES..][..S::F32_LANES];
                // SAFETY: the slice has the size of a vector.
                unsafe { out.as_mut_ptr().cast::<S::f32s>().write_unaligned(*acc) };
            }
        }
    }
}
