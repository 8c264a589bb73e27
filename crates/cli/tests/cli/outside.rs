//! What comes from outside: files that are others than their names say, sets that are others than they seem, words that
//! would steer a terminal, and more browsers than there are handles.

use std::{net::TcpStream, time::Duration};

use super::*;

#[test]
fn what_a_file_is_instead_is_told() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 1 --save net.safetensors"));
    for (bytes, what) in [
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"[..], "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"PK\x03\x04net/data.pkl", "is a zip archive, as torch.save"),
        (b"\x80\x02}q\x00.", "is a Python pickle, which is a program and is not run here"),
        (b"\x1f\x8b\x08", "is a gzip file"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    ] {
        fs::write(place.path("file"), bytes).unwrap();
        for command in ["train --resume", "train --config", "eval", "eval --preset mlp", "show"] {
            place.refuses(&format!("{command} file"), &format!("file {what}"));
        }
        small_set(&place.path("own"));
        fs::write(place.path("own/t10k-labels-idx1-ubyte"), bytes).unwrap();
        if !bytes.starts_with(b"\x1f\x8b") {
            place.refuses("eval net.safetensors --dataset own", &format!("the labels file {what}"));
        }
    }
}

#[test]
fn configurations_are_read_in_every_usual_encoding() {
    let place = Place::new();
    let json = protocol::preset("softmax").unwrap().to_json();
    let utf16 = |unit: fn(u16) -> [u8; 2]| json.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for bytes in [
        [b"\xef\xbb\xbf", json.as_bytes()].concat(),
        [b"\xff\xfe", &utf16(u16::to_le_bytes)[..]].concat(),
        utf16(u16::to_be_bytes),
    ] {
        fs::write(place.path("run.json"), bytes).unwrap();
        assert!(place.succeeds("show run.json").contains("7,850"));
    }
    fs::write(place.path("run.json"), b"\xff").unwrap();
    place.refuses("show run.json", "run.json: it is no text in UTF-8 or UTF-16");
}

/// Forty images to learn from and ten for the test, as IDX files.
fn small_set(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (part, count) in [("train", 40), ("t10k", 10)] {
        let images = data::digits::generate(count, u64::from(count));
        let header = |magic: u32, shape: &[u32]| [&[magic], shape].concat().into_iter().flat_map(u32::to_be_bytes);
        let pixels = header(0x0803, &[count, 28, 28]).chain(images.pixels).collect::<Vec<u8>>();
        let labels = header(0x0801, &[count]).chain(images.labels).collect::<Vec<u8>>();
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), pixels).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn a_small_set_of_ones_own_is_trained_on() {
    let place = Place::new();
    small_set(&place.path("own"));
    let output = place.run("train --preset softmax --dataset own --batch 8 --steps 5 --save net.safetensors");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("30 for training, 10 for validation, 10 for the test"));
    let note = "note: 10 of the 40 images to learn from are kept for validation";
    assert!(text(&output.stderr).contains(note), "{}", text(&output.stderr));
    let refused = "own has 40 images to learn from: `dataset.split.standard.validation` is 40, but must be 0 to 39";
    place.refuses("train --dataset own --set dataset.split.standard.validation=40", refused);

    let folder = place.path("own").canonicalize().unwrap();
    let asked = format!("was trained on the folder {}, which is not opened", folder.display());
    for command in ["eval", "train --resume"] {
        place.refuses(&format!("{command} net.safetensors"), &asked);
        place.succeeds(&format!("{command} net.safetensors --dataset own"));
    }
    let wild = "--set optimizer.rule=sgd --set loss=mean_squared_error --set schedule.rate=1000 --set schedule.warm_up=200 --set evaluate_every=1 --steps 500";
    let output = place.run(&format!("train --dataset own --batch 8 {wild}"));
    let again = format!("train --resume playground-mlp.safetensors --dataset {}", folder.display());
    assert!(text(&output.stderr).contains(&again), "{}", text(&output.stderr));
}

#[test]
fn a_set_that_is_not_the_published_one_is_told() {
    let place = Place::new();
    small_set(&place.path("data/mnist"));
    for dataset in ["mnist", "auto"] {
        let line = format!("train --preset softmax --dataset {dataset} --data-dir data --batch 8 --steps 1");
        let output = place.run(&line);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(stderr.contains("note: data/mnist: these are not the published MNIST (other content: "), "{stderr}");
        small_set(&place.path("direct"));
        place.refuses(&line.replace("data-dir data", "data-dir direct"), "direct: these are not the published MNIST");
        fs::write(place.path("direct/t10k-labels-idx1-ubyte.gz"), b"\x1f\x8b\x08").unwrap();
        fs::remove_file(place.path("direct/t10k-labels-idx1-ubyte")).unwrap();
        place.refuses(
            &line.replace("data-dir data", "data-dir direct"),
            "direct/t10k-labels-idx1-ubyte.gz: the file cannot be unpacked",
        );
        fs::remove_dir_all(place.path("direct")).unwrap();
    }
}

/// What a file says is shown, and does nothing to the terminal.
#[test]
fn words_of_others_do_not_steer_the_terminal() {
    let place = Place::new();
    place.succeeds(&format!("train {DIGITS} --steps 1 --save net.safetensors"));
    let mut checkpoint = place.checkpoint("net.safetensors");
    checkpoint.config.dataset.name = "/tmp/\u{1b}[2J\u{9b}31m\u{202e}\nerror: all is lost".into();
    fs::write(place.path("evil.safetensors"), checkpoint.to_bytes()).unwrap();
    checkpoint.config.dataset.name = "digits".into();
    checkpoint.engine = "\u{1b}]0;title\u{7}".into();
    fs::write(place.path("engine.safetensors"), checkpoint.to_bytes()).unwrap();
    let json = r#"{ "model": { "preset": "\u001b[2J" } }"#;
    fs::write(place.path("run.json"), json).unwrap();
    let lines = [
        ("eval evil.safetensors", "/tmp/\\u001b[2J\\u009b31m\\u202e\n  error: all is lost"),
        ("train --resume evil.safetensors", "/tmp/\\u001b[2J"),
        ("show evil.safetensors", "/tmp/\\u001b[2J\\u009b31m\\u202e\\nerror"),
        ("show evil.safetensors --json", "/tmp/\\u001b[2J\\u009b31m\\u202e\\nerror"),
        ("show engine.safetensors", "\\u001b]0;title\\u0007"),
        ("train --config run.json", "there is no preset `\\u001b[2J`"),
        ("eval \u{1b}[2J", "cannot open \\u001b[2J"),
    ];
    for (line, shown) in lines {
        let output = place.run(line);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(all.contains(shown), "{line}: {all:?} does not show {shown:?}");
        let steers = all.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}');
        assert!(!steers, "{line}: {all:?}");
    }
}

/// More browsers than the system gives handles to.
#[cfg(unix)]
#[test]
fn pages_are_served_again_when_handles_have_run_out() {
    let place = Place::new();
    fs::create_dir_all(place.path("dist")).unwrap();
    fs::write(place.path("dist/index.html"), "the page").unwrap();
    let mut served = Command::new("sh")
        .args(["-c", "ulimit -n 24 && exec \"$0\" serve --port 0", env!("CARGO_BIN_EXE_playground-cli")])
        .current_dir(place.0.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(served.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let host = address.trim().trim_start_matches("http://").trim_end_matches('/');
    let browsers: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(host).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(browsers);
    let page = ureq::get(address.trim()).call().unwrap().into_body().read_to_string().unwrap();
    assert_eq!(page, "the page");
    served.kill().unwrap();
    served.wait().unwrap();
}
