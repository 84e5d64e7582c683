//! The domain's tables in PostgreSQL: the statements that read and save whole sets of rows.

use super::connection::Connection;
use crate::record::Place;
use crate::sqlite::{decode_row, encode_row, row_form, signed, unsigned};
use crate::store::{Changed, StoreError, Stored};
use domain::{Domain, Id, Key, TableSpec, Value};
use std::sync::Arc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// What a schema must have been made for.
pub(super) fn signature<D: Domain>() -> String {
    let tables: Vec<String> =
        D::TABLES.iter().map(|spec| format!("{}({})", spec.name, spec.columns.join(","))).collect();
    format!("rows {}: {}", row_form::<D>(), tables.join(" "))
}

/// Makes the domain's tables.
pub(super) fn create<D: Domain>(connection: &Connection) -> Result<(), StoreError> {
    D::TABLES.iter().try_for_each(|spec| {
        let columns = each(spec, |column| format!("\"{column}\" TEXT, "));
        connection.run(&format!(
            "CREATE TABLE \"{}\" (id BYTEA NOT NULL PRIMARY KEY, version BIGINT NOT NULL, lane SMALLINT NOT NULL, \
             n BIGINT NOT NULL, {columns}\"row\" BYTEA)",
            spec.name
        ))
    })
}

/// What is said of each column of a table, one after the other.
fn each(spec: &TableSpec, say: impl Fn(&str) -> String) -> String {
    spec.columns.iter().map(|column| say(column)).collect::<Vec<_>>().concat()
}

/// Reads a page of a table's rows, behind an id.
pub(super) fn page(spec: &TableSpec) -> String {
    format!("SELECT {ROW} FROM \"{}\" WHERE id > $1 ORDER BY id LIMIT $2", spec.name)
}

/// What is read of a row.
const ROW: &str = "id, version, lane, n, \"row\"";

/// The prepared statements of one table, for one connection.
pub(super) struct Prepared {
    /// Reads rows and locks them, in the order of their ids.
    pub(super) lock: Statement,
    /// Reads rows as they are committed.
    pub(super) select: Statement,
    insert: Statement,
    update: Statement,
}

impl Prepared {
    pub(super) async fn new(client: &Client, spec: &TableSpec) -> Result<Self, tokio_postgres::Error> {
        let name = spec.name;
        let select = format!("SELECT {ROW} FROM \"{name}\" WHERE id = ANY($1)");
        let columns = each(spec, |column| format!("\"{column}\", "));
        let mut arrays =
            vec!["$1::bytea[]".to_owned(), "$2::bigint[]".into(), "$3::smallint[]".into(), "$4::bigint[]".into()];
        arrays.extend((0..spec.columns.len()).map(|index| format!("${}::text[]", index + 5)));
        arrays.push(format!("${}::bytea[]", spec.columns.len() + 5));
        let insert = format!(
            "INSERT INTO \"{name}\" (id, version, lane, n, {columns}\"row\") SELECT * FROM unnest({})",
            arrays.join(", ")
        );
        arrays.push(format!("${}::bigint[]", spec.columns.len() + 6));
        let sets = each(spec, |column| format!("\"{column}\" = new.\"{column}\", "));
        let update = format!(
            "UPDATE \"{name}\" AS old SET version = new.version, lane = new.lane, n = new.n, {sets}\"row\" = new.\"row\" \
             FROM unnest({}) AS new (id, version, lane, n, {columns}\"row\", read_version) \
             WHERE old.id = new.id AND old.version = new.read_version",
            arrays.join(", ")
        );
        Ok(Self {
            lock: client.prepare(&format!("{select} ORDER BY id FOR UPDATE")).await?,
            select: client.prepare(&select).await?,
            insert: client.prepare(&insert).await?,
            update: client.prepare(&update).await?,
        })
    }
}

