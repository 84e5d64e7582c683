//! The schema: one for each domain, made and migrated when a store opens.

use super::connection::{Connection, wait};
use super::rows::{create, signature};
use crate::store::StoreError;
use domain::Domain;

/// The migrations, oldest first.
const STEPS: &[&str] =
    &[include_str!("../../migrations/postgres/0001.sql"), include_str!("../../migrations/postgres/0002.sql")];

/// Makes what is not there, in one transaction; refuses what another version or another domain made.
pub(super) fn prepare<D: Domain>(connection: &Connection) -> Result<(), StoreError> {
    let name = D::NAME;
    connection.run(&format!(
        "CREATE SCHEMA IF NOT EXISTS \"{name}\"; \
         CREATE TABLE IF NOT EXISTS schema_version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)"
    ))?;
    connection.run("BEGIN; INSERT INTO schema_version (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING")?;
    let migrated = migrate::<D>(connection);
    connection.run(if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    migrated
}

fn migrate<D: Domain>(connection: &Connection) -> Result<(), StoreError> {
    let client = connection.client();
    let what = "the schema's version";
    let row = wait(client.query_one("SELECT version FROM schema_version WHERE one = 1 FOR UPDATE", &[]));
    let found: i32 = row.and_then(|row| Ok(row.try_get(0)?)).map_err(|failure| failure.said(what))?;
    let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    if found > known {
        return Err(StoreError::Version(format!(
            "the schema \"{}\" has version {found}, this program knows {known}: use the newer program",
            D::NAME
        )));
    }
    let applied = usize::try_from(found).unwrap_or(0);
    for step in STEPS.iter().skip(applied) {
        connection.run(step)?;
    }
    let current = signature::<D>();
    if applied == 0 {
        create::<D>(connection)?;
        let insert = "INSERT INTO progress (one, domain, signature) VALUES (1, $1, $2)";
        wait(client.execute(insert, &[&D::NAME, &current])).map_err(|failure| failure.said(what))?;
    } else {
        let row = wait(client.query_one("SELECT signature FROM progress WHERE one = 1", &[]));
        let made_for: String = row.and_then(|row| Ok(row.try_get(0)?)).map_err(|failure| failure.said(what))?;
        if made_for != current {
            return Err(StoreError::Version(format!(
                "the tables of schema \"{}\" were made for \"{made_for}\", this program has \"{current}\"",
                D::NAME
            )));
        }
    }
    take_vocabulary::<D>(connection)?;
    wait(client.execute("UPDATE schema_version SET version = $1 WHERE one = 1", &[&known]))
        .map_err(|failure| failure.said(what))?;
    Ok(())
}

/// Refuses what a program with a larger vocabulary wrote, and says to older programs that this one writes here.
fn take_vocabulary<D: Domain>(connection: &Connection) -> Result<(), StoreError> {
    let client = connection.client();
    let what = "the schema's vocabulary";
    let row = wait(client.query_one("SELECT vocabulary FROM progress WHERE one = 1", &[]));
    let found: i64 = row.and_then(|row| Ok(row.try_get(0)?)).map_err(|failure| failure.said(what))?;
    let known = i64::from(D::VOCABULARY);
    if found > known {
        return Err(StoreError::Version(format!(
            "a newer program wrote the schema \"{}\", in words that this one cannot read (it has {found}, this one knows {known}): \
             use the newer program",
            D::NAME
        )));
    }
    wait(client.execute("UPDATE progress SET vocabulary = $1 WHERE one = 1", &[&known]))
        .map_err(|failure| failure.said(what))?;
    Ok(())
}
