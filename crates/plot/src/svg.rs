//! A chart as SVG text: its elements have the colour of their class, and a style sheet may change all of them.

use crate::chart::{Chart, Frame, GAP, Point, Series, Symbol};
use crate::text::{FONT, LINE, escape, short, width};

/// Most ticks of the x axis.
const TICKS: f64 = 6.0;

impl Chart {
    /// The picture, complete: grid, axes, and for each series its range (class `range`), line, symbols and name.
    pub fn svg(&self) -> String {
        let frame = self.frame();
        let (width, height, title) = (self.width, self.height, escape(&self.y_title));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
            role=\"img\" aria-label=\"{title}\" fill=\"currentColor\" font-size=\"{FONT}\" stroke-linejoin=\"round\">\n"
        );
        self.axes(&frame, &mut svg);
        self.happenings(&frame, &mut svg);
        // All ranges lie below all lines.
        let each = |svg: &mut String, content: &dyn Fn(&Series) -> String| {
            for series in &self.series {
                let content = content(series);
                if !content.is_empty() {
                    svg.push_str(&format!("<g class=\"{}\">\n{content}</g>\n", escape(&series.class)));
                }
            }
        };
        each(&mut svg, &|series| range(&frame, series));
        each(&mut svg, &|series| line(&frame, series));
        self.names(&frame, &mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, frame: &Frame, svg: &mut String) {
        let &Frame { left, right, top, bottom, .. } = frame;
        let mut grid = String::new();
        let mut texts = String::new();
        for tick in frame.y.ticks() {
            let (y, text) = (frame.down(tick), self.y_text(tick));
            grid.push_str(&format!("M{left:.1} {y:.1}H{right:.1}"));
            texts.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{y:.1}\" dy=\".35em\" text-anchor=\"end\">{text}</text>\n",
                left - 0.6 * GAP
            ));
        }
        let room = (right - left) / (width(&short(frame.x.high.round())) + GAP);
        for tick in frame.x.whole_ticks(room.clamp(2.0, TICKS) as usize) {
            let (x, text) = (frame.across(tick), short(tick));
            grid.push_str(&format!("M{x:.1} {bottom:.1}v4"));
            let y = bottom + LINE + 2.0;
            texts.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>\n"));
        }
        let [x_title, y_title] = [&self.x_title, &self.y_title].map(|title| escape(title));
        let (middle, height) = ((left + right) / 2.0, (top + bottom) / 2.0);
        svg.push_str(&format!(
            "<path class=\"grid\" stroke=\"currentColor\" stroke-opacity=\".2\" d=\"{grid}\"/>\n\
            <g class=\"axis\">\n{texts}\
            <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_title}</text>\n\
            <text transform=\"translate({FONT} {height:.1}) rotate(-90)\" text-anchor=\"middle\">{y_title}</text>\n</g>\n",
            self.height - 4.0,
        ));
    }

    /// The marks. A text that would lie on the one before it is left out; its line and its title stay.
    fn happenings(&self, frame: &Frame, svg: &mut String) {
        let mut marks: Vec<_> = self.marks.iter().filter(|mark| mark.x.is_finite()).collect();
        marks.sort_by(|a, b| a.x.total_cmp(&b.x));
        let mut free = 0.0;
        for mark in marks {
            let (x, top, bottom) = (frame.across(mark.x), frame.top, frame.bottom);
            let half = width(&mark.text) / 2.0;
            let middle = x.max(frame.left + half).min(self.width - half);
            svg.push_str(&format!(
                "<g class=\"mark\"><title>{}</title>\
                <path stroke=\"currentColor\" stroke-opacity=\".6\" stroke-dasharray=\"2 3\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>",
                escape(&mark.title),
            ));
            if middle - half >= free {
                let (y, text) = (top - 5.0, escape(&mark.text));
                svg.push_str(&format!("<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>"));
                free = middle + half + GAP;
            }
            svg.push_str("</g>\n");
        }
    }

    /// Names stand in one column, right of all curves, so that they lie on none; a dotted line leads from each curve's end
    /// to its name.
    fn names(&self, frame: &Frame, svg: &mut String) {
        let ends: Vec<(&Series, f64, f64)> = self
            .series
            .iter()
            .filter_map(|series| {
                let end = series.drawn().next_back()?;
                Some((series, frame.across(end.x), frame.down(end.smooth)))
            })
            .collect();
        let column = GAP + ends.iter().map(|(_, x, _)| *x).fold(frame.left, f64::max);
        let places = spread(&ends.iter().map(|(_, _, y)| *y).collect::<Vec<_>>(), frame.top, frame.bottom);
        for ((series, x, y), place) in ends.into_iter().zip(places) {
            let [class, name] = [&series.class, &series.name].map(|text| escape(text));
            svg.push_str(&format!(
                "<g class=\"{class}\"><path fill=\"none\" stroke=\"currentColor\" stroke-dasharray=\"1 3\" d=\"M{x:.1} {y:.1}H{:.1}L{:.1} {place:.1}\"/>\
                <text class=\"name\" x=\"{column:.1}\" y=\"{place:.1}\" dy=\".35em\">{name}</text></g>\n",
                column - GAP,
                column - 2.0,
            ));
        }
    }
}

