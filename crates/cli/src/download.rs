//! Published files from their mirrors: bounded in time and size, believed only with the right hash.

use std::{
    io::{ErrorKind, Read},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use data::{Kind, files::File};
use indicatif::ProgressBar;

use crate::explain;

/// The lowest rate in bytes a second at which a file may come, on average, once it was waited for.
const LOWEST_RATE: u64 = 16 << 10;

/// How long to wait for servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a connection, its name lookup and encryption included.
    pub(crate) connect: Duration,
    /// For the next bytes; all of them together may be late by as much.
    pub(crate) read: Duration,
}

/// Something to tell if a download does not begin. Nothing is told when this is dropped.
pub(crate) struct Hint {
    now: Sender<()>,
    thread: JoinHandle<()>,
}

impl Hint {
    /// Calls `tell` where `progress` has not moved after some time.
    pub(crate) fn new(after: Duration, progress: &ProgressBar, tell: impl FnOnce() + Send + 'static) -> Self {
        let (now, wait) = mpsc::channel();
        let progress = progress.clone();
        let thread = thread::spawn(move || {
            let has_failed = match wait.recv_timeout(after) {
                Err(RecvTimeoutError::Timeout) => progress.position() == 0 || wait.recv().is_ok(),
                heard => heard.is_ok(),
            };
            if has_failed {
                progress.suspend(tell);
            }
        });
        Hint { now, thread }
    }

    /// Calls it at once, unless that was done before.
    pub(crate) fn tell(self) {
        let _ = self.now.send(()); // refused where it was told
        let _ = self.thread.join(); // it only prints
    }
}

/// A file, tried at each mirror in turn (each ends with a slash): its bytes as they came, and their content.
///
/// The error names every mirror and what was wrong there.
pub(crate) fn fetch(
    file: &File,
    mirrors: &[&str],
    patience: Patience,
    progress: &ProgressBar,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.read))
        .timeout_per_read(Some(patience.read))
        .build()
        .into();
    let before = progress.position();
    let mut reasons = vec![];
    for mirror in mirrors {
        let attempt = get(&agent, &format!("{mirror}{}", file.name), limit(file), patience, progress)
            .and_then(|bytes| Ok((content(file, &bytes)?, bytes)));
        match attempt {
            Ok((content, bytes)) => return Ok((bytes, content)),
            Err(error) => reasons.push(format!("{mirror}: {}", explain(&error))),
        }
        progress.set_position(before);
    }
    Err(anyhow!("cannot download {} ({})", file.name, reasons.join("; ")))
}

/// The content of the published file. Hotels and firewalls answer with a page instead.
fn content(file: &File, bytes: &[u8]) -> Result<Vec<u8>> {
    file.content(bytes).map_err(|error| match Kind::of(bytes) {
        Some(kind) if kind != Kind::Gzip => anyhow!("it is {kind}"),
        _ => error.into(),
    })
}

/// Some servers unpack what they send; nothing larger is worth waiting for.
fn limit(file: &File) -> u64 {
    8 * file.bytes + (64 << 10)
}

