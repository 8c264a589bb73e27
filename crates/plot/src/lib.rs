//! Curves over steps, and charts of them as SVG text.
//!
//! This crate does not know what is plotted, nor who shows it: there is no browser here, and no unit but the pixel.
//! Colours and dashes come from a page's style sheet, by the class of a series: `.training { color: navy }`,
//! `.other { color: gray; stroke-dasharray: 5 3 }`. Everything else is in the text, which is whole without a style sheet;
//! one may hide ranges (`.other .range`), soften what is not a curve (`.grid`, `.axis`, `.mark`), or draw names on a
//! ground of their own (`.name { paint-order: stroke; stroke: white; stroke-width: 4px; stroke-dasharray: none }`).
//!
//! ```
//! use plot::{Chart, Curve, Scale, Series};
//!
//! let mut curve = Curve::new(0, 10);
//! (1..=300).for_each(|step| curve.push(step, 2.0 / step as f64));
//! let series =
//!     Series { name: "training".into(), class: "training".into(), symbol: None, points: curve.points().collect() };
//! let chart = Chart {
//!     width: 600.0,
//!     height: 240.0,
//!     x_title: "step".into(),
//!     y_title: "loss".into(),
//!     last: 500.0,
//!     scale: Scale::Linear,
//!     series: vec![series],
//!     marks: vec![],
//! };
//! assert!(chart.svg().starts_with("<svg"));
//! let reading = chart.at(chart.place(99.7)).expect("there are points");
//! assert_eq!((reading.x, reading.points[0].expect("the curve goes on").mean), (100.0, 0.02));
//! ```

mod axis;
mod chart;
mod curve;
mod svg;
mod text;

pub use axis::Axis;
pub use chart::{Chart, Frame, Mark, Point, Reading, Scale, Series, Symbol};
pub use curve::Curve;
