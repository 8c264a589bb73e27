//! A browser, and the little server whose pages it loads.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use libtest_mimic::Failed;
use tempfile::TempDir;

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chromium,
    Firefox,
}

impl Kind {
    /// The program, and the package that has it.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Kind::Chromium => "chromium",
            Kind::Firefox => "firefox-esr",
        }
    }

    /// What it calls itself.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Chromium => "Chrome",
            Kind::Firefox => "Firefox",
        }
    }

    /// Whether it is there.
    pub(crate) fn is_there(self) -> bool {
        let program =
            Command::new(self.program()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        program.is_ok_and(|status| status.success())
    }
}

/// Stock Firefox has WebGPU on Linux, but not switched on; and it is to ask nobody for anything.
const FIREFOX: [(&str, &str); 8] = [
    ("dom.webgpu.enabled", "true"),
    ("dom.webgpu.workers.enabled", "true"),
    ("gfx.webgpu.ignore-blocklist", "true"),
    ("app.update.enabled", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
];

/// Every browser that trials share: nothing ends what a static variable holds, so [`close`] does.
static OPEN: Mutex<Vec<Browser>> = Mutex::new(vec![]);

/// Opens a page in a browser that stays open for all trials.
pub(crate) fn open(kind: Kind, server: SocketAddr) -> Result<(), Failed> {
    let browser = Browser::open(kind, server)?;
    OPEN.lock().map_err(|_| "another trial failed while it opened a browser")?.push(browser);
    Ok(())
}

/// Ends what [`open`] has opened.
pub(crate) fn close() {
    OPEN.lock().map(|mut browsers| browsers.clear()).expect("opening one does not panic");
}

/// A browser that ends with its owner.
pub(crate) struct Browser {
    process: Child,
    /// Removed after the browser has ended.
    _profile: TempDir,
}

impl Browser {
    /// Opens a page.
    pub(crate) fn open(kind: Kind, server: SocketAddr) -> Result<Self, Failed> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(kind.program());
        match kind {
            Kind::Chromium => command
                .args(["--headless", "--no-sandbox", "--enable-unsafe-webgpu", "--disable-quic", "--no-first-run"])
                .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
                .arg(format!("--user-data-dir={}", profile.path().display())),
            Kind::Firefox => {
                let choices = FIREFOX.map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).concat();
                fs::write(profile.path().join("user.js"), choices)?;
                command.args(["--headless", "--no-remote", "--profile"]).arg(profile.path())
            }
        };
        let process = command.arg(format!("http://{server}/")).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Browser { process, _profile: profile })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended by itself
        let _ = self.process.wait();
    }
}

/// What a browser asks for.
pub(crate) struct Request {
    /// `GET /path`
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
}

/// What it gets.
pub(crate) struct Answer {
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
}

/// A server on a port of its own, as long as the process lives. `None` is answered with 404.
pub(crate) fn serve(answer: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A request may wait for its answer, so each has a thread.
            thread::spawn(move || talk(stream, &*answer));
        }
    });
    Ok(address)
}

fn talk(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Option<Answer>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let line = first.rsplit_once(" HTTP").map_or(first.as_str(), |(line, _)| line).to_owned();
    let (status, Answer { kind, body }) = match answer(&Request { line, body }) {
        Some(answer) => ("200 OK", answer),
        None => ("404 Not Found", Answer { kind: "text/plain", body: vec![] }),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Cache-Control: no-store\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}