fn get(agent: &ureq::Agent, url: &str, limit: u64, patience: Patience, progress: &ProgressBar) -> Result<Vec<u8>> {
    let body = agent.get(url).call()?.into_body().into_reader();
    let mut body = progress.wrap_read(body.take(limit + 1));
    let (mut bytes, mut chunk) = (vec![], vec![0; 64 << 10]);
    let clock = Instant::now();
    loop {
        let count = match body.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue, // by a signal
            read => read.context("the connection broke off")?,
        };
        bytes.extend_from_slice(&chunk[..count]);
        let due = patience.read + Duration::from_secs_f64(bytes.len() as f64 / LOWEST_RATE as f64);
        ensure!(clock.elapsed() < due, "it sends less than {} KiB a second", LOWEST_RATE >> 10);
        ensure!(bytes.len() as u64 <= limit, "it sends more than {limit} bytes");
        if count == 0 {
            return Ok(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        thread,
    };

    use data::files::Checksum;

    use super::*;

    /// `abc` and its SHA-256.
    const FILE: File = File {
        name: "abc-ubyte.gz",
        bytes: 3,
        checksum: Checksum::Content("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    };
    const PATIENCE: Patience = Patience { connect: Duration::from_millis(500), read: Duration::from_millis(500) };

    /// A server that answers every request with `answer`; its address.
    fn server(answer: impl Fn(&mut TcpStream) -> io::Result<()> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}/", listener.local_addr().expect("bound"));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let request = BufReader::new(stream.try_clone().expect("a second handle"));
                let _ = request.lines().find(|line| line.as_ref().map_or(true, String::is_empty)); // to its empty line
                let _ = answer(&mut stream); // the client may have gone
            }
        });
        address
    }

    fn ok(length: usize, body: &'static [u8]) -> String {
        server(move |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
            stream.write_all(body)
        })
    }

    fn not_found() -> String {
        server(|stream| stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    }

    fn fetch(mirrors: &[&str]) -> Result<Vec<u8>, String> {
        let fetched = super::fetch(&FILE, mirrors, PATIENCE, &ProgressBar::hidden());
        fetched.map(|(_, content)| content).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(mirror: &str, reason: &str) {
        let error = fetch(&[mirror]).expect_err("nothing good is served");
        assert!(error.starts_with(&format!("cannot download abc-ubyte.gz ({mirror}: ")), "{error}");
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn a_good_file_is_taken() {
        assert_eq!(fetch(&[&ok(3, b"abc")]).as_deref(), Ok(&b"abc"[..]));
    }

    #[test]
    fn the_next_mirror_is_tried() {
        let bad = [not_found(), ok(3, b"abd"), ok(4, b"abc"), "http://127.0.0.1:1/".into()];
        for first in bad {
            assert_eq!(fetch(&[&first, &ok(3, b"abc")]).as_deref(), Ok(&b"abc"[..]));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(&not_found(), "404");
        check(
            &ok(3, b"abd"),
            "it has the SHA-256 a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9 instead",
        );
        check(&ok(6, b"<html>"), "it is a web page");
        check(&ok(4, b"abc"), "the connection broke off");
        check("http://127.0.0.1:1/", "refused");
    }

    #[test]
    fn a_silent_server_is_left() {
        let clock = Instant::now();
        let mute = |_: &mut TcpStream| {
            thread::sleep(Duration::from_secs(30));
            Ok(())
        };
        check(&server(mute), "timeout");
        let stalls = |stream: &mut TcpStream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")?;
            thread::sleep(Duration::from_secs(30));
            Ok(())
        };
        check(&server(stalls), "timeout");
        assert!(clock.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_slow_server_is_left() {
        let clock = Instant::now();
        let trickles = |stream: &mut TcpStream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
            while stream.write_all(b"a").is_ok() {
                thread::sleep(PATIENCE.read / 5);
            }
            Ok(())
        };
        check(&server(trickles), "it sends less than 16 KiB a second");
        assert!(clock.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_download_that_does_not_begin_is_told_once() {
        let told = |after, work: fn(&ProgressBar, Hint)| {
            let (tell, heard) = mpsc::channel();
            let progress = ProgressBar::hidden();
            work(&progress, Hint::new(after, &progress, move || tell.send(()).expect("somebody listens")));
            heard.iter().count() // ends with the thread that tells
        };
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(3600));
        fn wait() {
            thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(told(late, |_, hint| drop(hint)), 0, "it went well");
        assert_eq!(told(late, |_, hint| hint.tell()), 1, "it failed at once");
        assert_eq!(told(soon, |_, hint| (wait(), drop(hint)).1), 1, "nothing came");
        assert_eq!(told(soon, |_, hint| (wait(), hint.tell()).1), 1, "nothing came, and then it failed");
        assert_eq!(told(soon, |progress, hint| (progress.inc(1), wait(), drop(hint)).2), 0, "it came");
        assert_eq!(
            told(soon, |progress, hint| (progress.inc(1), wait(), hint.tell()).2),
            1,
            "it came, and then it failed"
        );
    }

    #[test]
    fn an_endless_file_is_cut_off() {
        let endless = |stream: &mut TcpStream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            while stream.write_all(&[0; 4096]).is_ok() {}
            Ok(())
        };
        check(&server(endless), "it sends more than 65560 bytes");
    }
}
