//! `predict` as a user meets it: what is read, what is doubted and what is refused.

mod place;

use std::{fs, process::Output};

use data::digits;
use image::{GrayImage, ImageFormat, imageops};
use place::Place;

impl Place {
    /// A folder with a network of a few steps in it: `net.safetensors`.
    fn with_network(training: &str) -> Self {
        let place = Place::new();
        place.make_folder();
        let output = place.run(&format!("train {training} --engine cpu --save net.safetensors"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        place
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Predicts, and returns the exit code and what was said.
    #[track_caller]
    fn predict(&self, rest: &str) -> (Option<i32>, String, String) {
        let output = self.run(&format!("predict net.safetensors --engine cpu {rest}"));
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn save(&self, name: &str, picture: &GrayImage) {
        picture.save_with_format(self.path(name), ImageFormat::Png).unwrap();
    }

    /// Built-in digits on white, 280 pixels high, side by side.
    fn write(&self, name: &str, which: &[usize]) {
        let images = digits::generate(20, 3);
        let mut picture = GrayImage::from_pixel(280 * which.len() as u32, 280, image::Luma([255]));
        for (place, &row) in which.iter().enumerate() {
            let mut digit = GrayImage::from_raw(28, 28, images.image(row).to_vec()).unwrap();
            imageops::invert(&mut digit);
            let large = imageops::resize(&digit, 280, 280, imageops::FilterType::Triangle);
            imageops::replace(&mut picture, &large, 280 * place as i64, 0);
        }
        self.save(name, &picture);
    }

    /// `own`: a data set of gray squares in a corner, `square.png` as one of them.
    fn make_folder(&self) {
        let square = |label: usize| -> Vec<u8> {
            let inside = |i: usize| (i % 28).wrapping_sub(2 * label) < 4 && i / 28 < 4;
            (0..784).map(|i| if inside(i) { 200 } else { 10 }).collect()
        };
        let labels: Vec<u8> = (0..100).map(|i| i % 10).collect();
        let images: Vec<u8> = labels.iter().flat_map(|label| square(usize::from(*label))).collect();
        let header =
            |magic: u32, sizes: &[u32]| [&[magic], sizes].concat().iter().flat_map(|n| n.to_be_bytes()).collect();
        fs::create_dir(self.path("own")).unwrap();
        for part in ["train", "t10k"] {
            let (mut image_file, mut label_file): (Vec<u8>, Vec<u8>) =
                (header(2051, &[100, 28, 28]), header(2049, &[100]));
            image_file.extend(&images);
            label_file.extend(&labels);
            fs::write(self.path(&format!("own/{part}-images-idx3-ubyte")), image_file).unwrap();
            fs::write(self.path(&format!("own/{part}-labels-idx1-ubyte")), label_file).unwrap();
        }
        self.save("square.png", &GrayImage::from_raw(28, 28, square(3)).unwrap());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const DIGITS: &str =
    "--steps 500 --dataset digits --set dataset.digits=2000 --set dataset.split.standard.validation=200";

/// An indexed picture of one pixel whose palette has four bytes.
const BAD_PALETTE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x03\0\0\0\x28\xcb\x34\xbb\
    \0\0\0\x04PLTE\0\0\0\0\xb4\xa3\xae\x7a\0\0\0\x0aIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";

#[test]
fn one_bad_picture_does_not_stop_the_others() {
    let place = Place::with_network(DIGITS);
    place.write("three.png", &[3]);
    place.save("blank.png", &GrayImage::from_pixel(90, 90, image::Luma([255])));
    fs::write(place.path("text.png"), "no picture").unwrap();
    fs::write(place.path("palette.png"), BAD_PALETTE).unwrap();

    let (code, out, err) = place.predict("blank.png three.png missing.png");
    assert_eq!((code, out.lines().count()), (Some(1), 1), "{err}");
    assert!(out.starts_with("three.png: "), "{out}");
    assert!(err.contains("error: blank.png: the picture is blank"), "{err}");
    assert!(err.contains("error: cannot open missing.png"), "{err}");

    let (code, out, err) = place.predict("blank.png text.png");
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("error: blank.png: ") && err.contains("error: text.png: the picture cannot be read"), "{err}");

    let (code, _, err) = place.predict("palette.png");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("palette.png: the picture cannot be read (its palette of 4 bytes"), "{err}");
}

/// More than are looked at together.
#[test]
fn every_picture_has_its_answer() {
    let place = Place::with_network(DIGITS);
    place.write("three.png", &[3]);
    place.write("five.png", &[5]);
    let (_, three, _) = place.predict("three.png");
    let (_, five, _) = place.predict("five.png");
    let (code, out, err) = place.predict(&format!("{} three.png", "five.png ".repeat(69)));
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, five.repeat(69) + &three);
    let (code, _, err) = place.predict("- three.png -");
    assert!(code == Some(2) && err.contains("stdin is one picture: name it once"), "{err}");
}

#[test]
fn what_is_doubtful_is_said() {
    let place = Place::with_network(DIGITS);
    place.write("one.png", &[4]);
    place.write("two.png", &[3, 5]);
    let mut blot = GrayImage::from_pixel(120, 120, image::Luma([240]));
    imageops::replace(&mut blot, &GrayImage::new(80, 80), 20, 20);
    place.save("blot.png", &blot);

    let (code, out, err) = place.predict("one.png two.png blot.png --json");
    assert_eq!(code, Some(0), "{err}");
    let warnings = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["warnings"].clone();
    let warnings: Vec<serde_json::Value> = out.lines().map(warnings).collect();
    assert_eq!(warnings[0], serde_json::json!([]));
    assert_eq!(warnings[1][0], "there are 2 separate things: crop the picture to one digit");
    assert!(warnings[2][0].as_str().is_some_and(|warning| warning.starts_with("the ink covers 100 %")), "{out}");
    assert!(err.contains("warning: two.png: there are 2 separate things") && !err.contains("one.png"), "{err}");
    assert!(err.contains("warning: blot.png: the ink covers"), "{err}");
    assert!(!err.contains("note:"), "{err}");
}

#[test]
fn a_network_of_other_images_reads_those() {
    let place = Place::with_network(
        "--dataset own --preset softmax --set dataset.split.standard.validation=10 --batch 10 --steps 300",
    );
    let (code, out, err) = place.predict("square.png square.png");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("square.png: 3 ("), "{out}");
    assert_eq!(err.matches("note: the network was trained on ").count(), 1, "{err}");
    assert!(err.contains("own, images of 28×28 pixels: pictures of that size are taken as they are"), "{err}");

    place.write("three.png", &[3]);
    let (code, _, err) = place.predict("three.png");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("others are cropped and centred as MNIST's digits were"), "{err}");
}
