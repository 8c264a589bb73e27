//! What the visitor draws: strokes, turned into shades of gray here and not by a canvas, whose pixels some browsers falsify
//! for those who read them (`resistFingerprinting`).

/// Side of the board in pixels.
pub const BOARD: usize = 280;
/// Radius of the pen: strokes as thick as MNIST's, in proportion.
const PEN: f64 = 10.0;
/// Radius of the eraser.
const ERASER: f64 = 16.0;
/// Ink in a smaller box, in pixels, is a speck rather than a digit.
const SPECK: usize = 40;
/// A board that is covered by more than this part has no digit on it.
const FULL: f64 = 0.5;

/// One line of pen or eraser.
#[derive(Clone, Debug, PartialEq)]
struct Stroke {
    erases: bool,
    points: Vec<(f64, f64)>,
}

/// What makes it doubtful that there is a digit on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Doubt {
    Small,
    Full,
}

/// The board: a picture that was put there, and strokes on it.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// A picture of [`data::SIDE`] rows that the strokes are drawn on.
    base: Option<Vec<u8>>,
    strokes: Vec<Stroke>,
    /// What results, `[BOARD × BOARD]`.
    gray: Vec<u8>,
}

impl Default for Drawing {
    fn default() -> Self {
        Drawing { base: None, strokes: vec![], gray: vec![0; BOARD * BOARD] }
    }
}

impl Drawing {
    /// A picture of 28×28 instead of all that is there, each of its pixels as a square.
    pub fn put(&mut self, picture: &[u8]) {
        (self.base, self.strokes) = (Some(picture.to_vec()), vec![]);
        self.draw_again();
    }

    /// A new stroke, which is a dot at first.
    pub fn begin(&mut self, at: (f64, f64), erases: bool) {
        self.strokes.push(Stroke { erases, points: vec![at] });
        line(&mut self.gray, at, at, erases);
    }

    /// The stroke goes on, in a straight line.
    pub fn extend(&mut self, to: (f64, f64)) {
        let Some(Stroke { erases, points }) = self.strokes.last_mut() else { return };
        let from = points.last().copied().unwrap_or(to);
        points.push(to);
        line(&mut self.gray, from, to, *erases);
    }

    /// Takes the last stroke back, or else the picture.
    pub fn undo(&mut self) {
        if self.strokes.pop().is_none() {
            self.base = None;
        }
        self.draw_again();
    }

    /// Takes everything off.
    pub fn clear(&mut self) {
        *self = Drawing::default();
    }

    /// Whether there is something to take back.
    pub fn can_undo(&self) -> bool {
        self.base.is_some() || !self.strokes.is_empty()
    }

    /// Shades of gray, row by row: ink is light.
    pub fn gray(&self) -> &[u8] {
        &self.gray
    }

    /// What the network gets: the ink as MNIST has it. None where there is none.
    pub fn prepared(&self) -> Option<Vec<u8>> {
        let side = BOARD as u32;
        data::prepare::pixels(&self.gray, side, side).ok().map(|image| image.to_vec())
    }

    /// Why the ink may be no digit. It is scaled to the size of one, however small it is.
    pub fn doubt(&self) -> Option<Doubt> {
        let is_ink = |i: &usize| self.gray[*i] > 127;
        let (mut low, mut high, mut count) = ([BOARD; 2], [0; 2], 0);
        for i in (0..self.gray.len()).filter(is_ink) {
            for (axis, at) in [i % BOARD, i / BOARD].into_iter().enumerate() {
                (low[axis], high[axis]) = (low[axis].min(at), high[axis].max(at + 1));
            }
            count += 1;
        }
        let side = (0..2).map(|axis| high[axis].saturating_sub(low[axis])).max().unwrap_or_default();
        match side {
            0 => None,
            1..SPECK => Some(Doubt::Small),
            _ => (count as f64 > FULL * self.gray.len() as f64).then_some(Doubt::Full),
        }
    }

