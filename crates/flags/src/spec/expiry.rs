//! When a flag should be gone: a date, to its end in UTC, or a time.

use std::fmt;
use std::str::FromStr;

use kernel::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When a flag should be gone. Keeps the text as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expiry {
    text: String,
    at: Timestamp,
}

// === impl Expiry ===

impl Expiry {
    /// The instant from which the flag is overdue.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Expiry {
    type Err = String;
    /// A date, which lasts to its end in UTC, or an RFC 3339 time.
    fn from_str(text: &str) -> Result<Self, String> {
        let day: Option<Timestamp> =
            if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None };
        let at = match day {
            Some(start) => start + Span::from_days(1),
            None => text.parse().map_err(|_| {
                format!(
                    "{text:?} is neither a date such as 2026-12-31 nor a time such as 2026-12-31T18:00:00Z"
                )
            })?,
        };
        Ok(Self { text: text.to_owned(), at })
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Expiry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expiry".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "examples": ["2026-12-31", "2026-12-31T18:00:00Z"],
        })
    }
    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Expiry;

    #[test]
    fn an_expiry_is_a_date_to_its_end_or_a_time() {
        for (text, at) in [
            ("2026-12-31", "2027-01-01T00:00:00Z"),
            ("2026-12-31T18:00:00Z", "2026-12-31T18:00:00Z"),
            ("2026-12-31T18:00:00+02:00", "2026-12-31T16:00:00Z"),
        ] {
            assert_eq!(text.parse::<Expiry>().unwrap().at(), at.parse().unwrap(), "{text}");
        }
        for text in ["", "2026", "2026-13-01", "31.12.2026", "2026-12-31T18:00"] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
    }
}
