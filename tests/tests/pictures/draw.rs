//! Pictures of a digit as people take and make them: drawn from an image of MNIST, in some light, on some ground, in some file.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage, codecs::jpeg::JpegEncoder};

/// Random numbers that are the same everywhere (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.bits().is_multiple_of(count)
    }

    /// Nearly normal: of deviation 1.
    fn noise(&mut self) -> f32 {
        (0..3).map(|_| self.between(-1.0, 1.0)).sum()
    }
}

type Colour = [f32; 3];

fn gray(shade: f32) -> Colour {
    [shade; 3]
}

fn mixed(a: Colour, b: Colour, share: f32) -> Colour {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share.clamp(0.0, 1.0))
}

/// A picture in the making. Colours are shares of the light that they reflect, 0 to 1.
struct Scene {
    width: u32,
    height: u32,
    pixels: Vec<Colour>,
}

/// A sheet somewhere in the picture: its middle, half its sides, and how far it is turned.
#[derive(Clone, Copy)]
struct Sheet {
    middle: [f32; 2],
    half: [f32; 2],
    turn: f32,
}

impl Sheet {
    /// Where a pixel is on it: −1 to 1 from edge to edge.
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let (sin, cos) = self.turn.sin_cos();
        let [dx, dy] = [x - self.middle[0], y - self.middle[1]];
        [(dx * cos + dy * sin) / self.half[0], (dy * cos - dx * sin) / self.half[1]]
    }
}

impl Scene {
    /// 100 to 800 pixels a side.
    fn new(random: &mut Random, ground: Colour) -> Self {
        let long = random.between(140.0, 800.0);
        let short = (long * random.between(0.7, 1.0)).max(100.0);
        let [width, height] = if random.one_in(2) { [long, short] } else { [short, long] }.map(|side| side as u32);
        Scene { width, height, pixels: vec![ground; (width * height) as usize] }
    }

    fn short(&self) -> f32 {
        self.width.min(self.height) as f32
    }

    /// Itself as a sheet.
    fn whole(&self) -> Sheet {
        let half = [self.width as f32 / 2.0, self.height as f32 / 2.0];
        Sheet { middle: half, half, turn: 0.0 }
    }

