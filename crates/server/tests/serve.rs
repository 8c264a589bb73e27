//! What a browser gets.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    thread,
};

use server::{Pages, Site};
use tempfile::TempDir;

/// A page with a compressed file and a data set of its own, and a data set found elsewhere.
fn serve() -> (TempDir, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("site/index.html", "the page");
    write("site/page.wasm", "plain");
    write("site/page.wasm.br", "small");
    write("site/data/mnist/labels.gz", "the site's");
    write("found/images.gz", "the machine's");
    write("secret", "not for browsers");
    let address = start(Pages::Folder(folder.path().join("site")), folder.path().join("found"));
    (folder, address)
}

fn start(pages: Pages, found: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let data = Box::new(move |set: &str, file: &str| (set == "mnist" && file == "images.gz").then(|| found.join(file)));
    thread::spawn(move || server::run(listener, Site { pages, data }));
    address
}

/// Status, the named headers, body.
fn get(address: SocketAddr, path: &str, encoding: &str) -> (u16, Vec<Option<String>>, String) {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let response = agent.get(format!("http://{address}{path}")).header("accept-encoding", encoding).call().unwrap();
    let names = ["content-type", "content-encoding", "cross-origin-embedder-policy"];
    let headers = names.map(|name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()));
    let status = response.status().as_u16();
    let bytes = response.into_body().read_to_vec().unwrap();
    (status, headers.to_vec(), String::from_utf8(bytes).unwrap())
}

#[test]
fn pages_have_their_types_and_headers() {
    let (_folder, address) = serve();
    let (status, headers, body) = get(address, "/", "identity");
    assert_eq!((status, body.as_str()), (200, "the page"));
    assert_eq!(headers, [Some("text/html".into()), None, Some("require-corp".into())]);
    let (_, headers, body) = get(address, "/page.wasm", "br");
    assert_eq!(body, "small");
    assert_eq!(headers[..2], [Some("application/wasm".into()), Some("br".into())]);
    assert_eq!(get(address, "/page.wasm", "identity").2, "plain");
}

#[test]
fn data_comes_from_the_machine_then_from_the_site() {
    let (_folder, address) = serve();
    assert_eq!(get(address, "/data/mnist/images.gz", "identity").2, "the machine's");
    assert_eq!(get(address, "/data/mnist/labels.gz", "identity").2, "the site's");
    let (status, headers, _) = get(address, "/data/mnist/nothing", "identity");
    assert_eq!((status, &headers[2]), (404, &Some("require-corp".into())));
}

#[test]
fn a_program_may_contain_its_page() {
    let (folder, _) = serve();
    let files: &[(&str, &[u8])] = &[("index.html", b"the page"), ("page.wasm", b"plain"), ("page.wasm.br", b"small")];
    let address = start(Pages::Embedded(files), folder.path().join("found"));
    assert_eq!(get(address, "/", "gzip, br").2, "the page");
    let (_, headers, body) = get(address, "/page.wasm", "gzip, br");
    assert_eq!(body, "small");
    assert_eq!(headers, [Some("application/wasm".into()), Some("br".into()), Some("require-corp".into())]);
    assert_eq!(get(address, "/page.wasm", "gzip").2, "plain");
    assert_eq!(get(address, "/data/mnist/images.gz", "identity").2, "the machine's");
    assert_eq!(get(address, "/data/mnist/labels.gz", "identity").0, 404);
    assert_eq!(get(address, "/other", "identity").0, 404);
}

#[test]
fn nothing_else_is_served() {
    let (_folder, address) = serve();
    for path in
        ["/../secret", "/..%2fsecret", "/data/mnist/..%2f..%2f..%2fsecret", "/data/%2e%2e/secret", "//etc/passwd"]
    {
        let (status, _, body) = get(address, path, "identity");
        assert!(status != 200 && !body.contains("not for browsers"), "{path}: {status} {body}");
    }
}
