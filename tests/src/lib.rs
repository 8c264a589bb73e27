//! What the tests of engines share: the comparator, the tolerances, and the parity harness.

pub mod cases;
pub mod compare;
pub mod goldens;
pub mod parity;
pub mod presets;
pub mod tolerance;
