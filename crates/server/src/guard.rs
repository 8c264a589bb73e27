//! Who is answered, and what every answer says.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
    http::uri::Authority,
};

use crate::{
    Site,
    files::{self, Answer, words},
};

/// What every answer says: that the page stands alone, so that it may use threads and exact clocks; that nothing is fetched
/// from elsewhere, and nobody else shows it in a frame or hears where a link was; that what is kept under one address may
/// be packed in several ways, and is asked for again, so that a page that was built anew is seen.
const HEADERS: [(HeaderName, &str); 8] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; worker-src 'self' blob:; frame-ancestors 'self'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "accept-encoding"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// For a file that has a hash of its content in its name: another content has another name.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The answer to a request, whatever it is.
pub(crate) async fn answer(site: &Site, request: Request<Incoming>) -> Response<Answer> {
    let is_lasting = has_hash(request.uri().path());
    let mut response = if !is_for_this_machine(request.uri().authority(), request.headers()) {
        words(
            StatusCode::MISDIRECTED_REQUEST,
            "This server answers to localhost, 127.0.0.1 and [::1] alone: open the address that it has printed.\n",
        )
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
        response
    } else {
        files::answer(site, request).await
    };
    let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_lasting && is_there {
        headers.insert(header::CACHE_CONTROL, FOREVER);
    }
    response
}

/// Whether all names that a request is addressed to are this machine's own. A page of another site may have its name lead
/// to this machine, and would then read what is served here as its own (DNS rebinding).
fn is_for_this_machine(target: Option<&Authority>, headers: &HeaderMap) -> bool {
    let parsed = |value: &HeaderValue| value.to_str().ok()?.parse::<Authority>().ok();
    let hosts: Vec<Option<Authority>> = headers.get_all(header::HOST).iter().map(parsed).collect();
    let mut names = hosts.iter().map(Option::as_ref).chain(target.map(Some));
    !hosts.is_empty() && names.all(|name| name.is_some_and(|name| is_loopback(name.host())))
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a name is one that `cargo xtask web` has made: `NAME-0123456789abcdef.js`.
fn has_hash(path: &str) -> bool {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parts = path.rsplit_once('.').and_then(|(name, ending)| Some((name.rsplit_once('-')?.1, ending)));
    parts.is_some_and(|(hash, ending)| is_hash(hash) && ["js", "wasm", "css", "txt"].contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_meant() {
        let is_meant = |target: Option<&str>, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
            }
            is_for_this_machine(target.map(|target| target.parse().unwrap()).as_ref(), &headers)
        };
        for host in ["localhost", "localhost:8080", "LocalHost:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80"] {
            assert!(is_meant(None, &[host]) && is_meant(Some(host), &[host]), "{host}");
            assert!(!is_meant(Some("evil.example"), &[host]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.2",
            "0.0.0.0",
            "[::]",
            "::1",
            "localhost@evil.example",
            "localhost evil.example",
        ] {
            assert!(!is_meant(None, &[host]), "{host}");
        }
        assert!(!is_meant(None, &[]), "somebody must be meant");
        assert!(!is_meant(None, &["localhost", "evil.example"]));
    }

    #[test]
    fn names_with_a_hash_are_known() {
        for name in [
            "/page_glue-0123456789abcdef.js",
            "/a/b-c-fedcba9876543210.wasm",
            "/x-0000000000000000.css",
            "/zh-Hans-0123456789abcdef.txt",
        ] {
            assert!(has_hash(name), "{name}");
        }
        for name in [
            "/",
            "/index.html",
            "/page.js",
            "/x-0123456789abcdef.html",
            "/x-0123456789abcde.js",
            "/x-0123456789ABCDEF.js",
            "/x-0123456789abcdef.js.br",
            "/x-0123456789abcdefg.js",
            "/-0123456789abcdef/x.js",
        ] {
            assert!(!has_hash(name), "{name}");
        }
    }
}