    fn draw_again(&mut self) {
        self.gray.fill(0);
        if let Some(base) = &self.base {
            let size = BOARD / data::SIDE;
            for (i, shade) in self.gray.iter_mut().enumerate() {
                *shade = base.get(i / BOARD / size * data::SIDE + i % BOARD / size).copied().unwrap_or(0);
            }
        }
        for Stroke { erases, points } in &self.strokes {
            let ends = points.iter().skip(1).chain(points.last());
            points.iter().zip(ends).for_each(|(from, to)| line(&mut self.gray, *from, *to, *erases));
        }
    }
}

/// A line with round ends; its edge is one pixel soft.
fn line(gray: &mut [u8], from: (f64, f64), to: (f64, f64), erases: bool) {
    let radius = if erases { ERASER } else { PEN };
    let span = |a: f64, b: f64| {
        let pixel = |place: f64| place.clamp(0.0, BOARD as f64) as usize;
        pixel(a.min(b) - radius - 1.0)..pixel(a.max(b) + radius + 2.0)
    };
    let along = (to.0 - from.0, to.1 - from.1);
    let length = along.0 * along.0 + along.1 * along.1;
    for y in span(from.1, to.1) {
        for x in span(from.0, to.0) {
            let at = (x as f64 + 0.5 - from.0, y as f64 + 0.5 - from.1);
            let part = if length > 0.0 { ((at.0 * along.0 + at.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
            let distance = (at.0 - part * along.0).hypot(at.1 - part * along.1);
            let ink = (255.0 * (radius + 0.5 - distance).clamp(0.0, 1.0)) as u8;
            let shade = &mut gray[y * BOARD + x];
            *shade = if erases { (*shade).min(255 - ink) } else { (*shade).max(ink) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Drawing {
        let mut drawing = Drawing::default();
        drawing.begin((140.0, 60.0), false);
        (1..=8).for_each(|i| drawing.extend((140.0, 60.0 + 20.0 * f64::from(i))));
        drawing
    }

    #[test]
    fn a_tap_draws_a_dot() {
        let mut drawing = Drawing::default();
        assert_eq!((drawing.prepared(), drawing.can_undo()), (None, false));
        drawing.begin((100.0, 50.0), false);
        assert_eq!((drawing.gray()[50 * BOARD + 100], drawing.gray()[50 * BOARD + 120]), (255, 0));
        assert_eq!(drawing.doubt(), Some(Doubt::Small));
        assert!(drawing.prepared().is_some());
    }

    #[test]
    fn strokes_are_taken_back_and_erased() {
        let drawing = one();
        assert_eq!(drawing.doubt(), None);
        let mut more = drawing.clone();
        more.begin((10.0, 10.0), false);
        more.extend((200.0, 10.0));
        more.begin((150.0, 140.0), true);
        assert_eq!(more.gray()[140 * BOARD + 145], 0);
        assert_ne!(more.gray(), drawing.gray());
        more.undo();
        more.undo();
        assert_eq!(more.gray(), drawing.gray());
        more.undo();
        more.undo(); // there is nothing left
        assert!(more.prepared().is_none() && !more.can_undo());
    }

    #[test]
    fn strokes_may_leave_the_board() {
        let mut drawing = one();
        drawing.extend((-500.0, 9_000.0));
        drawing.extend((f64::NAN, 3.0));
        drawing.begin((400.0, -20.0), false);
        assert_eq!(drawing.gray().len(), BOARD * BOARD);
    }

    #[test]
    fn a_picture_is_drawn_on_and_taken_back_last() {
        let mut picture = vec![0; data::SIDE * data::SIDE];
        picture[data::SIDE + 2] = 200;
        let mut drawing = one();
        drawing.put(&picture);
        assert_eq!((drawing.gray()[15 * BOARD + 25], drawing.gray()[60 * BOARD + 140]), (200, 0));
        drawing.begin((25.0, 15.0), false);
        drawing.undo();
        assert_eq!(drawing.gray()[15 * BOARD + 25], 200);
        drawing.undo();
        assert!(!drawing.can_undo());
    }

    #[test]
    fn a_board_full_of_ink_is_no_digit() {
        let mut drawing = Drawing::default();
        drawing.begin((0.0, 0.0), false);
        (0..40).for_each(|i| drawing.extend((f64::from(280 * (i % 2)), f64::from(7 * i))));
        assert_eq!(drawing.doubt(), Some(Doubt::Full));
    }
}
