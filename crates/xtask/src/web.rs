//! `cargo xtask web`: the page as a static site, for any host and any folder of it.
//!
//! Every script and wasm carries a hash in its name, of its content or of its whole program's, so that a host may let
//! browsers keep it for ever; only the `.html` files keep their names. Beside each text and each wasm lie the same packed by
//! brotli and gzip.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use crate::{
    translations::{self, Translation},
    workspace::{build_cli, target_dir},
};

/// Build the page and its worker as a static site.
///
/// MNIST is copied into it where the variable PLAYGROUND_DATA names a folder that has it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the site goes; what is there is removed
    #[arg(long, value_name = "DIR", default_value = "dist")]
    pub(crate) out: PathBuf,
}

/// Build the page, then serve it on this machine and open it: `playground-cli serve --open`.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    site: Args,
    /// What else `playground-cli serve` takes
    #[arg(last = true, value_name = "ARGUMENTS")]
    rest: Vec<String>,
}

pub(crate) fn serve(sh: &Shell, args: &ServeArgs) -> Result<()> {
    run(sh, &args.site)?;
    let (program, site, rest) = (build_cli(sh, &[], &[])?, &args.site.out, &args.rest);
    cmd!(sh, "{program} serve --site {site} --open {rest...}").run()?;
    Ok(())
}

/// Build the page, and what others can use without a compiler: `target/dist/playground-site.zip`, for any static host, and
/// `target/dist/playground-cli`, which contains the page.
pub(crate) fn dist(sh: &Shell) -> Result<()> {
    let folder = target_dir(sh)?.join("dist");
    let site = folder.join("site");
    run(sh, &Args { out: site.clone() })?;
    let archive = folder.join("playground-site.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&archive)?);
    for entry in walkdir::WalkDir::new(&site).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(&site)?.to_str().context("names of a site are ASCII")?;
            zip.start_file(
                name,
                zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
            )?;
            zip.write_all(&fs::read(entry.path())?)?;
        }
    }
    zip.finish()?;
    let environment = [("PLAYGROUND_SITE", site.to_str().context("the folder's name is not UTF-8")?.to_owned())];
    let program = build_cli(sh, &[], &environment)?;
    let copy = folder.join(program.file_name().context("a file")?);
    fs::copy(&program, &copy)?;
    println!("{}\n{}", archive.display(), copy.display());
    Ok(())
}

/// Where the site is that tests and pictures are made of.
pub(crate) fn site_folder(sh: &Shell) -> Result<PathBuf> {
    Ok(target_dir(sh)?.join("site"))
}

/// Build the page and take the README's pictures of it: `assets/page.png`, `assets/page-phone.png`.
pub(crate) fn screenshots(sh: &Shell) -> Result<()> {
    let out = site_folder(sh)?;
    run(sh, &Args { out: out.clone() })?;
    let assets = sh.current_dir().join("assets");
    let _folder = sh.push_dir("tests/page");
    cmd!(sh, "npm ci --no-audit --no-fund").run()?;
    cmd!(sh, "node screenshots.mjs {assets}").env("SITE", out).run()?;
    Ok(())
}

/// A package that is compiled for the site, and the name of the script that loads it.
struct Program {
    package: &'static str,
    features: &'static [&'static str],
    glue: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program { package: "playground-worker", features: &[], glue: "worker_glue" },
    Program { package: "playground-worker", features: &["relaxed-simd"], glue: "worker_relaxed_glue" },
    Program { package: "playground-web", features: &[], glue: "page_glue" },
];

/// Where the HTML is, and scripts that are not compiled.
const FOLDER: &str = "web";
/// Where the styles are, each beside its component.
const STYLES: &str = "web/src/parts";
/// The style of the page as a whole; it comes first, so that a component's wins.
const FIRST_STYLE: &str = "page.css";
/// What is packed.
const PACKED: [&str; 6] = ["html", "js", "wasm", "css", "svg", "txt"];

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let root = sh.current_dir();
    let out = root.join(&args.out);
    let translations = translations::read(&root.join(FOLDER).join("texts"))?; // mistakes in them are told at once
    // What it makes first, so that a site is known by it even where the rest did not compile.
    let names = || fs::read_dir(&out).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_ours = names().next().is_none() || names().any(|name| name.to_string_lossy().starts_with(PROGRAMS[0].glue));
    ensure!(is_ours, "{} holds other things than a built site: name an empty folder", out.display());
    match fs::remove_dir_all(&out) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&out)?,
    }
    let mut site = Site { out, renamed: vec![] };
    for program in &PROGRAMS {
        site.compile(program)?;
    }
    let sources = || fs::read_dir(root.join(FOLDER)).context("there is no folder `web`");
    let with = |extension: &str| -> Result<Vec<PathBuf>> {
        let paths = sources()?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
    };
    site.hashed("page.css", &style(&root.join(STYLES))?)?;
    site.put_translations(&translations)?;
    for script in with("js")? {
        let text = fs::read_to_string(&script)?;
        site.hashed(file_name(&script), &site.rename(&text))?;
    }
    for html in with("html")? {
        let text = fs::read_to_string(&html)?;
        fs::write(site.out.join(file_name(&html)), site.rename(&text))?;
    }
    site.copy_mnist()?;
    site.pack()
}

