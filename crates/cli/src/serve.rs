//! `serve`: the page, on this machine.

use std::{
    io::{ErrorKind, Write},
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use data::files::Dataset;
use server::{Pages, Site};

use crate::{Exit, datasets::Places, say};

const EXAMPLES: &str = "\
Examples:
  cargo xtask serve                          build the page, then serve it and open it
  playground-cli serve --open                serve a page that was built, and open it
  playground-cli serve --data-dir DIR        with DIR/mnist as its data set";

/// Serve the page to browsers on this machine: everything is trained in the browser, nothing leaves it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The built page [default: the one in this program, or else dist]
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Where to look for mnist/ and fashion-mnist/ [default: the variable PLAYGROUND_DATA, then the cache]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The page, where this program was built with it.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let pages = match &args.site {
        None if !EMBEDDED.is_empty() => Pages::Embedded(EMBEDDED),
        site => {
            let folder = site.clone().unwrap_or("dist".into());
            ensure!(
                folder.join("index.html").is_file(),
                "there is no page in {}: build it with `cargo xtask web`, or name its folder with --site",
                folder.display()
            );
            Pages::Folder(folder)
        }
    };
    let places = Places::new(args.data_dir.as_deref());
    let listener = match TcpListener::bind(("127.0.0.1", args.port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {} is taken: choose another with --port, or any with --port 0", args.port)
        }
        listener => listener.with_context(|| format!("port {} cannot be used", args.port))?,
    };
    let address = format!("http://{}/", listener.local_addr()?);
    writeln!(out, "{address}")?;
    out.flush()?;
    if args.open
        && let Err(error) = open::that_detached(&address)
    {
        say(&format!("note: no browser was opened: {error}"));
    }
    let data = Box::new(move |set: &str, file: &str| data_file(&places, set, file));
    server::run(listener, Site { pages, data })?;
    Ok(Exit::Done)
}

/// A file of a published data set that is here: packed under its own name, or unpacked without its ending.
fn data_file(places: &Places, set: &str, file: &str) -> Option<PathBuf> {
    let dataset = Dataset::by_name(set)?;
    let file = dataset.files().into_iter().find(|known| known.name == file)?;
    let is_there = |folder: &Path| {
        let packed = folder.join(file.name);
        let unpacked = folder.join(file.name.trim_end_matches(".gz"));
        [packed, unpacked].into_iter().find(|path| path.is_file())
    };
    places.folders(&dataset).iter().find_map(|folder| is_there(folder))
}
