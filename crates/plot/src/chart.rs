//! What a chart shows, where it is, and what is read off it.

use crate::axis::Axis;
use crate::text::{LINE, short, width};

/// Most rows of a table.
const ROWS: usize = 12;
/// Pixels by which a place may lie beside a curve that has ended, and still be said to be on it.
const NEAR: f64 = 8.0;
/// Pixels from a tick to its text, and from the end of a line to its name.
pub(crate) const GAP: f64 = 10.0;

/// A place of a curve: what was counted since the place before it, and the smooth line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Point {
    pub x: f64,
    pub low: f64,
    pub mean: f64,
    pub high: f64,
    pub smooth: f64,
}

impl Point {
    /// One value, which stands for nothing else.
    pub fn exact(x: f64, value: f64) -> Self {
        Point { x, low: value, mean: value, high: value, smooth: value }
    }

    /// Whether it has a place in a picture: its numbers are finite, and what an axis makes of them will be.
    pub(crate) fn is_drawn(&self) -> bool {
        [self.x, self.low, self.mean, self.high, self.smooth].iter().all(|number| number.abs() < 1e300)
    }
}

/// What is drawn at each point of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Symbol {
    Circle,
    Square,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Stands at the end of the line.
    pub name: String,
    /// The CSS class of all that is drawn of it; gives `color`, and `stroke-dasharray` of the line.
    pub class: String,
    /// For few points: drawn at each of them. A point that stands alone gets one in any case.
    pub symbol: Option<Symbol>,
    /// With growing `x`. One that is not finite leaves a gap in the line.
    pub points: Vec<Point>,
}

impl Series {
    pub(crate) fn drawn(&self) -> impl DoubleEndedIterator<Item = &Point> {
        self.points.iter().filter(|point| point.is_drawn())
    }
}

/// Something that happened at one step: a line from top to bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When it happened.
    pub x: f64,
    /// A word or a symbol above the line.
    pub text: String,
    /// All of it.
    pub title: String,
}

/// What the y axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From 0, and below it where values are.
    Linear,
    /// Powers of ten.
    Logarithmic,
    /// Parts of a whole: from 0 to 100 %.
    Share,
}

/// Curves over the steps of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Width in CSS pixels; text does not grow with it.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
    /// What is below the x axis: "step".
    pub x_title: String,
    /// What is beside the y axis: "loss".
    pub y_title: String,
    /// The last step of the run, or of the longest one. The x axis begins at 0.
    pub last: f64,
    /// What the y axis shows.
    pub scale: Scale,
    /// The curves; what is drawn later lies above.
    pub series: Vec<Series>,
    /// What happened meanwhile.
    pub marks: Vec<Mark>,
}

/// Where the curves of a chart are, in pixels, and its axes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    /// Pixels from the left of the picture to step `x`.
    pub fn across(&self, x: f64) -> f64 {
        self.left + (self.right - self.left) * self.x.place(x)
    }

    /// Pixels from the top of the picture to value `y`.
    pub fn down(&self, y: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.y.place(y)
    }
}

/// What all series say of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The step.
    pub x: f64,
    /// For each series its point nearest to the step; none where the series has not begun or has ended.
    pub points: Vec<Option<Point>>,
}

impl Chart {
    /// Where its curves are. They have place for a text beside, below and above them.
    pub fn frame(&self) -> Frame {
        let drawn = || self.series.iter().flat_map(Series::drawn);
        let values = drawn().flat_map(|point| [point.low, point.high, point.smooth]);
        let y = match self.scale {
            Scale::Linear => Axis::over(values, false),
            Scale::Logarithmic => Axis::over(values, true),
            Scale::Share => Axis::UNIT,
        };
        let last = drawn().map(|point| point.x).fold(self.last.max(1.0), f64::max);
        let ticks = widest(y.ticks().into_iter().map(|tick| width(&self.y_text(tick))));
        let names = widest(self.series.iter().map(|series| width(&series.name)));
        let left = LINE + ticks + GAP;
        Frame {
            left,
            // However long a name is, most of the picture is for the curves.
            right: (self.width - (names + 1.5 * GAP).min(0.4 * self.width)).max(left + 1.0),
            top: 1.5 * LINE,
            bottom: (self.height - 2.5 * LINE).max(1.5 * LINE + 1.0),
            x: Axis { low: 0.0, high: last, logarithmic: false },
            y,
        }
    }

    /// Where `step` is, in pixels from the left.
    pub fn place(&self, step: f64) -> f64 {
        self.frame().across(step)
    }

    /// What is read at `x` pixels from the left: at the step nearest to it that has values. None where nothing is drawn.
    pub fn at(&self, x: f64) -> Option<Reading> {
        let frame = self.frame();
        self.reading(frame.x.high * (x - frame.left) / (frame.right - frame.left))
    }

    /// What is read at the step nearest to `step` that has values.
    pub fn reading(&self, step: f64) -> Option<Reading> {
        let x = self.steps().into_iter().min_by(|a, b| (a - step).abs().total_cmp(&(b - step).abs()))?;
        let frame = self.frame();
        let point = |series: &Series| {
            let nearest = series.drawn().min_by(|a, b| (a.x - x).abs().total_cmp(&(b.x - x).abs()))?;
            let (first, last) = (series.drawn().next()?.x, series.drawn().next_back()?.x);
            let beside = frame.across(x) - frame.across(x.clamp(first, last));
            (beside.abs() <= NEAR).then_some(*nearest)
        };
        Some(Reading { x, points: self.series.iter().map(point).collect() })
    }