/// All styles as one.
fn style(folder: &Path) -> Result<String> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "css"));
    paths.sort_by_key(|path| (file_name(path) != FIRST_STYLE, path.clone()));
    paths.iter().map(|path| Ok(fs::read_to_string(path)?)).collect()
}

/// The site in the making.
struct Site {
    out: PathBuf,
    /// Scripts as HTML and other scripts name them, and their names with a hash; and what else is put in the place of what.
    renamed: Vec<(String, String)>,
}

impl Site {
    fn compile(&mut self, program: &Program) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let Program { package, features, glue } = program;
        bundle::build(package, features, &PROGRAMS.map(|program| program.package), "release-web", glue, folder.path())?;
        let files = fs::read_dir(folder.path())?.map(|entry| {
            let path = entry?.path();
            Ok((file_name(&path).to_owned(), fs::read(&path)?))
        });
        let files = files.collect::<Result<BTreeMap<String, Vec<u8>>>>()?;
        // They name each other in a circle, and none is of use without the others: one hash of all is in each name.
        let hash = hash(&files.values().flatten().copied().collect::<Vec<u8>>());
        let mut scripts = String::new();
        for (file, bytes) in &files {
            let path = self.out.join(with_hash(file, &hash));
            if file.ends_with(".js") {
                let text = std::str::from_utf8(bytes)?.to_owned();
                let text = files.keys().fold(text, |text, name| fetch_hashed(&text, name, &hash));
                fs::write(path, &text)?;
                scripts += &text;
            } else {
                fs::write(path, bytes)?;
            }
        }
        for file in files.keys().filter(|file| file.ends_with(".wasm")) {
            ensure!(scripts.contains(&with_hash(file, &hash)), "no script of {package} fetches {file}");
        }
        self.renamed(&format!("{glue}.js"), &hash);
        Ok(())
    }

    /// Writes a script under a name with its hash, which other texts get to know.
    fn hashed(&mut self, name: &str, text: &str) -> Result<()> {
        let hash = hash(text.as_bytes());
        fs::write(self.out.join(with_hash(name, &hash)), text)?;
        self.renamed(name, &hash);
        Ok(())
    }

    fn renamed(&mut self, name: &str, hash: &str) {
        self.renamed.push((format!("\"./{name}\""), format!("\"./{}\"", with_hash(name, hash))));
    }

    fn rename(&self, text: &str) -> String {
        self.renamed.iter().fold(text.to_owned(), |text, (name, hashed)| text.replace(name, hashed))
    }

    /// The HTML gets an element for each, in place of the one that is in it.
    fn put_translations(&mut self, translations: &[Translation]) -> Result<()> {
        let mut elements = String::new();
        for translation in translations {
            let name = with_hash(&format!("{}.txt", translation.tag), &hash(translation.text.as_bytes()));
            fs::write(self.out.join(&name), &translation.text)?;
            elements += &translation.element(&format!("./{name}"));
        }
        self.renamed.push(("<meta name=\"texts\">\n".into(), elements));
        Ok(())
    }

    fn copy_mnist(&self) -> Result<()> {
        let found = std::env::var_os("PLAYGROUND_DATA").map(|folder| Path::new(&folder).join("mnist"));
        let Some(folder) = found.filter(|folder| folder.is_dir()) else {
            println!("MNIST is not copied: PLAYGROUND_DATA names no folder that has it");
            return Ok(());
        };
        let to = self.out.join("data/mnist");
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "gz") {
                fs::copy(&path, to.join(file_name(&path)))?;
            }
        }
        Ok(())
    }

    /// Packs what packs well, and prints all sizes.
    fn pack(&self) -> Result<()> {
        let mut paths = fs::read_dir(&self.out)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        println!("{:<40} {:>10} {:>10}", "file", "bytes", "brotli");
        for path in paths.iter().filter(|path| PACKED.iter().any(|kind| path.extension().is_some_and(|e| e == *kind))) {
            let bytes = fs::read(path)?;
            let mut gzip = GzEncoder::new(vec![], Compression::best());
            gzip.write_all(&bytes)?;
            fs::write(beside(path, "gz"), gzip.finish()?)?;
            let mut packed = vec![];
            let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
            brotli::BrotliCompress(&mut &bytes[..], &mut packed, &parameters)?;
            fs::write(beside(path, "br"), &packed)?;
            println!("{:<40} {:>10} {:>10}", file_name(path), bytes.len(), packed.len());
        }
        Ok(())
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    path.with_added_extension(extension)
}

/// A script that fetches a file by its name with the hash; where it is what a wasm imports, the name stays.
fn fetch_hashed(text: &str, name: &str, hash: &str) -> String {
    ["from \"./", "URL(\"./", "URL('"].iter().fold(text.to_owned(), |text, before| {
        text.replace(&format!("{before}{name}"), &format!("{before}{}", with_hash(name, hash)))
    })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `name-0123456789abcdef.js`
fn with_hash(name: &str, hash: &str) -> String {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    format!("{stem}-{hash}.{extension}")
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names in this folder are ASCII")
}