    fn paint(&mut self, colour: impl Fn(f32, f32, Colour) -> Colour) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            *pixel = colour((i as u32 % self.width) as f32, (i as u32 / self.width) as f32, *pixel);
        }
    }

    /// Writes the digit on a sheet, a third to two thirds of it high.
    fn write(&mut self, random: &mut Random, digit: &[u8], sheet: Sheet, ink: Colour) -> Sheet {
        let size = sheet.half[0].min(sheet.half[1]) * random.between(0.33, 0.66);
        let place = sheet.half.map(|half| random.between(-1.0, 1.0) * (0.95 * half - 1.4 * size).max(0.0)); // with its margin
        let (sin, cos) = sheet.turn.sin_cos();
        let middle =
            [sheet.middle[0] + place[0] * cos - place[1] * sin, sheet.middle[1] + place[0] * sin + place[1] * cos];
        let on = Sheet { middle, half: [size; 2], turn: sheet.turn + random.between(-0.1, 0.1) };
        let sharp = random.between(2.0, 6.0);
        self.paint(|x, y, below| {
            let [u, v] = on.at(x, y).map(|along| (along * 10.0) + 13.5); // the digit itself fills 20 of its 28 pixels
            mixed(below, ink, (coverage(digit, u, v) - 0.5) * sharp + 0.5)
        });
        on
    }

    fn grain(&mut self, random: &mut Random, deviation: f32) {
        for pixel in &mut self.pixels {
            let noise = random.noise() * deviation / 255.0;
            *pixel = pixel.map(|shade| shade + noise);
        }
    }

    /// Light that falls from one side, or from a lamp: at its least half of its most.
    fn light(&mut self, random: &mut Random, most: f32) {
        let whole = self.whole();
        let angle = random.between(0.0, std::f32::consts::TAU);
        let (sin, cos) = angle.sin_cos();
        let ratio = random.between(1.5, most);
        let reach = sin.abs() + cos.abs();
        let lamp = random.one_in(3).then(|| [random.between(-0.7, 0.7), random.between(-0.7, 0.7)]);
        self.paint(|x, y, colour| {
            let [u, v] = whole.at(x, y);
            let dark = match lamp {
                Some([a, b]) => (((u - a).powi(2) + (v - b).powi(2)).sqrt() / 2.0).min(1.0),
                None => ((u * cos + v * sin) / reach + 1.0) / 2.0,
            };
            colour.map(|shade| shade / (1.0 + (ratio - 1.0) * dark))
        });
    }

    /// The shadow of something with a straight edge, soft or hard.
    fn shadow(&mut self, random: &mut Random) {
        let whole = self.whole();
        let (sin, cos) = random.between(0.0, std::f32::consts::TAU).sin_cos();
        let (place, soft) = (random.between(-0.5, 0.5), random.between(0.01, 0.15));
        let dark = random.between(0.45, 0.7);
        self.paint(|x, y, colour| {
            let [u, v] = whole.at(x, y);
            let share = ((u * cos + v * sin - place) / soft + 0.5).clamp(0.0, 1.0);
            colour.map(|shade| shade * (1.0 + (dark - 1.0) * share))
        });
    }

    /// A table of wood, or of one colour.
    fn table(random: &mut Random) -> Self {
        let shade = random.between(0.12, 0.5);
        let colour = [shade, shade * random.between(0.6, 1.0), shade * random.between(0.3, 1.0)];
        let mut table = Scene::new(random, colour);
        let (sin, cos) = random.between(0.0, std::f32::consts::TAU).sin_cos();
        let (period, depth) =
            (random.between(5.0, 40.0), if random.one_in(2) { random.between(0.05, 0.2) } else { 0.0 });
        table.paint(|x, y, colour| {
            let along = (x * cos + y * sin) / period;
            let fibre =
                (along + 0.6 * (along * 0.37).sin()).sin() * (0.7 + 0.3 * (y * cos - x * sin).mul_add(0.02, 1.0).sin());
            colour.map(|shade| shade * (1.0 + depth * fibre))
        });
        table
    }

    fn sheet(&mut self, sheet: Sheet, paper: Colour) {
        self.paint(|x, y, below| if sheet.at(x, y).iter().all(|along| along.abs() <= 1.0) { paper } else { below });
    }

    fn rgb(&self) -> RgbImage {
        let byte = |shade: f32| (shade * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
        let colour = |x: u32, y: u32| Rgb(self.pixels[(y * self.width + x) as usize].map(byte));
        RgbImage::from_fn(self.width, self.height, colour)
    }

    fn jpeg(&self, random: &mut Random) -> Vec<u8> {
        let mut file = vec![];
        let quality = random.between(50.0, 95.0) as u8;
        self.rgb().write_with_encoder(JpegEncoder::new_with_quality(&mut file, quality)).expect("into memory");
        file
    }

    fn png(&self) -> Vec<u8> {
        png(self.rgb().into())
    }
}

pub(crate) fn png(picture: DynamicImage) -> Vec<u8> {
    let mut file = Cursor::new(vec![]);
    picture.write_to(&mut file, ImageFormat::Png).expect("into memory");
    file.into_inner()
}

/// How much ink there is between pixels of an image of 28×28.
fn coverage(digit: &[u8], x: f32, y: f32) -> f32 {
    if !(0.0..27.0).contains(&x) || !(0.0..27.0).contains(&y) {
        return 0.0;
    }
    let (left, top) = (x as usize, y as usize);
    let (across, down) = (x.fract(), y.fract());
    let at = |dx: usize, dy: usize| f32::from(digit[(top + dy) * 28 + left + dx]) / 255.0;
    let row = |dy: usize| at(0, dy) * (1.0 - across) + at(1, dy) * across;
    row(0) * (1.0 - down) + row(1) * down
}

