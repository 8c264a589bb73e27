//! What people type where a number is wanted.

/// As JSON: with a decimal point where somebody typed a decimal comma, and plain digits for full-width ones. An empty text
/// is none. What is no number stays as it is, and is refused by who reads it.
pub fn json_number(typed: &str) -> String {
    let plain = |c: char| match c {
        '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
        '，' => ',',
        '．' => '.',
        '－' | '−' => '-',
        other => other,
    };
    let text: String = typed.trim().chars().map(plain).collect();
    match text.matches([',', '.']).count() {
        _ if text.is_empty() => "null".into(),
        1 if text.starts_with([',', '.']) => format!("0.{}", &text[1..]),
        1 => text.replace(',', "."),
        // "1e3" is a whole number to a person.
        _ if text.contains(['e', 'E']) => match text.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 && value.abs() < 1e15 => (value as i64).to_string(),
            _ => text,
        },
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let check = |typed: &str, json: &str| assert_eq!(json_number(typed), json, "{typed}");
        check(" 12 ", "12");
        check("0,01", "0.01");
        check("０．０１", "0.01");
        check("，5", "0.5");
        check("−3", "-3");
        check("1e-3", "1e-3");
        check("1e3", "1000");
        check("", "null");
        check("1,000,000", "1,000,000"); // no JSON number: it is refused rather than guessed at
        check("ten", "ten");
    }
}
