//! The domain's tables: how they are made, how a row is written to its table and read back.
//!
//! A table has the row's id, its version, the number of the record that made it so, the domain's typed columns for
//! whoever reads with SQL, and the row itself: a format byte, then the encoded row; NULL for a row that was deleted.
//! Start reading at [`Tables`].

use super::error::classify;
use super::journal::{LANE, signed, unsigned};
use super::lock;
use crate::record::Place;
use crate::store::{Changed, StoreError, Stored};
use domain::{Domain, Id, Key, Table, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

/// The format of a stored row: postcard.
const ROW_FORMAT: u8 = 1;
/// Rows loaded in one read transaction: some milliseconds.
const LOAD_ROWS_MAX: usize = 1_024;

/// The form that stored rows have: how they are encoded, and the domain's version of what is.
pub(crate) fn row_form<D: Domain>() -> String {
    format!("{ROW_FORMAT}.{}", D::ROWS_VERSION)
}

/// The statements of every table of the domain.
pub(crate) struct Tables<D: Domain> {
    create: Vec<String>,
    insert: Vec<String>,
    select: Vec<String>,
    page: Vec<String>,
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> Tables<D> {
    pub(crate) fn new() -> Self {
        let mut tables =
            Self { create: Vec::new(), insert: Vec::new(), select: Vec::new(), page: Vec::new(), domain: PhantomData };
        for spec in D::TABLES {
            let name = spec.name;
            let quoted: Vec<String> = spec.columns.iter().map(|column| format!("\"{column}\", ")).collect();
            let columns = quoted.concat();
            let marks = "?, ".repeat(spec.columns.len());
            tables.create.push(format!(
                "CREATE TABLE \"{name}\" (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, \
                 place INTEGER NOT NULL, {columns}row BLOB) WITHOUT ROWID"
            ));
            tables.insert.push(format!(
                "INSERT OR REPLACE INTO \"{name}\" (id, version, place, {columns}row) VALUES (?, ?, ?, {marks}?)"
            ));
            tables.select.push(format!("SELECT version, place, row FROM \"{name}\" WHERE id = ?"));
            tables.page.push(format!(
                "SELECT id, version, place, {columns}row FROM \"{name}\" WHERE id > ? ORDER BY id LIMIT ?"
            ));
        }
        tables
    }

    /// What a state file must have been made for; another one is rebuilt from the journal.
    pub(crate) fn signature() -> String {
        let tables: Vec<String> =
            D::TABLES.iter().map(|spec| format!("{}({})", spec.name, spec.columns.join(","))).collect();
        format!("{} rows {}: {}", D::NAME, row_form::<D>(), tables.join(" "))
    }

    /// Whether a state file with the signature `found` has rows in a form that this program does not know yet.
    pub(super) fn is_newer(found: &str) -> bool {
        let forms = found.strip_prefix(D::NAME).and_then(|rest| rest.strip_prefix(" rows "));
        let forms = forms.and_then(|rest| rest.split_once(':')).and_then(|(forms, _)| forms.split_once('.'));
        forms.is_some_and(|(format, version)| {
            let number = |text: &str| text.parse().unwrap_or(0_u32);
            (number(format), number(version)) > (u32::from(ROW_FORMAT), D::ROWS_VERSION)
        })
    }

    pub(super) fn create(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.create.iter().try_for_each(|sql| connection.execute(sql, []).map(|_| ()))
    }

    /// Writes rows, each over what its key has. `buffer` and `values` are kept between calls for their memory.
    pub(super) fn write(&self, connection: &Connection, rows: &[Changed<D::Row>]) -> Result<(), StoreError> {
        let what = "writing rows";
        let mut values = Vec::new();
        let mut bytes = Vec::new();
        for run in rows.chunk_by(|one, other| one.key.table == other.key.table) {
            let table = usize::from(run[0].key.table.0);
            let columns = D::TABLES[table].columns.len();
            let mut insert = connection.prepare_cached(&self.insert[table]).map_err(|error| classify(what, &error))?;
            for Changed { key, stored } in run {
                bytes.clear();
                values.clear();
                if let Some(row) = &stored.row {
                    bytes = encode_row(row.as_ref(), bytes)?;
                    D::columns(row, &mut values);
                    assert_eq!(values.len(), columns, "{} gives every column's value", D::TABLES[table].name);
                } else {
                    values.resize(columns, Value::Null);
                }
                let mut bind = || -> rusqlite::Result<()> {
                    insert.raw_bind_parameter(1, key.id.0)?;
                    insert.raw_bind_parameter(2, signed(stored.version))?;
                    insert.raw_bind_parameter(3, signed(stored.place.n))?;
                    for (index, value) in values.iter().enumerate() {
                        insert.raw_bind_parameter(index + 4, Column(*value))?;
                    }
                    insert.raw_bind_parameter(columns + 4, stored.row.as_ref().map(|_| bytes.as_slice()))?;
                    insert.raw_execute().map(|_| ())
                };
                bind().map_err(|error| classify(what, &error))?;
            }
        }
        Ok(())
    }

    /// The row at `key`.
    pub(crate) fn select(&self, connection: &Connection, key: Key) -> Result<Option<Stored<D::Row>>, StoreError> {
        let what = "reading a row";
        let mut select = connection
            .prepare_cached(&self.select[usize::from(key.table.0)])
            .map_err(|error| classify(what, &error))?;
        let mut rows = select.query([key.id.0]).map_err(|error| classify(what, &error))?;
        let Some(row) = rows.next().map_err(|error| classify(what, &error))? else { return Ok(None) };
        stored_from(row, 0, 2, key).map(Some)
    }

    /// A page of a table's rows after the id `after`, in the order of ids, with the typed columns as they stand there.
    pub(crate) fn page(
        &self,
        connection: &Connection,
        table: Table,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<PagedRow<D::Row>>, StoreError> {
        let what = "reading rows";
        let index = usize::from(table.0);
        let mut select = connection.prepare_cached(&self.page[index]).map_err(|error| classify(what, &error))?;
        let after: &[u8] = after.as_ref().map_or(&[], |id| &id.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query(rusqlite::params![after, limit]).map_err(|error| classify(what, &error))?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().map_err(|error| classify(what, &error))? {
            let id: [u8; 16] = row.get(0).map_err(|error| classify(what, &error))?;
            let key = Key::new(table, Id(id));
            let count = D::TABLES[index].columns.len();
            let stored = stored_from(row, 1, 3 + count, key)?;
            let columns = (3..3 + count)
                .map(|column| row.get(column))
                .collect::<rusqlite::Result<Vec<_>>>()
                .map_err(|error| classify(what, &error))?;
            page.push(PagedRow { key, stored, columns });
        }
        Ok(page)
    }
}

/// A row with its typed columns as the file has them.
pub(crate) struct PagedRow<R> {
    pub(crate) key: Key,
    pub(crate) stored: Stored<R>,
    pub(crate) columns: Vec<rusqlite::types::Value>,
}

/// The version and place that stand in `row` from column `first` on, and the domain's row in column `last`.
fn stored_from<R: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    first: usize,
    last: usize,
    key: Key,
) -> Result<Stored<R>, StoreError> {
    let what = "reading a row";
    let read = || -> rusqlite::Result<(i64, i64, Option<&[u8]>)> {
        Ok((row.get(first)?, row.get(first + 1)?, row.get_ref(last)?.as_blob_or_null()?))
    };
    let (version, place, bytes) = read().map_err(|error| classify(what, &error))?;
    let row = bytes.map(|bytes| decode_row(key, bytes).map(Arc::new)).transpose().map_err(|error| match error {
        StoreError::Damaged(what) => {
            StoreError::Damaged(format!("{what}; stop, delete state.sqlite, it is rebuilt from the journal"))
        }
        other => other,
    })?;
    Ok(Stored { version: unsigned(version), place: Place { lane: LANE, n: unsigned(place) }, row })
}

pub(crate) fn encode_row<R: serde::Serialize>(row: &R, mut bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    bytes.push(ROW_FORMAT);
    postcard::to_extend(row, bytes).map_err(|error| StoreError::Damaged(format!("a row cannot be encoded: {error}")))
}

pub(crate) fn decode_row<R: serde::de::DeserializeOwned>(key: Key, bytes: &[u8]) -> Result<R, StoreError> {
    let damaged = |why: &dyn std::fmt::Display| {
        StoreError::Damaged(format!("row {} of table {} cannot be read ({why})", key.id, key.table.0))
    };
    match bytes.split_first() {
        Some((&ROW_FORMAT, bytes)) => match postcard::take_from_bytes(bytes) {
            Ok((row, [])) => Ok(row),
            Ok((_, more)) => Err(damaged(&format!("{} bytes follow its end", more.len()))),
            Err(error) => Err(damaged(&error)),
        },
        Some((format, _)) => Err(damaged(&format!("format {format}"))),
        None => Err(damaged(&"empty")),
    }
}

/// One typed column's value, as SQLite takes it.
pub(crate) struct Column(pub(crate) Value);

impl Column {
    pub(crate) fn value(&self) -> ValueRef<'_> {
        match &self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Id(id) => ValueRef::Blob(&id.0),
        }
    }
}

impl ToSql for Column {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.value()))
    }
}