fn paper(random: &mut Random) -> Colour {
    let shade = random.between(0.75, 0.95);
    [shade, shade * random.between(0.96, 1.0), shade * random.between(0.85, 1.0)]
}

/// Black, blue, red or green as pens have it.
fn pen(random: &mut Random) -> Colour {
    let dark = random.between(0.05, 0.25);
    match random.bits() % 5 {
        0 => [dark, dark, random.between(0.4, 0.7)],
        1 => [random.between(0.5, 0.8), dark, dark],
        2 => [dark, random.between(0.3, 0.45), dark],
        _ => gray(dark),
    }
}

/// A kind of picture: its name, and how a digit becomes a file.
pub(crate) type Kind = (&'static str, fn(&mut Random, &[u8]) -> Vec<u8>);

pub(crate) const KINDS: [Kind; 11] = [
    ("uneven light", |random, digit| {
        let mut scene = Scene::new(random, [0.0; 3]);
        let (sheet, paper, pen) = (scene.whole(), paper(random), pen(random));
        scene.sheet(sheet, paper);
        scene.write(random, digit, sheet, pen);
        scene.light(random, 2.2);
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
    ("shadow", |random, digit| {
        let ground = paper(random);
        let mut scene = Scene::new(random, ground);
        let pen = pen(random);
        scene.write(random, digit, scene.whole(), pen);
        scene.shadow(random);
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
    ("paper on a desk", |random, digit| {
        let mut scene = Scene::table(random);
        let size = scene.short() / 2.0 * random.between(0.5, 0.85);
        let Sheet { middle, half, .. } = scene.whole();
        let sheet = Sheet {
            middle: std::array::from_fn(|axis| middle[axis] + random.between(-0.1, 0.1) * half[axis]),
            half: [size * random.between(0.7, 1.0), size * random.between(0.7, 1.0)],
            turn: random.between(-0.3, 0.3),
        };
        let (paper, pen) = (paper(random), pen(random));
        scene.sheet(sheet, paper);
        scene.write(random, digit, sheet, pen);
        scene.light(random, 1.7);
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
    ("paper over the edge", |random, digit| {
        let mut scene = Scene::table(random);
        let Sheet { middle, half, .. } = scene.whole();
        let sheet = Sheet {
            middle: std::array::from_fn(|axis| middle[axis] + random.between(-0.3, 0.3) * half[axis]),
            half,
            turn: random.between(-0.1, 0.1),
        };
        let seen = Sheet { half: half.map(|half| half * 0.7), ..sheet };
        let (paper, pen) = (paper(random), pen(random));
        scene.sheet(sheet, paper);
        scene.write(random, digit, seen, pen);
        scene.light(random, 1.7);
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
    ("frame", |random, digit| {
        let ground = paper(random);
        let mut scene = Scene::new(random, ground);
        let (pen, frame) = (pen(random), pen(random));
        let (outer, line) = (random.between(0.0, 0.12), random.between(0.01, 0.1));
        let outer = if random.one_in(3) { 0.0 } else { outer }; // the frame is the picture's edge
        let whole = scene.whole();
        scene.paint(|x, y, below| {
            let [u, v] = whole.at(x, y).map(|along| 1.0 - along.abs());
            let near = u.min(v);
            if (outer..outer + line).contains(&near) { frame } else { below }
        });
        let inner = Sheet { half: whole.half.map(|half| half * (1.0 - outer - line) * 0.9), ..whole };
        scene.write(random, digit, inner, pen);
        scene.grain(random, 2.0);
        scene.jpeg(random)
    }),
    ("transparent", |random, digit| {
        let mut scene = Scene::new(random, gray(0.0));
        scene.write(random, digit, scene.whole(), gray(1.0));
        let ink = match random.bits() % 3 {
            0 => [255; 3],
            1 => [0; 3],
            _ => std::array::from_fn(|_| random.between(0.0, 255.0) as u8),
        };
        let alpha = scene.rgb();
        let picture = RgbaImage::from_fn(scene.width, scene.height, |x, y| {
            let [alpha, ..] = alpha.get_pixel(x, y).0;
            let ink = if alpha > 0 { ink } else { [0; 3] }; // as many programs leave it
            image::Rgba([ink[0], ink[1], ink[2], alpha])
        });
        png(picture.into())
    }),
    ("colours of one brightness", |random, digit| {
        let luma = |[r, g, b]: Colour| 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let far = |a: Colour, b: Colour| (0..3).any(|c| (a[c] - b[c]).abs() > 0.5);
        let mut colour = || -> Colour { std::array::from_fn(|_| random.between(0.0, 1.0)) };
        let (ground, ink) = loop {
            let (a, b) = (colour(), colour());
            if far(a, b) && (luma(a) - luma(b)).abs() < 0.1 {
                break (a, b);
            }
        };
        let mut scene = Scene::new(random, ground);
        scene.write(random, digit, scene.whole(), ink);
        scene.grain(random, 1.5);
        if random.one_in(2) { scene.png() } else { scene.jpeg(random) }
    }),
    ("ruled paper", |random, digit| {
        let ground = paper(random);
        let mut scene = Scene::new(random, ground);
        let whole = scene.whole();
        let sheet = Sheet { turn: random.between(-0.05, 0.05), ..whole };
        let rule = mixed(ground, [0.3, 0.45, 0.75], random.between(0.3, 1.0));
        let spacing = scene.short() * random.between(0.06, 0.2);
        let thick = (scene.short() * random.between(0.003, 0.01)).max(1.0);
        let is_grid = random.one_in(3);
        scene.paint(|x, y, below| {
            let [u, v] = sheet.at(x, y);
            let near = |along: f32, half: f32| {
                let place = along * half / spacing;
                (place - place.round()).abs() * spacing
            };
            let level = near(v, sheet.half[1]);
            let nearest = if is_grid { level.min(near(u, sheet.half[0])) } else { level };
            mixed(below, rule, thick / 2.0 + 0.5 - nearest)
        });
        let pen = gray(random.between(0.05, 0.2));
        scene.write(random, digit, whole, pen);
        scene.light(random, 1.6);
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
    ("board", |random, digit| {
        let shade = random.between(0.08, 0.3);
        let board = [shade * random.between(0.5, 1.0), shade, shade * random.between(0.6, 1.0)];
        let mut scene = Scene::new(random, board);
        let chalk = gray(random.between(0.65, 0.95));
        scene.write(random, digit, scene.whole(), chalk);
        scene.light(random, 2.2);
        scene.grain(random, 4.0);
        scene.jpeg(random)
    }),
    ("pencil", |random, digit| {
        let ground = paper(random);
        let mut scene = Scene::new(random, ground);
        let graphite = gray(random.between(0.35, 0.55));
        scene.write(random, digit, scene.whole(), graphite);
        scene.light(random, 1.7);
        scene.grain(random, 5.0);
        scene.jpeg(random)
    }),
    ("cropped to its ink", |random, digit| {
        let span = |along: &dyn Fn(usize) -> usize| {
            let inked = || (0..digit.len()).filter(|&i| digit[i] > 127).map(along);
            [inked().min().expect("it has ink") as f32 - 0.5, inked().max().expect("it has ink") as f32 + 0.5]
        };
        let ([left, right], [top, bottom]) = (span(&|i| i % data::SIDE), span(&|i| i / data::SIDE));
        let (ground, pen) = (paper(random), pen(random));
        let (scale, sharp) = (random.between(4.0, 20.0), random.between(2.0, 6.0));
        let [width, height] = [right - left, bottom - top].map(|side| (side * scale) as u32);
        let mut scene = Scene { width, height, pixels: vec![ground; (width * height) as usize] };
        scene.paint(|x, y, below| {
            mixed(below, pen, (coverage(digit, left + x / scale, top + y / scale) - 0.5) * sharp + 0.5)
        });
        scene.grain(random, 3.0);
        scene.jpeg(random)
    }),
];
