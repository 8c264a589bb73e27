//! Everything that the page says. English is compiled in, from `texts/en.txt`; the other languages are files of the site.

/// A language of the page, with all that is said.
#[derive(Clone, Copy)]
pub struct Language {
    tag: &'static str,
    texts: &'static Texts,
}

impl Language {
    /// Needs no file.
    pub const ENGLISH: Self = Language { tag: "en", texts: &ENGLISH };

    /// The language of a file, which stays in memory as long as the page. What it leaves out is English.
    pub fn of(tag: String, file: String) -> Self {
        let mut texts = ENGLISH;
        // Lines that are no good were told when the site was made.
        for line in texts::lines(file.leak()).flatten() {
            if let Some((_, key)) = KEYS.iter().find(|(name, _)| *name == line.key) {
                *texts.get_mut(*key) = line.text;
            }
        }
        Language { tag: tag.leak(), texts: Box::leak(Box::new(texts)) }
    }

    /// As HTML's `lang` has it.
    pub fn tag(self) -> &'static str {
        self.tag
    }

    /// All that is said.
    pub fn texts(self) -> &'static Texts {
        self.texts
    }
}

/// The offered tag that suits the first of the wanted ones which any suits: that with most parts in common, so that `zh-Hans`
/// is for who reads `zh-CN`.
pub fn suiting<'a>(wanted: impl IntoIterator<Item = String>, offered: &[&'a str]) -> Option<&'a str> {
    let common =
        |a: &str, b: &str| a.split('-').zip(b.split('-')).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    wanted.into_iter().find_map(|wanted| {
        let best = offered.iter().rev().max_by_key(|tag| common(&wanted, tag)); // the first of equals
        best.copied().filter(|tag| common(&wanted, tag) > 0)
    })
}

macro_rules! texts {
    ($($key:ident: $english:literal;)*) => {
        /// What the page says in one language; `{}` stands for a value. What begins with `error_` is empty in English: see
        /// [`Problem`](crate::problem::Problem).
        #[derive(Clone, Copy)]
        #[allow(missing_docs)]
        pub struct Texts { $(pub $key: &'static str,)* }

        static ENGLISH: Texts = Texts { $($key: $english,)* };

        /// By number, since a match of names would be the largest function of the page.
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types)]
        enum Key { $($key,)* }

        static KEYS: &[(&str, Key)] = &[$((stringify!($key), Key::$key),)*];

        impl Texts {
            fn get_mut(&mut self, key: Key) -> &mut &'static str {
                match key { $(Key::$key => &mut self.$key,)* }
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/english.rs"));

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/texts");

    fn file(tag: &str) -> String {
        fs::read_to_string(format!("{FILES}/{tag}.txt")).unwrap()
    }

    /// All that is said in the language of a file: that of English has the errors' words, too.
    pub(crate) fn texts_of(tag: &str) -> &'static Texts {
        Language::of(tag.into(), file(tag)).texts()
    }

    fn keys(file: &str) -> BTreeMap<&str, &str> {
        texts::lines(file).map(|line| line.unwrap()).map(|line| (line.key, line.text)).collect()
    }

    #[test]
    fn files_are_in_order() {
        let english = file("en");
        for entry in fs::read_dir(FILES).unwrap() {
            let path = entry.unwrap().path();
            let faults = texts::faults(&english, &fs::read_to_string(&path).unwrap());
            let told: Vec<_> = faults.iter().map(|fault| format!("{}:{fault}", path.display())).collect();
            assert!(told.is_empty(), "{}", told.join("\n"));
            assert!(keys(&fs::read_to_string(&path).unwrap()).contains_key("language_name"), "{}", path.display());
        }
    }

    #[test]
    fn chinese_is_complete() {
        let (english, chinese) = (file("en"), file("zh-Hans"));
        let (english, chinese) = (keys(&english), keys(&chinese));
        assert_eq!(english.keys().collect::<Vec<_>>(), chinese.keys().collect::<Vec<_>>());
        let same = english.iter().filter(|(key, text)| chinese[*key] == **text);
        assert_eq!(same.map(|(key, _)| *key).collect::<Vec<_>>(), ["no_value"]);
    }

    #[test]
    fn what_a_file_leaves_out_is_english() {
        let french = Language::of("fr".into(), "title = Terrain de jeu\nunknown = ?\nbroken\nstop_hint = ".into());
        assert_eq!((french.tag(), french.texts().title), ("fr", "Terrain de jeu"));
        assert_eq!([french.texts().train, french.texts().stop_hint], ["Train", "Empty: not used."]);
        assert_eq!(french.texts().error_bound, "");
    }

    #[test]
    fn the_browser_is_asked() {
        let check = |wanted: &[&str], offered: &[&str], best: Option<&str>| {
            assert_eq!(suiting(wanted.iter().map(|tag| (*tag).to_owned()), offered), best, "{wanted:?} of {offered:?}");
        };
        check(&["zh-CN", "en"], &["en", "zh-Hans"], Some("zh-Hans"));
        check(&["de", "en-GB", "zh"], &["en", "zh-Hans"], Some("en"));
        check(&["zh-Hant-TW"], &["en", "zh-Hans", "zh-Hant"], Some("zh-Hant"));
        check(&["zh"], &["en", "zh-Hans", "zh-Hant"], Some("zh-Hans"));
        check(&["PT-br", "en"], &["en", "pt"], Some("pt"));
        check(&["zha", "e"], &["en", "zh-Hans"], None);
        check(&[], &["en"], None);
    }
}
