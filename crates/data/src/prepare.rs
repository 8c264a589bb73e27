//! A photo or a drawing of a digit, made into an image as MNIST has them: light ink on black, cropped, scaled to fit
//! 20×20, centred by mass in 28×28.
//!
//! 1. `shades`: a picture in colour or with transparency becomes shades of gray, of which one shows the digit.
//! 2. `rules` takes the lines of ruled paper away: what is thin, and straight from edge to edge.
//! 3. `flood`: ink is what one does not leave without a step in brightness, however the light falls.
//! 4. `figure`: of dark and light ink one surrounds the other; a page on a table is opened, and the digit is on it.
//!    `ground` paints the ink over, which gives the light on each pixel, and so the ink in it.
//! 5. `parts`: of what is connected, frames, specks and edges of a table are dropped.
//!
//! What remains in doubt is said beside the result: [`Doubt`].

mod figure;
mod flood;
mod grid;
mod ground;
mod parts;
mod png;
mod rules;
mod shades;

use crate::DataError;
use crate::frame::{BOX, SIDE, centre};
use figure::Figure;
use grid::Grid;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, Limits};
use std::fmt;
use std::io::Cursor;

/// The largest picture that is decoded, in pixels a side.
const MAX_SIDE: u32 = 8192;
/// The most memory for a decoded picture, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Pixels in which a digit is looked for. A photo has more, and is made smaller.
const ENOUGH: u64 = 384 * 384;
/// The least difference between ink and background.
const MIN_CONTRAST: u8 = 32;

/// With such a contrast in brightness nothing is looked for in colours.
const PLAIN: u8 = 64;

/// What a network gets of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// `[28 × 28]`.
    pub pixels: [u8; SIDE * SIDE],
    /// Why it may not be what was meant.
    pub doubts: Vec<Doubt>,
}

/// What makes it doubtful that a picture shows one digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The ink covers so much of its frame that there may be no figure on a ground.
    Covers {
        /// Of the picture's pixels, or of those of the box around the ink.
        percent: usize,
    },
    /// There are separate things of about the same size.
    Several {
        /// How many.
        things: usize,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Covers { percent } => {
                write!(f, "the ink covers {percent} % of its frame: is there a digit on a plain ground?")
            }
            Doubt::Several { things } => write!(f, "there are {things} separate things: crop the picture to one digit"),
        }
    }
}

/// Prepares the digit in a PNG, JPEG or PGM file. Transparency counts as white paper, and as no ink where all the rest has
/// one colour.
///
/// # Errors
/// [`DataError::Picture`] if the file cannot be decoded or is too large, [`DataError::Blank`] if it shows no digit.
pub fn image(bytes: &[u8]) -> Result<Prepared, DataError> {
    let picture = decode(bytes)?;
    let picture = match u64::from(picture.width()) * u64::from(picture.height()) {
        pixels if pixels > ENOUGH => {
            let scale = (ENOUGH as f64 / pixels as f64).sqrt();
            let [width, height] =
                [picture.width(), picture.height()].map(|side| (f64::from(side) * scale).max(1.0) as u32);
            picture.thumbnail_exact(width, height)
        }
        _ => picture,
    }
    .into_rgba8();
    let grid = Grid { width: picture.width() as usize, height: picture.height() as usize };
    let mut shades = shades::shades(&picture).into_iter();
    let mut best = shades.next().and_then(|gray| found(grid, &gray));
    for gray in shades {
        // Brightness is sharper than colour in a JPEG, so a colour must show twice as much.
        let contrast = best.as_ref().map_or(0, |best| best.contrast);
        if contrast < PLAIN {
            best = found(grid, &gray).filter(|figure| figure.contrast / 2 >= contrast).or(best);
        }
    }
    fitted(best.ok_or(DataError::Blank)?)
}

/// The picture in a PNG, JPEG or PGM file as it is, in shades of gray, if it has this size. Transparency counts as white.
///
/// # Errors
/// [`DataError::Picture`] if the file cannot be decoded or is too large.
pub fn as_it_is(bytes: &[u8], width: usize, height: usize) -> Result<Option<Vec<u8>>, DataError> {
    let picture = decode(bytes)?;
    let fits = [picture.width() as usize, picture.height() as usize] == [width, height];
    Ok(fits.then(|| shades::on_white(&picture.into_rgba8())))
}