/// The largest id of each table on disk: an id beyond it is a miss that costs no read, and new ids are time-ordered.
pub(super) struct Largest(Mutex<Vec<Option<Id>>>);

impl Largest {
    pub(super) fn read<D: Domain>(connection: &Connection) -> Result<Self, StoreError> {
        let largest = D::TABLES.iter().map(|spec| {
            connection
                .query_row(&format!("SELECT max(id) FROM \"{}\"", spec.name), [], |row| {
                    row.get::<_, Option<[u8; 16]>>(0)
                })
                .map(|id| id.map(Id))
                .map_err(|error| classify("reading the largest ids", &error))
        });
        Ok(Self(Mutex::new(largest.collect::<Result<_, _>>()?)))
    }

    /// Takes note of rows that will be visible soon; they are in the order of their keys.
    pub(super) fn raise<R>(&self, rows: &[Changed<R>]) {
        let mut largest = lock(&self.0);
        for run in rows.chunk_by(|one, other| one.key.table == other.key.table) {
            if let Some(last) = run.last() {
                let slot = &mut largest[usize::from(last.key.table.0)];
                *slot = (*slot).max(Some(last.key.id));
            }
        }
    }

    fn now(&self) -> Vec<Option<Id>> {
        lock(&self.0).clone()
    }
}

