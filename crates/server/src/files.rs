//! Which file a request asks for, and in which form.

use std::{
    io::{self, ErrorKind},
    path::{Component, Path},
};

use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
};
use percent_encoding::percent_decode_str;
use tower_http::services::{
    ServeDir, ServeFile,
    fs::{DefaultServeDirFallback, ServeFileSystemResponseBody},
};

use crate::{Pages, Site};

/// A file, or what is in memory.
pub(crate) type Answer = Either<ServeFileSystemResponseBody, Full<Bytes>>;

/// A few words, as text.
pub(crate) fn words(status: StatusCode, text: &'static str) -> Response<Answer> {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The file that is asked for by GET or HEAD.
pub(crate) async fn answer(site: &Site, request: Request<Incoming>) -> Response<Answer> {
    let path = percent_decode_str(request.uri().path()).decode_utf8().map(|path| path.into_owned());
    let Ok(path) = path else { return words(StatusCode::NOT_FOUND, "") };
    let data = path.strip_prefix("/data/").and_then(|path| path.split_once('/'));
    if let Some(found) = data.and_then(|(set, file)| (site.data)(set, file)) {
        return sent(ServeFile::new(found).try_call(request).await);
    }
    match &site.pages {
        Pages::Embedded(files) => embedded(files, &path, request.headers()),
        Pages::Folder(folder) if is_ordinary(folder, &path).await => {
            let mut files: ServeDir<DefaultServeDirFallback> = ServeDir::new(folder);
            files = files.precompressed_br().precompressed_gzip();
            sent(files.try_call(request).await)
        }
        Pages::Folder(_) => words(StatusCode::NOT_FOUND, ""),
    }
}

fn sent(result: io::Result<Response<ServeFileSystemResponseBody>>) -> Response<Answer> {
    match result {
        Ok(response) => response.map(Either::Left),
        Err(error) if error.kind() == ErrorKind::InvalidFilename => words(StatusCode::NOT_FOUND, ""), // too long a name
        Err(_) => words(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

/// Whether a path leads, within the folder, to an ordinary file in all its forms, to a folder, or to nothing. Whoever opens
/// a pipe waits for its other end, and a device may have no end.
async fn is_ordinary(folder: &Path, path: &str) -> bool {
    let inside = Path::new(path.trim_start_matches('/'));
    if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
        return false;
    }
    let mut place = folder.join(inside);
    let is_folder = tokio::fs::metadata(&place).await.is_ok_and(|found| found.is_dir());
    if is_folder {
        place.push("index.html");
    }
    for place in [place.clone(), place.with_added_extension("br"), place.with_added_extension("gz")] {
        if tokio::fs::metadata(&place).await.is_ok_and(|found| !found.is_file()) {
            return false;
        }
    }
    true
}

/// A file of the program, packed by brotli where the browser takes that.
fn embedded(files: &[(&str, &'static [u8])], path: &str, headers: &HeaderMap) -> Response<Answer> {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let find = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
    let packed = find(&format!("{name}.br")).filter(|_| takes_brotli(headers));
    let Some(bytes) = packed.or_else(|| find(name)) else { return words(StatusCode::NOT_FOUND, "") };
    let mut response = Response::new(Either::Right(Full::from(bytes)));
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if packed.is_some() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// Whether a browser lists `br`, and not with the quality 0, which is a refusal.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let takes = |entry: &str| {
        let (name, quality) = entry.split_once(';').unwrap_or((entry, "q=1"));
        let quality = quality.trim().to_ascii_lowercase();
        let quality = quality.strip_prefix("q=").and_then(|number| number.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("br") && quality.is_some_and(|quality| quality > 0.0)
    };
    listed.flat_map(|list| list.split(',')).any(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_is_sent_to_those_who_take_it() {
        let takes = |lists: &[&str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_str(list).unwrap());
            }
            takes_brotli(&headers)
        };
        for list in ["br", "gzip, br", "gzip;q=1.0, BR ; q=0.5", "br;q=0.001"] {
            assert!(takes(&[list]), "{list}");
        }
        for list in ["", "gzip", "brotli", "br;q=0", "br;q=0.000, gzip", "br;q=nan", "br;q=x", "*"] {
            assert!(!takes(&[list]), "{list}");
        }
        assert!(takes(&["gzip", "br"]) && !takes(&[]));
    }
}