/// Rows of one table that a batch saves, column by column.
#[derive(Default)]
pub(super) struct Saved {
    ids: Vec<[u8; 16]>,
    versions: Vec<i64>,
    lanes: Vec<i16>,
    numbers: Vec<i64>,
    columns: Vec<Vec<Option<String>>>,
    rows: Vec<Option<Vec<u8>>>,
    /// The version that each row was read at; none of a row that is new.
    read_versions: Vec<i64>,
}

impl Saved {
    /// Adds a row that was read at `read_version`.
    pub(super) fn add<D: Domain>(&mut self, changed: &Changed<D::Row>, read_version: u64) -> Result<(), StoreError> {
        let Changed { key, stored } = changed;
        let columns = D::TABLES[usize::from(key.table.0)].columns.len();
        self.columns.resize_with(columns, Vec::new);
        self.ids.push(key.id.0);
        self.versions.push(signed(stored.version));
        self.lanes.push(lane_number(stored.place.lane)?);
        self.numbers.push(signed(stored.place.n));
        self.read_versions.push(signed(read_version));
        let mut values = Vec::new();
        if let Some(row) = &stored.row {
            D::columns(row, &mut values);
        }
        values.resize(columns, Value::Null);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(text(value));
        }
        let row = stored.row.as_ref().map(|row| encode_row(row.as_ref(), Vec::new())).transpose()?;
        self.rows.push(row);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Saves the rows at the versions that they were read at; how many there were.
    pub(super) async fn update(&self, client: &Client, prepared: &Prepared) -> Result<u64, tokio_postgres::Error> {
        let ids = self.ids();
        let mut values = self.values(&ids);
        values.push(&self.read_versions);
        client.execute(&prepared.update, &values).await
    }

    /// Adds the rows; one that somebody else has added meanwhile is a unique violation.
    pub(super) async fn insert(&self, client: &Client, prepared: &Prepared) -> Result<u64, tokio_postgres::Error> {
        let ids = self.ids();
        client.execute(&prepared.insert, &self.values(&ids)).await
    }

    fn ids(&self) -> Vec<&[u8]> {
        self.ids.iter().map(<[u8; 16]>::as_slice).collect()
    }

    fn values<'a>(&'a self, ids: &'a (dyn ToSql + Sync)) -> Vec<&'a (dyn ToSql + Sync)> {
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![ids, &self.versions, &self.lanes, &self.numbers];
        values.extend(self.columns.iter().map(|column| column as &(dyn ToSql + Sync)));
        values.push(&self.rows);
        values
    }
}

/// A column's value, as an operator reads it.
fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.to_owned()),
        Value::Id(id) => Some(id.to_string()),
    }
}

/// A row as one of the select statements gives it: its id, and what is stored.
pub(super) fn stored<R: serde::de::DeserializeOwned>(
    table: domain::Table,
    row: &Row,
) -> Result<(Id, Stored<R>), StoreError> {
    let read = || -> Result<_, tokio_postgres::Error> {
        let (id, version): (&[u8], i64) = (row.try_get(0)?, row.try_get(1)?);
        let (lane, n): (i16, i64) = (row.try_get(2)?, row.try_get(3)?);
        Ok((id, version, lane, n, row.try_get::<_, Option<&[u8]>>(4)?))
    };
    let wrong = |what: &str| StoreError::Damaged(format!("a row of table {} {what}", table.0));
    let (id, version, lane, n, bytes) = read().map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let id = Id(id.try_into().map_err(|_| wrong("has an id that is not 16 bytes long"))?);
    let lane = u16::try_from(lane).map_err(|_| wrong("is of a lane below zero"))?;
    let row = bytes.map(|bytes| decode_row(Key::new(table, id), bytes).map(Arc::new)).transpose()?;
    Ok((id, Stored { version: unsigned(version), place: Place { lane, n: unsigned(n) }, row }))
}

/// A lane's number as the database has it.
pub(super) fn lane_number(lane: u16) -> Result<i16, StoreError> {
    i16::try_from(lane)
        .map_err(|_| StoreError::Damaged(format!("lane {lane} is beyond the {} that there are", i16::MAX)))
}
