//! String literals as Go writes and reads them.

/// `text` in double quotes, escaped as Go's `strconv.Quote` does.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// As [`quote`], for bytes that need not be UTF-8; those that are not appear as `\xNN`.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_quoted(&mut out, c);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// The bytes a literal stands for, quotes included in `literal`. Escapes are Go's; back-quoted text is raw.
///
/// # Errors
/// The byte offset in `literal` of the offending escape, with what is wrong.
pub(crate) fn unquote(literal: &str) -> Result<Vec<u8>, (usize, &'static str)> {
    let mut chars = literal.char_indices().peekable();
    let Some((_, open)) = chars.next() else { return Err((0, "empty string literal")) };
    let body = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if open == '`' {
        return Ok(body.replace('\r', "").into_bytes());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        let at = literal.len() - 1 - rest.len();
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '\n' {
            return Err((at, "a newline in a string literal"));
        }
        if c != '\\' {
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let used = unescape(rest, open, &mut out).ok_or((at, "unknown escape sequence"))?;
        rest = rest.get(used..).unwrap_or_default();
    }
    Ok(out)
}

/// Decodes the escape after a backslash; how many bytes of `rest` it took.
fn unescape(rest: &str, quote: char, out: &mut Vec<u8>) -> Option<usize> {
    let c = rest.chars().next()?;
    let simple = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        _ if c == quote => u8::try_from(c).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Some(1);
    }
    let (skip, digits, radix) = match c {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => return None,
    };
    let text = rest.get(skip..skip + digits)?;
    let code =
        text.chars().try_fold(0u32, |sum, c| sum.checked_mul(radix)?.checked_add(c.to_digit(radix)?))?;
    if matches!(c, 'u' | 'U') {
        let mut buffer = [0; 4];
        out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
    } else {
        out.push(u8::try_from(code).ok()?);
    }
    Some(skip + digits)
}

fn push_quoted(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_go_reads_them() {
        for (literal, expected) in [
            (r#""a\n\x41\u00e9\101""#, Ok("a\nA\u{e9}A".as_bytes().to_vec())),
            (r#""a\xc5z""#, Ok(vec![b'a', 0xc5, b'z'])),
            ("`raw\\n`", Ok(b"raw\\n".to_vec())),
            ("'it\\'s'", Ok(b"it's".to_vec())),
            (r#""\q""#, Err((1, "unknown escape sequence"))),
            (r#""ab\u12""#, Err((3, "unknown escape sequence"))),
        ] {
            assert_eq!(unquote(literal), expected, "{literal}");
        }
        assert_eq!(quote_bytes(&[b'a', 0xc5, b'z', b'"']), r#""a\xc5z\"""#);
    }
}
