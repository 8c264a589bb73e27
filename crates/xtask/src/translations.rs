//! The languages of the page beside English: files of `web/texts`, each of which becomes one of the site.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

/// What is compiled into the page.
const ENGLISH: &str = "en.txt";

/// A language and what is said in it.
pub(crate) struct Translation {
    /// As HTML's `lang` has it: the name of its file.
    pub(crate) tag: String,
    /// In itself.
    name: String,
    pub(crate) text: String,
}

impl Translation {
    /// What tells the page that there is this language at `address`.
    pub(crate) fn element(&self, address: &str) -> String {
        let Self { tag, name, .. } = self;
        let name = name.replace('&', "&amp;").replace('"', "&quot;");
        format!("<meta name=\"texts\" lang=\"{tag}\" title=\"{name}\" content=\"{address}\">\n")
    }
}

/// Reads all of a folder; what is wrong with them is told by file and line.
pub(crate) fn read(folder: &Path) -> Result<Vec<Translation>> {
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("{} is no text in UTF-8", path.display()));
    let english = read(&folder.join(ENGLISH))?;
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "txt") && !path.ends_with(ENGLISH));
    paths.sort();
    let (mut translations, mut faults) = (vec![], vec![]);
    for path in paths {
        let text = read(&path)?;
        faults.extend(texts::faults(&english, &text).iter().map(|fault| format!("{}:{fault}", path.display())));
        let tag = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_tag = !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        ensure!(is_tag, "{}: a file is called as its language in HTML, for example pt-BR.txt", path.display());
        let Some(name) = texts::lines(&text).flatten().find(|line| line.key == "language_name") else {
            bail!("{} has no `language_name`, which is how visitors find it", path.display());
        };
        translations.push(Translation { tag: tag.to_owned(), name: name.text.to_owned(), text });
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(translations)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a folder with these files.
    fn check(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ENGLISH), "language_name = English\nleft = {} left\n").unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let root = format!("{}/", folder.path().display());
        let read = read(folder.path()).map_err(|error| error.to_string().replace(&root, ""))?;
        Ok(read.iter().map(|translation| translation.element("./x.txt")).collect())
    }

    #[test]
    fn a_file_is_a_language() {
        assert_eq!(check(&[]), Ok(vec![]));
        let files = [
            ("pt-BR.txt", "language_name = \"Português\"\n"),
            ("notes.md", "?"),
            ("fr.txt", "language_name = Français"),
        ];
        let element =
            |tag, name| format!("<meta name=\"texts\" lang=\"{tag}\" title=\"{name}\" content=\"./x.txt\">\n");
        assert_eq!(check(&files), Ok(vec![element("fr", "Français"), element("pt-BR", "&quot;Português&quot;")]));
    }

    #[test]
    fn mistakes_are_told_by_file_and_line() {
        let said = |files: &[(&str, &str)]| check(files).unwrap_err();
        let french = "language_name = Français\nleft = reste\nright = ?\nleft\n";
        assert_eq!(
            said(&[("fr.txt", french), ("de.txt", "language_name = Deutsch\n\nlef = {} übrig")]),
            "de.txt:3: English has no `lef`\nfr.txt:2: `left` has no values, English has the values {1}\n\
             fr.txt:3: English has no `right`\nfr.txt:4: `left` is not `key = text`"
        );
        assert_eq!(said(&[("fr.txt", "")]), "fr.txt has no `language_name`, which is how visitors find it");
        assert!(said(&[("my french.txt", "language_name = Français")]).starts_with("my french.txt: a file is called"));
    }
}
