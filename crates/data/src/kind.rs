//! What a file is by its first bytes. What was downloaded, cloned or exported often is not what its name says, and "not an
//! IDX file" or "not JSON" helps nobody who holds a web page.

use std::fmt;

/// A kind of file that is often met in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What Git LFS leaves where the file itself was not fetched.
    LfsPointer,
    /// What a server answers where it does not have the file, or does not give it.
    WebPage,
    /// Of files; PyTorch's newer checkpoints and NumPy's `.npz` are such archives.
    Zip,
    /// Objects of Python, PyTorch's older checkpoints among them.
    Pickle,
    /// One packed file.
    Gzip,
    /// Keras's checkpoints, among others.
    Hdf5,
    /// A NumPy array.
    Npy,
    /// A picture.
    Png,
    /// A picture.
    Jpeg,
}

const BEGINNINGS: [(&[u8], Kind); 7] = [
    (b"version https://git-lfs", Kind::LfsPointer),
    (b"PK\x03\x04", Kind::Zip),
    (b"\x1f\x8b", Kind::Gzip),
    (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
    (b"\x93NUMPY", Kind::Npy),
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (b"\xff\xd8\xff", Kind::Jpeg),
];
/// Servers that only store files answer with XML.
const MARKUP: [&str; 3] = ["<!doctype", "<html", "<?xml"];

impl Kind {
    /// The kind of a file that begins with these bytes, if it is one of these. Ask where a file could not be read as what it
    /// should be: a good safetensors file may begin like a pickle.
    pub fn of(bytes: &[u8]) -> Option<Kind> {
        let known = BEGINNINGS.into_iter().find(|(beginning, _)| bytes.starts_with(beginning));
        let is_markup = || {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
            let begins =
                |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
            MARKUP.into_iter().any(begins)
        };
        match bytes {
            _ if known.is_some() => known.map(|(_, kind)| kind),
            [0x80, 2..=5, ..] => Some(Kind::Pickle), // an operation that says the protocol; older ones do not
            _ => is_markup().then_some(Kind::WebPage),
        }
    }
}

/// What it is and what to do.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::LfsPointer => "a Git LFS pointer instead of the file: `git lfs pull` fetches the file itself",
            Kind::WebPage => "a web page: a server answered with it instead of the file, so download the file itself",
            Kind::Zip => {
                "a zip archive, as torch.save and numpy.savez write them: unpack it, or save weights with \
                 safetensors.torch.save_file"
            }
            Kind::Pickle => {
                "a Python pickle, which is a program and is not run here: save weights with \
                 safetensors.torch.save_file"
            }
            Kind::Gzip => "a gzip file: unpack it with gunzip",
            Kind::Hdf5 => "an HDF5 file: save weights as safetensors, images as IDX",
            Kind::Npy => "a NumPy array: save weights as safetensors, images as IDX",
            Kind::Png => "a PNG picture",
            Kind::Jpeg => "a JPEG picture",
        })
    }
}

/// The text of a file in UTF-8 or UTF-16, with or without the mark that says which, or in UTF-32 with it; nothing where it
/// is neither. Windows writes such files.
pub fn text(bytes: &[u8]) -> Option<String> {
    let utf8 = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned);
    let utf32 = |bytes: &[u8], unit: fn([u8; 4]) -> u32| {
        let (fours, rest) = bytes.as_chunks();
        let text: Option<String> = fours.iter().map(|&four| char::from_u32(unit(four))).collect();
        text.filter(|_| rest.is_empty())
    };
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => utf8(text),
        [0xff, 0xfe, 0, 0, text @ ..] => utf32(text, u32::from_le_bytes),
        [0, 0, 0xfe, 0xff, text @ ..] => utf32(text, u32::from_be_bytes),
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        // Our texts begin with a character of ASCII, and none contains a zero.
        [1..0x80, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..0x80, ..] => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning() {
        let known: [(&[u8], Kind); 14] = [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", Kind::LfsPointer),
            (b"<!DOCTYPE html>\n<html>", Kind::WebPage),
            (b"\xef\xbb\xbf\r\n  <HTML lang=\"en\">", Kind::WebPage),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", Kind::WebPage),
            (b"PK\x03\x04\x00\x00archive/data.pkl", Kind::Zip),
            (b"\x80\x02}q\x00", Kind::Pickle),
            (b"\x80\x05\x95", Kind::Pickle),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"\x89HDF\r\n\x1a\n\x00", Kind::Hdf5),
            (b"\x93NUMPY\x01\x00", Kind::Npy),
            (b"\x89PNG\r\n\x1a\n", Kind::Png),
            (b"\xff\xd8\xff\xe0", Kind::Jpeg),
            (b"\xff\xd8\xff\xdb", Kind::Jpeg),
            (b"<html>", Kind::WebPage),
        ];
        for (bytes, kind) in known {
            assert_eq!(Kind::of(bytes), Some(kind), "{}", bytes.escape_ascii());
        }
        for bytes in [&b""[..], b"<", b"{\"model\": 1}", b"\x00\x00\x08\x03", b"P5 28 28 255", b"\x80", b"\x80\x01"] {
            assert_eq!(Kind::of(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn texts_are_read_in_every_usual_encoding() {
        let words = "{\"name\": \"数字 🖊\"}";
        let utf16 = |unit: fn(u16) -> [u8; 2]| words.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        let utf32 = |unit: fn(u32) -> [u8; 4]| words.chars().flat_map(|c| unit(c.into())).collect::<Vec<u8>>();
        let encoded = [
            [b"\xff\xfe\0\0", &utf32(u32::to_le_bytes)[..]].concat(),
            [b"\0\0\xfe\xff", &utf32(u32::to_be_bytes)[..]].concat(),
            words.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", words.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little.clone(),
            big,
        ];
        for bytes in encoded {
            assert_eq!(text(&bytes).as_deref(), Some(words), "{}", bytes.escape_ascii());
        }
        assert_eq!(text(b"").as_deref(), Some(""));
        for bytes in [
            &b"\xff"[..],
            b"\xff\xfe\0\0\0\xd8\0\0",
            b"\xff\xfe\0\0a\0\0",
            b"\xff\xfea",
            b"\xff\xfe\x00\xd8",
            &little[..little.len() - 1],
        ] {
            assert_eq!(text(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
