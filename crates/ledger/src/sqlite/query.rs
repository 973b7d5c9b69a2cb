//! A filter as SQL. Values are always bound, never written into the statement.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::rows::{COLUMNS, RawFact};
use super::schema;
use crate::{FactFilter, FactRecord, LedgerError, canonical};

/// A statement and its values.
#[derive(Debug, Default)]
struct Conditions {
    clauses: Vec<&'static str>,
    values: Vec<Sql>,
}

/// Runs `filter`.
pub(super) fn run(
    connection: &Connection,
    place: &str,
    filter: &FactFilter,
) -> Result<Vec<FactRecord>, LedgerError> {
    let conditions = conditions(filter);
    let order = if filter.descending { "DESC" } else { "ASC" };
    let mut statement = format!("SELECT {COLUMNS} FROM facts WHERE {}", conditions.clauses.join(" AND "));
    statement.push_str(&format!(" ORDER BY seq {order} LIMIT ?"));
    let mut values = conditions.values;
    values.push(Sql::Integer(i64::try_from(filter.limit).unwrap_or(i64::MAX)));
    fetch(connection, place, &statement, values)
}

/// Runs a statement over [`COLUMNS`] and reads every fact it gives.
pub(super) fn fetch(
    connection: &Connection,
    place: &str,
    statement: &str,
    values: Vec<Sql>,
) -> Result<Vec<FactRecord>, LedgerError> {
    let failed = |error: rusqlite::Error| schema::failure(place, &error);
    let mut prepared = connection.prepare_cached(statement).map_err(failed)?;
    let mut rows = prepared.query(params_from_iter(values)).map_err(failed)?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        facts.push(RawFact::of(row)?.record()?);
    }
    Ok(facts)
}

fn conditions(filter: &FactFilter) -> Conditions {
    let mut all = Conditions::default();
    all.add("seq > ?", Sql::Integer(i64::try_from(filter.after.0).unwrap_or(i64::MAX)));
    if let Some(before) = filter.before {
        all.add("seq < ?", Sql::Integer(i64::try_from(before.0).unwrap_or(i64::MAX)));
    }
    if let Some(since) = filter.since {
        all.add("time >= ?", Sql::Integer(since.as_nanos()));
    }
    if let Some(until) = filter.until {
        all.add("time < ?", Sql::Integer(until.as_nanos()));
    }
    let change = filter.change.as_ref().map(|change| &change.0);
    for (clause, wanted) in [
        ("chapter = ?", filter.chapter.as_ref()),
        ("kind = ?", filter.kind.as_ref()),
        ("subject = ?", filter.subject.as_ref()),
        ("change = ?", change),
    ] {
        if let Some(wanted) = wanted {
            all.add(clause, Sql::Text(wanted.clone()));
        }
    }
    if let Some(actor) = &filter.actor {
        all.add_actor(actor);
    }
    if let Some(text) = &filter.text {
        all.add_text(text);
    }
    all
}

// === impl Conditions ===

impl Conditions {
    fn add(&mut self, clause: &'static str, value: Sql) {
        self.clauses.push(clause);
        self.values.push(value);
    }

    /// `user:ada` is an actor of that kind, `anonymous` a kind, and everything else a name, which may hold colons.
    fn add_actor(&mut self, actor: &str) {
        let kind_and_name =
            actor.split_once(':').filter(|(kind, _)| canonical::parse_actor_kind(kind).is_some());
        if let Some((kind, name)) = kind_and_name {
            self.add("actor_name = ?", Sql::Text(name.to_owned()));
            self.add("actor_kind = ?", Sql::Text(kind.to_owned()));
        } else if actor == "anonymous" {
            self.add("actor_kind = ?", Sql::Text(actor.to_owned()));
        } else {
            self.add("actor_name = ?", Sql::Text(actor.to_owned()));
        }
    }

    fn add_text(&mut self, text: &str) {
        let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        let pattern = Sql::Text(format!("%{escaped}%"));
        self.clauses
            .push(r"(subject LIKE ? ESCAPE '\' OR reason LIKE ? ESCAPE '\' OR payload LIKE ? ESCAPE '\')");
        self.values.extend([pattern.clone(), pattern.clone(), pattern]);
    }
}
