//! From text to tokens. Keywords are identifiers here; the parser knows where each is one.

use super::ast::Span;
use super::duration::parse_duration;
use super::error::QueryError;
use crate::number::parse_number;

/// A piece of the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: TokenKind,
}

/// The kinds of token.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "named after their characters")]
pub enum TokenKind {
    Ident,
    Number(f64),
    /// Seconds.
    Duration(f64),
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Assign,
    EqualEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Match,
    NotMatch,
    TrimUpper,
    TrimLower,
    End,
}

/// All tokens of `text`; the last is [`TokenKind::End`]. Comments and blanks are dropped.
///
/// # Errors
/// A character that starts no token, an open string, a malformed number.
pub fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0, braces: 0, brackets: 0 };
    let mut found = Vec::with_capacity(text.len() / 4 + 2);
    loop {
        let token = lexer.next()?;
        found.push(token);
        if token.kind == TokenKind::End {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    braces: u32,
    brackets: u32,
}

// === impl Lexer ===

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Token, QueryError> {
        self.skip_blanks();
        let start = self.at;
        let Some(c) = self.rest().chars().next() else {
            return Ok(Token { span: Span::new(start, start), kind: TokenKind::End });
        };
        let kind = match c {
            '"' | '\'' | '`' => self.string(c)?,
            '0'..='9' => self.number()?,
            '.' if self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number()?,
            c if c.is_ascii_alphabetic() || c == '_' => self.word(),
            ':' if self.brackets == 0 && self.braces == 0 => self.word(),
            _ => self.symbol(c)?,
        };
        Ok(Token { span: Span::new(start, self.at), kind })
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.at += blanks;
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn word(&mut self) -> TokenKind {
        let colons = self.braces == 0 && self.brackets == 0;
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':')))
            .unwrap_or(rest.len());
        self.at += end;
        TokenKind::Ident
    }

    fn number(&mut self) -> Result<TokenKind, QueryError> {
        let start = self.at;
        let rest = self.rest();
        let hex = rest.as_bytes().get(1).is_some_and(|b| b.eq_ignore_ascii_case(&b'x'));
        let mut previous = b' ';
        let mut end = 0;
        for byte in rest.bytes() {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && ((!hex && matches!(previous, b'e' | b'E')) || (hex && matches!(previous, b'p' | b'P')));
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent_sign) {
                break;
            }
            previous = byte;
            end += 1;
        }
        let text = rest.get(..end).unwrap_or_default();
        let kind = match parse_number(text) {
            Some(value) => TokenKind::Number(value),
            #[allow(clippy::cast_precision_loss, reason = "durations are below 2^53 ms for 285,000 years")]
            None => match parse_duration(text) {
                Some(ms) => TokenKind::Duration(ms as f64 / 1000.0),
                None => {
                    let span = Span::new(start, start + end);
                    return Err(QueryError::bad_data(span, format!("bad number or duration syntax: {text:?}"))
                        .hint("a duration is written like 5m or 1h30m, with units y, w, d, h, m, s, ms in this order"));
                }
            },
        };
        self.at += end;
        Ok(kind)
    }

    fn string(&mut self, quote: char) -> Result<TokenKind, QueryError> {
        let start = self.at;
        let mut escaped = false;
        let mut end = None;
        for (i, c) in self.rest().char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' && quote != '`' {
                escaped = true;
            } else if c == quote {
                end = Some(i + 1);
                break;
            } else if c == '\n' && quote != '`' {
                break;
            }
        }
        let Some(end) = end else {
            let span = Span::new(start, self.text.len());
            return Err(QueryError::bad_data(span, "unterminated quoted string")
                .hint(format!("close it with {quote}")));
        };
        self.at += end;
        Ok(TokenKind::String)
    }

    fn symbol(&mut self, c: char) -> Result<TokenKind, QueryError> {
        let second = self.rest().as_bytes().get(1).copied();
        let (kind, length) = match (c, second) {
            ('=', Some(b'=')) => (TokenKind::EqualEqual, 2),
            ('=', Some(b'~')) => (TokenKind::Match, 2),
            ('=', _) => (TokenKind::Assign, 1),
            ('!', Some(b'=')) => (TokenKind::NotEqual, 2),
            ('!', Some(b'~')) => (TokenKind::NotMatch, 2),
            ('<', Some(b'=')) => (TokenKind::LessEqual, 2),
            ('<', Some(b'/')) => (TokenKind::TrimUpper, 2),
            ('<', _) => (TokenKind::Less, 1),
            ('>', Some(b'=')) => (TokenKind::GreaterEqual, 2),
            ('>', Some(b'/')) => (TokenKind::TrimLower, 2),
            ('>', _) => (TokenKind::Greater, 1),
            ('(', _) => (TokenKind::LeftParen, 1),
            (')', _) => (TokenKind::RightParen, 1),
            ('{', _) => (TokenKind::LeftBrace, 1),
            ('}', _) => (TokenKind::RightBrace, 1),
            ('[', _) => (TokenKind::LeftBracket, 1),
            (']', _) => (TokenKind::RightBracket, 1),
            (',', _) => (TokenKind::Comma, 1),
            (':', _) => (TokenKind::Colon, 1),
            ('@', _) => (TokenKind::At, 1),
            ('+', _) => (TokenKind::Add, 1),
            ('-', _) => (TokenKind::Sub, 1),
            ('*', _) => (TokenKind::Mul, 1),
            ('/', _) => (TokenKind::Div, 1),
            ('%', _) => (TokenKind::Mod, 1),
            ('^', _) => (TokenKind::Pow, 1),
            _ => {
                let span = Span::new(self.at, self.at + c.len_utf8());
                return Err(QueryError::bad_data(span, format!("unexpected character: {c:?}"))
                    .hint("names with other characters are quoted: {\"my.metric\"}"));
            }
        };
        match kind {
            TokenKind::LeftBrace => self.braces += 1,
            TokenKind::RightBrace => self.braces = self.braces.saturating_sub(1),
            TokenKind::LeftBracket => self.brackets += 1,
            TokenKind::RightBracket => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.at += length;
        Ok(kind)
    }
}

// === impl TokenKind ===

impl TokenKind {
    /// As messages name it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Ident => "identifier",
            Self::Number(_) => "number",
            Self::Duration(_) => "duration",
            Self::String => "string",
            Self::End => "end of input",
            Self::LeftParen | Self::RightParen => "parenthesis",
            Self::LeftBrace | Self::RightBrace => "brace",
            Self::LeftBracket | Self::RightBracket => "bracket",
            _ => "character",
        }
    }
}