/// Reads rows for the engine, beside the keeper that writes them.
pub(super) struct RowReader<D: Domain> {
    pub(super) connection: Connection,
    tables: Arc<Tables<D>>,
    largest: Arc<Largest>,
}

impl<D: Domain> RowReader<D> {
    pub(super) fn new(connection: Connection, tables: Arc<Tables<D>>, largest: Arc<Largest>) -> Self {
        Self { connection, tables, largest }
    }

    /// The rows at `keys`, in their order, read in short transactions.
    pub(super) fn load(&self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        let largest = self.largest.now();
        let mut loaded = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(LOAD_ROWS_MAX) {
            let present = |key: &Key| Some(key.id) <= largest[usize::from(key.table.0)];
            if !chunk.iter().any(present) {
                loaded.extend(chunk.iter().map(|_| None));
                continue;
            }
            let failed = |error: rusqlite::Error| classify("reading rows", &error);
            let transaction = self.connection.unchecked_transaction().map_err(failed)?;
            for key in chunk {
                loaded.push(if present(key) { self.tables.select(&transaction, *key)? } else { None });
            }
            transaction.commit().map_err(failed)?;
        }
        Ok(loaded)
    }
}

/// How far a state file has come.
pub(crate) fn read_progress(connection: &Connection) -> rusqlite::Result<Option<(String, u64, u64)>> {
    connection
        .query_row("SELECT signature, watermark, requests_until FROM progress", [], |row| {
            Ok((row.get(0)?, unsigned(row.get(1)?), unsigned(row.get(2)?)))
        })
        .optional()
}
