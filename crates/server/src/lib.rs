//! Serves the page to browsers on this machine, with the headers that it needs, and data sets that were found here.
//!
//! This crate does not know what the page does, how data sets are looked for, or what trains.
//!
//! ```
//! use std::{io::Read, net::{TcpListener, TcpStream}};
//! use server::{Pages, Site};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("index.html"), "a page")?;
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let site = Site { pages: Pages::Folder(folder.path().into()), data: Box::new(|_, _| None) };
//! std::thread::spawn(move || server::run(listener, site));
//!
//! assert_eq!(ureq::get(format!("http://{address}/")).call()?.into_body().read_to_string()?, "a page");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{io, net::TcpListener, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tower::ServiceExt;
use tower_http::{
    services::{ServeDir, ServeFile},
    set_header::SetResponseHeaderLayer,
};

/// Where the file of a data set is on this machine, by the names of both: `mnist`, `train-images-idx3-ubyte.gz`.
pub type Find = dyn Fn(&str, &str) -> Option<PathBuf> + Send + Sync;

/// The built page. Files that lie beside their compressed forms (`.br`, `.gz`) are sent in these.
pub enum Pages {
    /// In a folder.
    Folder(PathBuf),
    /// In the program: names and contents.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

/// What is served.
pub struct Site {
    /// The page.
    pub pages: Pages,
    /// What is served as `data/SET/FILE` before the page's own files are looked into.
    pub data: Box<Find>,
}

/// What every answer says: that the page stands alone, so that it may use threads and exact clocks, that nothing is
/// fetched from elsewhere, and that a page that was built anew is seen.
const HEADERS: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; worker-src 'self' blob:",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// Serves until the process ends.
///
/// # Errors
/// Where the listener fails.
pub fn run(listener: TcpListener, site: Site) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        axum::serve(tokio::net::TcpListener::from_std(listener)?, router(site)).await
    })
}

fn router(site: Site) -> Router {
    let pages = match site.pages {
        Pages::Folder(folder) => {
            Router::new().fallback_service(ServeDir::new(folder).precompressed_br().precompressed_gzip())
        }
        Pages::Embedded(files) => {
            Router::new().fallback(move |request: Request| async move { embedded(files, &request) })
        }
    };
    let (find, own) = (Arc::new(site.data), pages.clone());
    let data = move |Path((set, file)): Path<(String, String)>, request: Request| async move {
        match find(&set, &file) {
            Some(path) => answer(ServeFile::new(path).oneshot(request).await),
            None => answer(own.oneshot(request).await),
        }
    };
    let router = Router::new().route("/data/{set}/{file}", get(data)).fallback_service(pages);
    HEADERS.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)))
    })
}

/// A file of the program, packed by brotli where the browser takes that.
fn embedded(files: &[(&str, &'static [u8])], request: &Request) -> Response<Body> {
    let name = match request.uri().path().trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let find = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
    let accepted = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let takes_brotli = accepted.unwrap_or_default().split(',').any(|encoding| encoding.trim().starts_with("br"));
    let kind = mime_guess::from_path(name).first_or_octet_stream().to_string();
    match (find(&format!("{name}.br")).filter(|_| takes_brotli), find(name)) {
        (Some(packed), _) => {
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, "br".into())], packed).into_response()
        }
        (None, Some(plain)) => ([(header::CONTENT_TYPE, kind)], plain).into_response(),
        (None, None) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Files that cannot be read are answered for by the service itself.
fn answer<B, E>(result: Result<Response<B>, E>) -> Response<Body>
where
    Response<B>: IntoResponse,
{
    result.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), IntoResponse::into_response)
}
