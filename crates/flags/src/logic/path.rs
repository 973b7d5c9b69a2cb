//! Where `var` looks: `user.name`, `items.0`, `""` for everything, and flagd's own `$flagd.flagKey`, `$flagd.timestamp`.

use serde_json::{Map, Value};

use super::coerce::Val;
use super::eval::{Run, Scope};

/// A path that was taken apart when the rule was compiled.
#[derive(Clone, Debug)]
pub(crate) enum Path {
    /// Everything in scope.
    Whole,
    /// One key of the scope.
    Key(String),
    /// A key and the keys under it.
    Keys(Vec<String>),
    /// `$flagd.flagKey`
    FlagKey,
    /// `$flagd.timestamp`
    Timestamp,
}

// === impl Path ===

impl Path {
    /// Takes a path apart at its dots.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "" => Self::Whole,
            "$flagd.flagKey" => Self::FlagKey,
            "$flagd.timestamp" => Self::Timestamp,
            _ if text.contains('.') => Self::Keys(text.split('.').map(str::to_owned).collect()),
            _ => Self::Key(text.to_owned()),
        }
    }

    /// What is there; null when nothing is.
    pub(crate) fn look<'a>(&self, run: &Run<'a>, scope: Scope<'_, 'a>) -> Val<'a> {
        match (self, scope) {
            (Self::FlagKey, Scope::Root) => Val::text(run.flag_key),
            (Self::Timestamp, Scope::Root) => Val::Number(run.timestamp_seconds()),
            (Self::Whole, Scope::Root) => Val::Object(run.attributes),
            (Self::Key(key), Scope::Root) => run.attributes.get(key).map_or(Val::Null, Val::from),
            (Self::Whole, _) => scope.whole(),
            (Self::Key(key), _) => descend(scope, [key.as_str()].into_iter(), run),
            (Self::Keys(keys), _) => descend(scope, keys.iter().map(String::as_str), run),
            (Self::FlagKey | Self::Timestamp, _) => Val::Null,
        }
    }
}

fn descend<'a, 'k>(scope: Scope<'_, 'a>, mut keys: impl Iterator<Item = &'k str>, run: &Run<'a>) -> Val<'a> {
    let Some(first) = keys.next() else { return Val::Null };
    let mut at = match scope {
        Scope::Root => run.attributes.get(first).map_or(Val::Null, Val::from),
        Scope::Item(item) => under(item, first),
        Scope::Step { current, accumulator } => match first {
            "current" => current.clone(),
            "accumulator" => accumulator.clone(),
            _ => Val::Null,
        },
    };
    for key in keys {
        at = under(&at, key);
    }
    at
}

fn under<'a>(value: &Val<'a>, key: &str) -> Val<'a> {
    match value {
        Val::Object(map) => in_map(map, key),
        Val::Borrowed(list) => {
            key.parse::<usize>().ok().and_then(|i| list.get(i)).map_or(Val::Null, Val::from)
        }
        Val::Owned(list) => {
            key.parse::<usize>().ok().and_then(|i| list.items().get(i)).cloned().unwrap_or(Val::Null)
        }
        Val::Null | Val::Bool(_) | Val::Number(_) | Val::Text(_) => Val::Null,
    }
}

fn in_map<'a>(map: &'a Map<String, Value>, key: &str) -> Val<'a> {
    map.get(key).map_or(Val::Null, Val::from)
}
