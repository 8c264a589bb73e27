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

mod files;
mod guard;

use std::{convert::Infallible, io, net::TcpListener, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, time};

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

/// Connections at once; the next ones wait for a place. With a file for each they need 128 handles; macOS gives a program
/// 256.
const CONNECTIONS: usize = 64;
/// How long a browser may take for the head of a request. It also ends a connection that nothing more is asked of.
const REQUEST: Duration = Duration::from_secs(5);
/// The same while more than half of the places are taken.
const HASTE: Duration = Duration::from_millis(300);
/// How long a connection may last; browsers open another one. It ends for those who do not read what they asked for.
const CONNECTION: Duration = Duration::from_secs(300);
/// Before a connection is taken again where that has failed: mostly since there are no handles left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until the process ends.
///
/// # Errors
/// Where the listener cannot be used.
pub fn run(listener: TcpListener, site: Site) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        serve(tokio::net::TcpListener::from_std(listener)?, Arc::new(site)).await
    })
}

async fn serve(listener: tokio::net::TcpListener, site: Arc<Site>) -> io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
        let Ok((stream, _)) = listener.accept().await else {
            time::sleep(PAUSE).await;
            continue;
        };
        let is_crowded = places.available_permits() < CONNECTIONS / 2;
        http.header_read_timeout(if is_crowded { HASTE } else { REQUEST });
        let site = Arc::clone(&site);
        let service = service_fn(move |request: Request<Incoming>| {
            let site = Arc::clone(&site);
            async move { Ok::<_, Infallible>(guard::answer(&site, request).await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            if time::timeout(CONNECTION, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown(); // an answer that is on its way arrives
                let _ = time::timeout(REQUEST, connection).await;
            }
            drop(place);
        });
    }
}
