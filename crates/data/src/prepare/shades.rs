//! Pictures in colour, with transparency, as shades of gray.

use super::MIN_CONTRAST;
use image::RgbaImage;

/// The shades in which a picture's figure may be seen, the most likely first: brightness, then red, green and blue, since two
/// colours that differ do so in one of these at least. Transparency counts as white paper; but where all that can be
/// seen is of one colour, the figure is what can be seen.
pub(super) fn shades(picture: &RgbaImage) -> Vec<Vec<u8>> {
    let pixels: &[[u8; 4]] = picture.as_raw().as_chunks().0;
    if is_stencil(pixels) {
        return vec![pixels.iter().map(|[.., alpha]| 255 - alpha).collect()];
    }
    let channel = |channel: usize| pixels.iter().map(|pixel| over_white(pixel[channel], pixel[3])).collect();
    let mut shades = vec![on_white(picture)];
    if pixels.iter().any(|[r, g, b, _]| r != g || g != b) {
        shades.extend((0..3).map(channel));
    }
    shades
}

/// The brightness of a picture on white paper.
pub(super) fn on_white(picture: &RgbaImage) -> Vec<u8> {
    // ITU-R BT.709, as crate image has it
    let brightness = |r, g, b| ((2126 * u32::from(r) + 7152 * u32::from(g) + 722 * u32::from(b)) / 10_000) as u8;
    let pixels: &[[u8; 4]] = picture.as_raw().as_chunks().0;
    pixels.iter().map(|&[r, g, b, alpha]| over_white(brightness(r, g, b), alpha)).collect()
}

fn over_white(shade: u8, alpha: u8) -> u8 {
    let (shade, alpha) = (u32::from(shade), u32::from(alpha));
    ((shade * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Whether there is transparency, and one colour beside it.
fn is_stencil(pixels: &[[u8; 4]]) -> bool {
    let alphas = || pixels.iter().map(|[.., alpha]| *alpha);
    let (least, most) = (alphas().min().unwrap_or(255), alphas().max().unwrap_or(255));
    if most - least < MIN_CONTRAST {
        return false;
    }
    // The edges of a figure may have any colour; thin strokes on what is seen are a hundredth of it.
    let seen = pixels.iter().filter(|[.., alpha]| u32::from(*alpha) * 10 >= u32::from(most) * 9);
    (0..3).all(|channel| {
        let mut shades: Vec<u8> = seen.clone().map(|pixel| pixel[channel]).collect();
        shades.sort_unstable();
        shades[shades.len() * 199 / 200] - shades[shades.len() / 200] < MIN_CONTRAST
    })
}
