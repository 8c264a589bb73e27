//! Text in a picture: what it says, how wide it is, and how XML takes it.

/// Pixels from one line of text to the next, at the size of [`FONT`].
pub(crate) const LINE: f64 = 15.0;
/// Size of all text in pixels.
pub(crate) const FONT: f64 = 12.0;
/// About the width of a letter.
const LETTER: f64 = 6.6;

/// About how many pixels `text` is wide. A Chinese, Japanese or Korean character counts as two letters.
pub(crate) fn width(text: &str) -> f64 {
    let letters = |char| match char {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 2.0,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'.. => 2.0,
        _ => 1.0,
    };
    LETTER * text.chars().map(letters).sum::<f64>()
}

/// `text` as the content of an element or between the quotes of an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no place for other control characters.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            char => escaped.push(char),
        }
    }
    escaped
}

/// A round value without zeros at its end, thousands apart: `0.25`, `12 500`, `2.5e6`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{value:.2e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    let mut text = ((value * 1e6).round() / 1e6).to_string();
    if size >= 1000.0 {
        text.insert(text.find('.').unwrap_or(text.len()) - 3, '\u{202f}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short() {
        let shown = [0.0, 0.1 + 0.2, 2.5e-10, 0.0001, -2.5, 1000.0, 12_500.0, 750_000.0, 2.5e6, 1e38].map(short);
        let expected = ["0", "0.3", "2.5e-10", "0.0001", "-2.5", "1\u{202f}000", "12\u{202f}500", "750\u{202f}000"];
        assert_eq!(shown, [expected.as_slice(), &["2.5e6", "1e38"]].concat()[..]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("训练"), width("loss"));
        assert_eq!(width("über…"), 5.0 * LETTER);
    }
}
