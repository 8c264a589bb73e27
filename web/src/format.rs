//! Numbers in words, of a width that does not jump while they change.

pub use texts::fill;

/// 0.9731 as `97.3 %`.
pub fn percent(part: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * part)
}

/// 0.9731 as `97.3`: percent, where the sign stands by itself.
pub fn tenths(part: f64) -> String {
    format!("{:.1}", 100.0 * part)
}

/// About three digits: `0.00123`, `0.123`, `12.3`, `1234`, `1.2e9`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => value.to_string(),
        0.0 => "0".into(),
        1e9.. => format!("{value:.1e}"),
        1000.0.. => grouped(value.round() as i64),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.001.. => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    }
}

/// Thousands apart by a narrow space: `12 345`.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "\u{2212}".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Seconds as a person says them: `12 ms`, `3.4 s`, `2:05`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        _ if !seconds.is_finite() || seconds < 0.0 => "–".into(),
        0.0..0.001 => format!("{:.0}\u{a0}µs", seconds * 1e6),
        0.001..1.0 => format!("{:.0}\u{a0}ms", seconds * 1e3),
        1.0..60.0 => format!("{seconds:.1}\u{a0}s"),
        60.0..3600.0 => format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60),
        _ => format!("{}:{:02}:{:02}", seconds as u64 / 3600, seconds as u64 / 60 % 60, seconds as u64 % 60),
    }
}

/// Bytes as a person says them.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count}\u{a0}B"),
        1_000..1_000_000 => format!("{:.0}\u{a0}kB", count as f64 / 1e3),
        _ => format!("{:.1}\u{a0}MB", count as f64 / 1e6),
    }
}

/// JSON without spaces, indented as serde_json does it. A second serializer would be larger than this.
pub fn indented(json: &str) -> String {
    let (mut text, mut depth, mut in_string, mut escaped) = (String::new(), 0, false, false);
    let mut chars = json.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek();
        let mut line = |depth: usize| text.push_str(&format!("\n{:1$}", "", 2 * depth));
        if !in_string && matches!(char, '}' | ']') {
            depth -= 1;
            line(depth);
        }
        text.push(char);
        match char {
            _ if in_string => {
                in_string = char != '"' || escaped;
                escaped = char == '\\' && !escaped;
            }
            '"' => in_string = true,
            // What is empty stays on one line.
            '{' | '[' if matches!(next, Some('}' | ']')) => text.extend(chars.next()),
            '{' | '[' => {
                depth += 1;
                text.push_str(&format!("\n{:1$}", "", 2 * depth));
            }
            ',' => text.push_str(&format!("\n{:1$}", "", 2 * depth)),
            ':' => text.push(' '),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 2.5e-5, 0.00123, 0.5, 2.299, 45.67, 678.9, 12345.6, 3e15, f64::NAN].map(number);
        assert_eq!(shown, ["0", "2.5e-5", "0.0012", "0.5000", "2.30", "45.7", "679", "12\u{202f}346", "3.0e15", "NaN"]);
        assert_eq!(
            [999, 1_000, 1_234_567, -5_000].map(grouped),
            ["999", "1\u{202f}000", "1\u{202f}234\u{202f}567", "−5\u{202f}000"]
        );
    }

    #[test]
    fn times_are_short() {
        let shown = [0.000_25, 0.025, 3.44, 65.0, 3725.0, f64::INFINITY].map(duration);
        assert_eq!(shown, ["250\u{a0}µs", "25\u{a0}ms", "3.4\u{a0}s", "1:05", "1:02:05", "–"]);
    }

    #[test]
    fn json_is_indented_as_serde_does_it() {
        for (name, _) in protocol::presets() {
            let config = protocol::preset(name).unwrap();
            assert_eq!(indented(&serde_json::to_string(&config).unwrap()), config.to_json());
        }
        let odd = serde_json::json!({ "a\"{": [[], {}, "\\", "],\\\""], "b": { "c": [1.5, null] } });
        assert_eq!(indented(&odd.to_string()), serde_json::to_string_pretty(&odd).unwrap());
    }
}