/// Prepares the digit on a canvas: `gray` is `[height × width]`, row-major; the result `[28 × 28]`. The background is plain, the
/// shade of most of the border, and all that is on it is the digit; the ink may be lighter or darker.
///
/// # Errors
/// [`DataError::Pixels`] if `gray` has another length, [`DataError::Blank`] if it shows no digit.
pub fn pixels(gray: &[u8], width: u32, height: u32) -> Result<[u8; SIDE * SIDE], DataError> {
    if gray.len() as u64 != u64::from(width) * u64::from(height) {
        return Err(DataError::Pixels { found: gray.len(), width, height });
    }
    let grid = Grid { width: width as usize, height: height as usize };
    Ok(fitted(on_plain_ground(grid, gray).ok_or(DataError::Blank)?)?.pixels)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, DataError> {
    let failed = |cause: String| DataError::Picture { cause };
    if let Some(cause) = png::bad_palette(bytes) {
        return Err(failed(cause));
    }
    if is_cut_off(bytes) {
        return Err(failed("the JPEG file is cut off".into()));
    }
    let decoded = || {
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
        limits.max_alloc = Some(MAX_BYTES);
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        limits.reserve(decoder.total_bytes())?;
        let orientation = decoder.orientation()?; // of the camera
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    };
    decoded().map_err(|cause: image::ImageError| failed(cause.to_string()))
}

/// Whether a JPEG file lacks its end, which its decoder would paint gray. Within the data of an image no marker is like those
/// of its start and end (ITU-T T.81, B.1.1.5).
fn is_cut_off(file: &[u8]) -> bool {
    let last = |marker: &[u8; 2]| file.windows(2).rposition(|bytes| bytes == marker);
    file.starts_with(b"\xff\xd8") && last(b"\xff\xda") > last(b"\xff\xd9")
}

/// The ink of a picture. One no larger than the frame is of a data set, or was made for one: its ink may be faint, touch the
/// edge and be of many parts, but it lies on a plain ground.
fn found(grid: Grid, gray: &[u8]) -> Option<Figure> {
    if grid.len() > SIDE * SIDE { figure::figure(grid, gray) } else { on_plain_ground(grid, gray) }
}

/// How much each pixel differs from the shade of most of the rim, in the direction of the ink.
fn on_plain_ground(grid: Grid, gray: &[u8]) -> Option<Figure> {
    let mut shades: Vec<u8> = grid.rim().into_iter().map(|i| gray[i]).collect();
    shades.sort_unstable();
    let paper = *shades.get(shades.len() / 2)?;
    let (darkest, lightest) = (*gray.iter().min()?, *gray.iter().max()?);
    let dark_ink = paper - darkest > lightest - paper;
    let difference = |&gray: &u8| if dark_ink { paper.saturating_sub(gray) } else { gray.saturating_sub(paper) };
    let mut ink: Vec<u8> = gray.iter().map(difference).collect();
    let contrast = ink.iter().copied().max().filter(|&contrast| contrast >= MIN_CONTRAST)?;
    // The grain of the paper: the median deviation of the border, which holds even if the ink touches it.
    let mut grain: Vec<u8> = shades.iter().map(|shade| shade.abs_diff(paper)).collect();
    grain.sort_unstable();
    let grain = grain[grain.len() / 2].saturating_mul(6);
    // A drawing has edges that are no ink; one no larger than the frame has faint ink instead.
    let edges = if grid.len() > SIDE * SIDE { MIN_CONTRAST } else { 0 };
    stretch(&mut ink, grain.max(edges))?;
    let doubts = figure::doubts(grid, &ink.iter().map(|&ink| ink > 127).collect::<Vec<bool>>());
    Some(Figure { grid, ink, contrast, doubts })
}

/// Scales ink so that its most is 255, and clears what is not over `grain`. Nothing may be left.
fn stretch(ink: &mut [u8], grain: u8) -> Option<()> {
    let most = ink.iter().copied().max().filter(|&most| most > grain)?;
    for ink in ink {
        *ink = if *ink > grain { (u32::from(*ink) * 255 / u32::from(most)) as u8 } else { 0 };
    }
    Some(())
}

/// Crops, scales and centres.
fn fitted(figure: Figure) -> Result<Prepared, DataError> {
    let Figure { grid, ink, doubts, .. } = figure;
    let bounds = grid.bounds(&ink.iter().map(|&ink| ink > 0).collect::<Vec<bool>>()).ok_or(DataError::Blank)?;
    let digit = grid.crop(&ink, bounds);
    let (width, height, longest) = (bounds.width(), bounds.height(), bounds.longest());
    let digit = GrayImage::from_raw(width as u32, height as u32, digit).expect("as many pixels as the box has");

    let fit = |size: usize| ((2 * BOX * size + longest) / (2 * longest)).max(1) as u32; // rounded
    let (width, height) = (fit(width), fit(height));
    let mut digit = imageops::resize(&digit, width, height, FilterType::Triangle).into_raw();
    stretch(&mut digit, 0).ok_or(DataError::Blank)?;
    Ok(Prepared { pixels: centre(&digit, width as usize), doubts })
}

#[cfg(test)]
mod tests;