    /// The step with values that follows `step`, or the one before it. From an infinity it is the first or the last one.
    pub fn next(&self, step: f64, forward: bool) -> Option<f64> {
        let mut steps = self.steps().into_iter();
        if forward { steps.find(|x| *x > step) } else { steps.rfind(|x| *x < step) }
    }

    /// Some readings from the first to the last, for those who cannot see the picture: steps, and a value of each series
    /// on its smooth line.
    pub fn table(&self) -> Vec<(f64, Vec<Option<f64>>)> {
        let steps = self.steps();
        let rows = steps.len().min(ROWS);
        let row = |i: usize| {
            let reading = self.reading(steps[i * (steps.len() - 1) / (rows - 1).max(1)])?;
            Some((reading.x, reading.points.iter().map(|point| point.map(|point| point.smooth)).collect()))
        };
        (0..rows).filter_map(row).collect()
    }

    /// All steps at which a series has a value.
    fn steps(&self) -> Vec<f64> {
        let mut steps: Vec<f64> = self.series.iter().flat_map(Series::drawn).map(|point| point.x).collect();
        steps.sort_by(f64::total_cmp);
        steps.dedup();
        steps
    }

    /// A value beside the y axis.
    pub(crate) fn y_text(&self, value: f64) -> String {
        match self.scale {
            Scale::Share => format!("{}\u{a0}%", short(100.0 * value)),
            Scale::Linear | Scale::Logarithmic => short(value),
        }
    }
}

fn widest(texts: impl IntoIterator<Item = f64>) -> f64 {
    texts.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)]) -> Series {
        let points = points.iter().map(|(x, y)| Point::exact(*x, *y)).collect();
        Series { name: "loss".into(), class: "first".into(), symbol: None, points }
    }

    fn chart(series: Vec<Series>) -> Chart {
        let (x_title, y_title) = ("step".into(), "loss".into());
        Chart {
            width: 600.0,
            height: 240.0,
            x_title,
            y_title,
            last: 100.0,
            scale: Scale::Linear,
            series,
            marks: vec![],
        }
    }

    #[test]
    fn the_axes_cover_all_that_is_drawn() {
        let mut curve = crate::Curve::new(0, 100);
        (1..=2000).for_each(|step| curve.push(step, if step == 500 { 1e6 } else { 1.0 }));
        let points: Vec<Point> = curve.points().collect();
        assert!(points.iter().all(|point| point.smooth < 2e4), "what is covered is more than the smooth line");
        let mut chart = chart(vec![Series { points, ..series(&[]) }]);
        for scale in [Scale::Linear, Scale::Logarithmic] {
            chart.scale = scale;
            let frame = chart.frame();
            assert!(frame.y.high >= 1e6 && frame.x.high == 2000.0, "{frame:?}");
            assert!(frame.down(1e6) >= frame.top && frame.across(2000.0) == frame.right);
        }
    }

    #[test]
    fn names_have_place_and_leave_most_of_it() {
        let right = |name: &str| chart(vec![Series { name: name.into(), ..series(&[]) }]).frame().right;
        assert_eq!(right("验证"), right("loss"));
        assert!(right("validation") < right("loss"));
        assert_eq!(right(&"long".repeat(100)), 360.0);
    }

    #[test]
    fn places_are_read_at_the_nearest_step() {
        let long = series(&[(10.0, 4.0), (20.0, f64::NAN), (30.0, 2.0), (90.0, 1.0)]);
        let chart = chart(vec![long, series(&[(60.0, 5.0)])]);
        let reading = chart.at(chart.place(22.0)).unwrap();
        assert_eq!(reading, Reading { x: 30.0, points: vec![Some(Point::exact(30.0, 2.0)), None] });
        let reading = chart.at(chart.place(58.0)).unwrap();
        assert_eq!(
            reading,
            Reading { x: 60.0, points: vec![Some(Point::exact(30.0, 2.0)), Some(Point::exact(60.0, 5.0))] }
        );
        assert_eq!(chart.at(-50.0).unwrap().x, 10.0);
        assert_eq!(chart.at(1e9).unwrap().x, 90.0);
    }

    #[test]
    fn steps_follow_each_other() {
        let chart = chart(vec![series(&[(1.0, 4.0), (3.0, 2.0)]), series(&[(2.0, 5.0), (3.0, 5.0)])]);
        let all = |forward: bool, from: f64| {
            std::iter::successors(chart.next(from, forward), |x| chart.next(*x, forward)).collect::<Vec<_>>()
        };
        assert_eq!(all(true, f64::NEG_INFINITY), [1.0, 2.0, 3.0]);
        assert_eq!(all(false, f64::INFINITY), [3.0, 2.0, 1.0]);
    }

    #[test]
    fn tables_are_short() {
        let points: Vec<_> = (1..=100).map(|i| (f64::from(i), f64::from(i))).collect();
        let table = chart(vec![series(&points), series(&[(50.0, 7.0)])]).table();
        assert_eq!(
            table.iter().map(|row| row.0).collect::<Vec<_>>(),
            [1.0, 10.0, 19.0, 28.0, 37.0, 46.0, 55.0, 64.0, 73.0, 82.0, 91.0, 100.0]
        );
        assert!(table.iter().all(|row| row.1[0] == Some(row.0)));
        assert_eq!(chart(vec![series(&[(3.0, 1.0)])]).table(), [(3.0, vec![Some(1.0)])]);
        assert_eq!(chart(vec![series(&[(3.0, f64::NAN)])]).table(), []);
        assert_eq!(chart(vec![]).at(100.0), None);
    }
}
