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
        assert_eq!(image(&png).unwrap().pixels, prepared);
        assert_eq!(image(&encoded(sheet.clone(), ImageFormat::Pnm)).unwrap().pixels, prepared);
        assert_close(&image(&encoded(sheet, ImageFormat::Jpeg)).unwrap().pixels, &prepared, 6);
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
    assert_eq!(image(&encoded(transparent, ImageFormat::Png)).unwrap().pixels, light);
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
            let read = image(&file[..length]);
            // Of a PNG the end may be missing that holds no pixels.
            assert!(read.is_err() || format == ImageFormat::Png && length + 97 > file.len(), "{format:?}, {length}");
        }
    }
    expect!["the picture has 5 pixels, which is not 2×3: pass one gray byte a pixel"]
        .assert_eq(&pixels(&[0; 5], 2, 3).unwrap_err().to_string());
}

/// Digit `i` in black on white, 240 pixels of a picture of 300×260.
fn on_paper(i: usize) -> GrayImage {
    let digits = digits::generate(20, 3);
    let digit = GrayImage::from_raw(28, 28, digits.image(i).to_vec()).unwrap();
    let mut sheet = GrayImage::new(300, 260);
    imageops::replace(&mut sheet, &imageops::resize(&digit, 240, 240, FilterType::Triangle), 30, 10);
    // black on white, with the edges of a pen
    sheet.pixels_mut().for_each(|pixel| pixel.0[0] = (128 - 3 * (i32::from(pixel.0[0]) - 128)).clamp(0, 255) as u8);
    sheet
}

/// What a picture is made to look like comes out as the digit on plain paper does.
#[track_caller]
fn same_on(spoil: impl Fn(u32, u32, f32) -> f32) {
    for i in 0..10 {
        let plain = on_paper(i);
        let expected = pixels(&plain, 300, 260).unwrap();
        let shade = |x, y| image::Luma([spoil(x, y, f32::from(plain.get_pixel(x, y).0[0])) as u8]);
        let spoiled = GrayImage::from_fn(300, 260, shade);
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let prepared = image(&encoded(spoiled.clone(), format)).unwrap();
            assert_eq!(prepared.doubts, [], "digit {i}");
            assert_close(&prepared.pixels, &expected, 16);
        }
    }
}

#[test]
fn light_may_be_uneven() {
    same_on(|x, _, shade| (0.15 + 0.75 * shade / 255.0) * (120.0 + x as f32 / 2.3));
    same_on(|x, y, shade| (0.1 + 0.8 * shade / 255.0) * (250.0 - 0.4 * (x as f32 - 140.0).hypot(y as f32 - 90.0)));
    same_on(|x, y, shade| (0.1 + 0.8 * shade / 255.0) * if x + y / 2 > 230 { 120.0 } else { 240.0 }); // a shadow
}

#[test]
fn paper_may_lie_on_a_table_and_be_framed_and_ruled() {
    let in_box = |x: u32, y: u32, margin: u32| x.min(299 - x) >= margin && y.min(259 - y) >= margin;
    same_on(|x, y, shade| if in_box(x, y, 12) { 30.0 + 0.8 * shade } else { 70.0 });
    same_on(|x, y, shade| if in_box(x, y, 12) { 20.0 + 0.7 * shade } else { 30.0 }); // as dark as the ink
    same_on(|x, y, shade| if in_box(x, y, 12) { 20.0 + 0.6 * shade } else { 240.0 });
    same_on(|x, y, shade| if in_box(x, y, 4) && !in_box(x, y, 7) { 20.0 } else { shade });
    same_on(|_, y, shade| if y % 24 == 3 { shade.min(150.0) } else { shade });
    same_on(|x, y, shade| if y % 24 == 3 || x % 24 == 20 { shade.min(90.0) } else { shade });
}

#[test]
fn colour_may_tell_what_brightness_does_not() {
    for i in 0..10 {
        let plain = on_paper(i);
        let expected = pixels(&plain, 300, 260).unwrap();
        let ink = |x, y| 1.0 - f32::from(plain.get_pixel(x, y).0[0]) / 255.0;
        for (ground, pen) in
            [([0, 110, 0], [255, 30, 60]), ([255, 255, 255], [255, 250, 20]), ([0, 60, 220], [200, 0, 0])]
        {
            let mix =
                |ink: f32, c: usize| (f32::from(ground[c] as u8) * (1.0 - ink) + f32::from(pen[c] as u8) * ink) as u8;
            let picture = image::RgbImage::from_fn(300, 260, |x, y| image::Rgb([0, 1, 2].map(|c| mix(ink(x, y), c))));
            assert_close(&image(&encoded(picture, ImageFormat::Png)).unwrap().pixels, &expected, 8);
        }
        for ink_colour in [[255, 255, 255], [0, 0, 0], [255, 250, 20]] {
            let picture = RgbaImage::from_fn(300, 260, |x, y| {
                let [r, g, b] = ink_colour;
                image::Rgba([r, g, b, (255.0 * ink(x, y)) as u8])
            });
            assert_close(&image(&encoded(picture, ImageFormat::Png)).unwrap().pixels, &expected, 2);
        }
    }
}

#[test]
fn what_may_be_no_digit_is_doubted() {
    let doubts = |picture: GrayImage| image(&encoded(picture, ImageFormat::Png)).unwrap().doubts;
    let mut blot = GrayImage::from_pixel(100, 100, image::Luma([240]));
    imageops::replace(&mut blot, &GrayImage::new(60, 70), 20, 20);
    assert_eq!(doubts(blot), [Doubt::Covers { percent: 100 }]);

    let mut two = GrayImage::from_pixel(600, 260, image::Luma([255]));
    imageops::replace(&mut two, &on_paper(1), 0, 0);
    imageops::replace(&mut two, &on_paper(7), 300, 0);
    assert_eq!(doubts(two), [Doubt::Several { things: 2 }]);

    let mut small = GrayImage::new(28, 28);
    imageops::replace(&mut small, &GrayImage::from_pixel(5, 5, image::Luma([255])), 8, 3);
    assert_eq!(doubts(small), [Doubt::Covers { percent: 100 }]);
}

#[test]
fn a_picture_is_taken_as_it_is_if_it_has_the_size() {
    let digit = digits::generate(1, 3).image(0).to_vec();
    let file = encoded(GrayImage::from_raw(28, 28, digit.clone()).unwrap(), ImageFormat::Png);
    assert_eq!(as_it_is(&file, 28, 28).unwrap(), Some(digit));
    assert_eq!(as_it_is(&file, 28, 27).unwrap(), None);
    assert!(as_it_is(b"", 28, 28).is_err());
}
