//! A photo or a drawing of a digit, made into an image as MNIST has them: light ink on black, cropped, scaled to fit
//! 20×20, centred by mass in 28×28.

mod png;

use crate::DataError;
use crate::frame::{BOX, SIDE, centre};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, ImageResult, Limits};
use std::io::Cursor;

/// The largest picture that is decoded, in pixels a side.
const MAX_SIDE: u32 = 8192;
/// The most memory for a decoded picture, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// The least difference between ink and background.
const MIN_CONTRAST: u8 = 32;

/// Prepares the digit in a PNG, JPEG or PGM file: `[28 × 28]`. Transparency counts as white paper.
///
/// # Errors
/// [`DataError::Picture`] if the file cannot be decoded or is too large, [`DataError::Blank`] if it shows no digit.
pub fn image(bytes: &[u8]) -> Result<[u8; SIDE * SIDE], DataError> {
    if let Some(cause) = png::bad_palette(bytes) {
        return Err(DataError::Picture { cause });
    }
    let picture = decode(bytes).map_err(|cause| DataError::Picture { cause: cause.to_string() })?.into_luma_alpha8();
    let (width, height) = picture.dimensions();
    let on_white = |&[luma, alpha]: &[u8; 2]| {
        let (luma, alpha) = (u32::from(luma), u32::from(alpha));
        ((luma * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let gray: Vec<u8> = picture.as_raw().as_chunks().0.iter().map(on_white).collect();
    pixels(&gray, width, height)
}

/// Prepares the digit on a canvas: `gray` is `[height × width]`, row-major; the result `[28 × 28]`. The background is
/// the shade of most of the border; the ink may be lighter or darker.
///
/// # Errors
/// [`DataError::Pixels`] if `gray` has another length, [`DataError::Blank`] if it shows no digit.
pub fn pixels(gray: &[u8], width: u32, height: u32) -> Result<[u8; SIDE * SIDE], DataError> {
    if gray.len() as u64 != u64::from(width) * u64::from(height) {
        return Err(DataError::Pixels { found: gray.len(), width, height });
    }
    let ink = GrayImage::from_raw(width, height, ink(gray, width as usize)?).expect("as many pixels as before");
    let (left, top, width, height) = bounds(&ink);
    let digit = imageops::crop_imm(&ink, left, top, width, height).to_image();

    let (side, longest) = (BOX as u64, u64::from(width.max(height)));
    let fit = |size: u32| ((2 * side * u64::from(size) + longest) / (2 * longest)).max(1) as u32; // rounded
    let (width, height) = (fit(width), fit(height));
    let mut digit = imageops::resize(&digit, width, height, FilterType::Triangle).into_raw();
    stretch(&mut digit, 0)?;
    Ok(centre(&digit, width as usize))
}

fn decode(bytes: &[u8]) -> ImageResult<DynamicImage> {
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
}

/// How much each pixel differs from the background in the direction of the ink, stretched to 0..=255.
fn ink(gray: &[u8], width: usize) -> Result<Vec<u8>, DataError> {
    let border = border(gray, width);
    let (Some(&darkest), Some(&lightest)) = (gray.iter().min(), gray.iter().max()) else {
        return Err(DataError::Blank);
    };
    let paper = border[border.len() / 2];
    let dark_ink = paper - darkest > lightest - paper;
    let difference = |&gray: &u8| if dark_ink { paper.saturating_sub(gray) } else { gray.saturating_sub(paper) };
    let mut ink: Vec<u8> = gray.iter().map(difference).collect();
    if *ink.iter().max().expect("not empty") < MIN_CONTRAST {
        return Err(DataError::Blank);
    }
    // The grain of the paper: the median deviation of the border, which holds even if the ink touches it.
    let mut grain: Vec<u8> = border.iter().map(|gray| gray.abs_diff(paper)).collect();
    grain.sort_unstable();
    let grain = grain[grain.len() / 2].saturating_mul(6);
    // JPEG rings around the ink. A picture no larger than the frame is one of a dataset and has faint ink instead.
    let rings = if gray.len() > SIDE * SIDE { MIN_CONTRAST } else { 0 };
    stretch(&mut ink, grain.max(rings))?;
    Ok(ink)
}

/// The pixels at the four edges, sorted by shade.
fn border(gray: &[u8], width: usize) -> Vec<u8> {
    let rows = gray.chunks_exact(width.max(1));
    let ends = rows.clone().flat_map(|row| [row[0], row[width - 1]]);
    let edges = [rows.clone().next(), rows.clone().next_back()];
    let mut border: Vec<u8> = edges.into_iter().flatten().flatten().copied().chain(ends).collect();
    border.sort_unstable();
    border
}

/// Scales ink so that its most is 255, and clears what is not over `grain`.
fn stretch(ink: &mut [u8], grain: u8) -> Result<(), DataError> {
    let most = ink.iter().copied().max().unwrap_or(0);
    if most <= grain {
        return Err(DataError::Blank);
    }
    for ink in ink {
        *ink = if *ink > grain { (u32::from(*ink) * 255 / u32::from(most)) as u8 } else { 0 };
    }
    Ok(())
}

/// The smallest box around the ink, of which there is some: left, top, width, height.
fn bounds(ink: &GrayImage) -> (u32, u32, u32, u32) {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in ink.enumerate_pixels().filter(|(_, _, ink)| ink.0[0] > 0) {
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    (left, top, right - left + 1, bottom - top + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits;
    use expect_test::{Expect, expect};
    use image::{ImageFormat, LumaA, RgbaImage};

    fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// Digit `i` enlarged by `scale` and put at `(left, top)` on a black sheet of 300×260.
    fn sheet(i: usize, scale: u32, left: i64, top: i64) -> (GrayImage, Vec<u8>) {
        let digits = digits::generate(20, 3);
        let digit = GrayImage::from_raw(28, 28, digits.image(i).to_vec()).unwrap();
        let large = imageops::resize(&digit, 28 * scale, 28 * scale, FilterType::Nearest);
        let mut sheet = GrayImage::new(300, 260);
        imageops::replace(&mut sheet, &large, left, top);
        (sheet, digit.into_raw())
    }

    /// The mean difference may be this large, after a shift by a pixel that rounding may cause.
    #[track_caller]
    fn assert_close(prepared: &[u8], digit: &[u8], mean_difference: u32) {
        let difference = |shift: usize| -> u32 {
            let shifted = prepared.iter().cycle().skip(shift); // the margins are empty
            digit.iter().zip(shifted).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() / 784
        };
        let shifts = [0, 1, 783, 28, 29, 27, 756, 757, 755];
        let least = shifts.map(difference).into_iter().min().unwrap();
        assert!(least <= mean_difference, "mean difference {least}");
    }

    #[test]
    fn an_image_of_the_dataset_stays_as_it_is() {
        let digits = digits::generate(100, 5);
        for i in 0..100 {
            let digit = digits.image(i);
            assert_eq!(pixels(digit, 28, 28).unwrap(), digit);
        }
    }

    #[test]
    fn an_enlarged_and_shifted_digit_comes_back() {
        for i in 0..20 {
            let (sheet, digit) = sheet(i, 7, 90 - 4 * i as i64, i as i64 * 3);
            let prepared = pixels(sheet.as_raw(), 300, 260).unwrap();
            assert_close(&prepared, &digit, 12);
            let png = encoded(sheet.clone(), ImageFormat::Png);
            assert_eq!(image(&png).unwrap(), prepared);
            assert_eq!(image(&encoded(sheet.clone(), ImageFormat::Pnm)).unwrap(), prepared);
            assert_close(&image(&encoded(sheet, ImageFormat::Jpeg)).unwrap(), &prepared, 6);
        }
    }

    #[test]
    fn dark_ink_on_paper_gives_the_same() {
        let (sheet, _) = sheet(4, 6, 20, 30);
        let light = pixels(sheet.as_raw(), 300, 260).unwrap();
        let inverted: Vec<u8> = sheet.iter().map(|ink| 255 - ink).collect();
        assert_eq!(pixels(&inverted, 300, 260).unwrap(), light);

        let grainy = |(i, ink): (usize, &u8)| 190 - ink / 2 + (i * 7919 % 13) as u8;
        let photo: Vec<u8> = sheet.iter().enumerate().map(grainy).collect();
        assert_close(&pixels(&photo, 300, 260).unwrap(), &light, 6);

        let transparent = DynamicImage::from(sheet).to_luma_alpha8();
        let transparent = image::ImageBuffer::from_fn(300, 260, |x, y| LumaA([0, transparent.get_pixel(x, y).0[0]]));
        assert_eq!(image(&encoded(transparent, ImageFormat::Png)).unwrap(), light);
    }

    #[test]
    fn odd_pictures_are_prepared() {
        for (width, height) in [(1, 40), (40, 1), (2, 2), (5000, 3)] {
            let mut line = vec![0; (width * height) as usize];
            *line.last_mut().unwrap() = 255;
            assert!(pixels(&line, width, height).unwrap().contains(&255), "{width}×{height}");
        }
    }

    #[test]
    fn blank_pictures_are_refused() {
        for shade in [0, 100, 255] {
            assert!(matches!(pixels(&[shade; 600], 30, 20), Err(DataError::Blank)));
        }
        let faint: Vec<u8> = (0..600).map(|i| 200 + (i % 20) as u8).collect();
        assert!(matches!(pixels(&faint, 30, 20), Err(DataError::Blank)));
        assert!(matches!(pixels(&[], 0, 20), Err(DataError::Blank)));
        assert!(matches!(image(&encoded(RgbaImage::new(9, 9), ImageFormat::Png)), Err(DataError::Blank)));
    }

    #[test]
    fn hostile_files_are_refused() {
        fn check(bytes: &[u8], expected: Expect) {
            expected.assert_eq(&image(bytes).unwrap_err().to_string());
        }
        check(
            b"",
            expect![
                "the picture cannot be read (The image format could not be determined): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        check(
            b"GIF89a and more",
            expect![
                "the picture cannot be read (The image format Gif is not supported): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        check(
            b"P5 100000 2 255 ",
            expect![
                "the picture cannot be read (Image size exceeds limit): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        check(
            b"P5 8000 8000 255 ",
            expect![
                "the picture cannot be read (failed to fill whole buffer): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        check(
            b"P6 4294967295 4294967295 65535 ",
            expect![
                "the picture cannot be read (The decoder for Pnm does not support the format features Image dimensions (4294967295x4294967295) are too large): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        let mut png = encoded(GrayImage::new(9, 9), ImageFormat::Png);
        check(
            &png[..40],
            expect![
                "the picture cannot be read (unexpected end of file): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        png[16] = 0x7f; // the width, 2³¹
        let mut checksum = flate2::Crc::new();
        checksum.update(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
        check(
            &png,
            expect![
                "the picture cannot be read (Image size exceeds limit): give a PNG, JPEG or PGM file of at most 8192×8192 pixels"
            ],
        );
        let (sheet, _) = sheet(0, 7, 0, 0);
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Pnm] {
            let file = encoded(sheet.clone(), format);
            for length in (0..file.len()).step_by(97) {
                let _ = image(&file[..length]); // an error or half a digit, but no panic
            }
        }
        expect!["the picture has 5 pixels, which is not 2×3: pass one gray byte a pixel"]
            .assert_eq(&pixels(&[0; 5], 2, 3).unwrap_err().to_string());
    }
}