/// Parts of a curve without gaps.
fn parts(series: &Series) -> impl Iterator<Item = &[Point]> {
    series.points.split(|point| !point.is_drawn()).filter(|part| !part.is_empty())
}

/// Pixels of some values of `points`.
fn places(frame: &Frame, points: &[Point], value: impl Fn(&Point) -> f64) -> Vec<String> {
    let place = |point: &Point| format!("{:.1} {:.1}", frame.across(point.x), frame.down(value(point)));
    points.iter().map(place).collect()
}

/// What lies between the least and the greatest values. Its outline is drawn, too: where both are the same it is all.
fn range(frame: &Frame, series: &Series) -> String {
    let shown = |part: &&[Point]| part.iter().any(|point| point.low != point.smooth || point.high != point.smooth);
    let polygon = |part: &[Point]| {
        let mut outline = places(frame, part, |point| point.high);
        outline.extend(places(frame, part, |point| point.low).into_iter().rev());
        format!(
            "<polygon class=\"range\" stroke=\"currentColor\" stroke-dasharray=\"none\" opacity=\".25\" points=\"{}\"/>\n",
            outline.join(" ")
        )
    };
    parts(series).filter(shown).map(polygon).collect()
}

/// The smooth line, and symbols.
fn line(frame: &Frame, series: &Series) -> String {
    let mut drawn = String::new();
    for part in parts(series) {
        let places = places(frame, part, |point| point.smooth);
        if part.len() > 1 {
            let d = places.join("L");
            drawn.push_str(&format!(
                "<path class=\"line\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" d=\"M{d}\"/>\n"
            ));
        }
        let shape = match series.symbol {
            Some(Symbol::Square) => "m-3.5 -3.5h7v7h-7z",
            Some(Symbol::Circle) => "m-3.5 0a3.5 3.5 0 1 1 7 0a3.5 3.5 0 1 1 -7 0",
            None if part.len() == 1 => "m-2 0a2 2 0 1 1 4 0a2 2 0 1 1 -4 0",
            None => continue,
        };
        let d: String = places.iter().map(|place| format!("M{place}{shape}")).collect();
        drawn.push_str(&format!("<path class=\"symbols\" d=\"{d}\"/>\n"));
    }
    drawn
}

/// The places nearest to those that are `wanted` where lines of text do not overlap. If there are more than fit between
/// `top` and `bottom`, they go on above.
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = wanted.to_vec();
    let mut least = top;
    for &i in &order {
        places[i] = places[i].max(least);
        least = places[i] + LINE;
    }
    let mut most = bottom;
    for &i in order.iter().rev() {
        places[i] = places[i].min(most);
        most = places[i] - LINE;
    }
    places
}

#[cfg(test)]
mod tests;
