//! What a browser gets.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
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
    write("site/page-0123456789abcdef.js", "a script");
    write("site/sub/index.html", "another page");
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
    assert_eq!(get(address, "/page.wasm", "br;q=0").2, "plain");
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
    assert_eq!(get(address, "/page.wasm", "gzip, br;q=0").2, "plain");
    assert_eq!(get(address, "/data/mnist/images.gz", "identity").2, "the machine's");
    assert_eq!(get(address, "/data/mnist/labels.gz", "identity").0, 404);
    assert_eq!(get(address, "/other", "identity").0, 404);
}

/// What comes for a request as it stands here, until the server ends the connection.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of a header, in what [`raw`] returns.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn every_answer_is_guarded() {
    let (_folder, address) = serve();
    for path in ["/", "/page.wasm", "/nothing", "/data/mnist/images.gz"] {
        let answer = raw(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(header(&answer, "content-security-policy").unwrap().contains("frame-ancestors 'self'"), "{answer}");
        for (name, value) in
            [("referrer-policy", "no-referrer"), ("vary", "accept-encoding"), ("cache-control", "no-cache")]
        {
            assert_eq!(header(&answer, name), Some(value), "{path}");
        }
    }
    let answer = raw(address, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 ") && header(&answer, "allow") == Some("GET,HEAD"), "{answer}");
}

#[test]
fn what_has_a_hash_in_its_name_is_kept_for_ever() {
    let (folder, address) = serve();
    let embedded = start(
        Pages::Embedded(&[("index.html", b"the page"), ("page-0123456789abcdef.js", b"a script")]),
        folder.path().join("found"),
    );
    for address in [address, embedded] {
        let kept = |path: &str| {
            let answer = raw(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            header(&answer, "cache-control").unwrap().to_owned()
        };
        assert_eq!(kept("/page-0123456789abcdef.js"), "public, max-age=31536000, immutable");
        assert_eq!(kept("/page-fedcba9876543210.js"), "no-cache", "there is none yet");
        assert_eq!(kept("/index.html"), "no-cache");
    }
}

/// A page of another site may have its own name lead here.
#[test]
fn other_hosts_are_refused() {
    let (_folder, address) = serve();
    let answer = |head: &str| raw(address, &format!("{head}Connection: close\r\n\r\n"));
    for host in ["localhost", "127.0.0.1:8080", "[::1]:80"] {
        assert!(answer(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n")).starts_with("HTTP/1.1 200 "), "{host}");
    }
    for head in [
        "GET / HTTP/1.1\r\nHost: evil.example\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
        "GET / HTTP/1.0\r\n",
    ] {
        let answer = answer(head);
        let is_refused = answer.split_whitespace().nth(1) == Some("421") && answer.contains("localhost, 127.0.0.1");
        assert!(is_refused && !answer.contains("the page"), "{head}: {answer}");
    }
}

#[test]
fn names_that_no_system_has_are_not_found() {
    let (_folder, address) = serve();
    for path in [format!("/{}", "a".repeat(300)), "/a".repeat(4000), format!("/data/mnist/{}", "a".repeat(300))] {
        assert_eq!(get(address, &path, "br, gzip").0, 404, "{} characters", path.len());
    }
    for path in ["/%00", "/a%00b", "/%ff"] {
        assert_eq!(get(address, path, "br, gzip").0, 404, "{path}");
    }
    assert_eq!(get(address, "/sub/", "br, gzip").2, "another page");
}

/// Whoever opens a pipe waits for its other end.
#[cfg(unix)]
#[test]
fn only_files_are_read() {
    let (folder, address) = serve();
    let pipe = |name: &str| {
        let path = folder.path().join("site").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    ["pipe", "index.html.br", "piped/index.html"].into_iter().for_each(pipe);
    for path in ["/pipe", "/./pipe", "/sub/../pipe", "/%70ipe", "//pipe", "/", "/index.html", "/piped/"] {
        let answer = raw(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

/// Connections that say nothing, too little, or nothing more, and more of them than there are places.
#[test]
fn who_keeps_silent_is_left() {
    let (_folder, address) = serve();
    let clock = Instant::now();
    let silent: Vec<TcpStream> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            let said = ["", "GET / HTTP/1.1\r\nHost: ", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"][number % 3];
            stream.write_all(said.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(get(address, "/", "identity").2, "the page");
    assert!(clock.elapsed() < Duration::from_secs(5), "{:?}", clock.elapsed());
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let _ = stream.read_to_end(&mut vec![]); // to its end, or to a reset
    }
    assert!(clock.elapsed() < Duration::from_secs(45), "{:?}", clock.elapsed());
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
