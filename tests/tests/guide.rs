//! The guide `docs/add-an-op.md` is true: every code line in it stands in the file that it names.

use std::{fs, path::Path};

#[test]
fn every_line_of_the_guide_stands_in_the_file_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = fs::read_to_string(root.join("docs/add-an-op.md")).expect("the guide exists");
    let (mut file, mut inside, mut checked) = (String::new(), false, 0);
    for line in guide.lines() {
        match line {
            "```rust" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let source = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(source.lines().any(|known| known == line), "{file} has no line `{line}`");
                checked += 1;
            }
            _ => {
                if let Some(path) = line.strip_prefix("`crates/").and_then(|rest| rest.split('`').next()) {
                    file = format!("crates/{path}");
                }
            }
        }
    }
    assert!(checked >= 7, "only {checked} lines were found");
}
