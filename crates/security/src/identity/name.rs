//! Names of users and tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of a user or a token, in bytes.
pub const MAX_NAME: usize = 64;

/// The name of a user or a token: lower-case letters, digits and `. _ - @ +`, starting with a letter or a digit.
/// Narrow on purpose: a name is written in cookies' actors, URLs and `user:password`, and two names must never look
/// alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} cannot be a name: {why}")]
pub struct InvalidName {
    given: String,
    why: &'static str,
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let bad = |why| {
            // A refused name is echoed to the client; an overlong one only as far as it could have been right.
            let given = text.chars().take(MAX_NAME).collect();
            Err(InvalidName { given, why })
        };
        if text.len() > MAX_NAME {
            return bad("it is longer than 64 bytes");
        }
        let Some(first) = text.chars().next() else {
            return bad("it is empty");
        };
        if text.chars().any(|c| c.is_ascii_uppercase()) {
            return bad("names are lower-case");
        }
        if !(first.is_ascii_lowercase() || first.is_ascii_digit()) {
            return bad("it must start with a letter or a digit");
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@+".contains(c);
        if !text.chars().all(allowed) {
            return bad("only lower-case letters, digits and . _ - @ + are allowed");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_narrow() {
        for good in ["ada", "ada.l", "ada@example.org", "ci-1", "a+b", "0x", &"a".repeat(64)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("Ada", "lower-case"),
            ("-ada", "start with"),
            ("a:b", "only"),
            ("a b", "only"),
            ("адa", "start with"),
            ("a\u{0430}", "only"),
            (&"a".repeat(65), "longer"),
        ] {
            let error = bad.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(why), "{bad:?}: {error}");
        }
    }
}
