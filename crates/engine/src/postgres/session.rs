//! A session: one connection with its prepared statements, and what is written and read with them.
//!
//! Statements of one step are sent together and answered in order, so that a batch costs few round trips.

use super::connection::{Connection, wait};
use super::rows::{Prepared, Saved, lane_number};
use super::schema;
use crate::record::{Place, SealedRecord};
use crate::sqlite::{signed, unsigned};
use crate::store::{Commit, Head, KnownRequest, StoreError};
use domain::{Domain, Time};
use futures_util::future::{join_all, try_join_all};
use std::pin::Pin;
use tokio_postgres::{Client, Config, Row, Statement};

/// What one connection has prepared.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) tables: Vec<Prepared>,
    advance: Statement,
    append: Statement,
    remember: Statement,
    pub(super) known: Statement,
    pub(super) recorded: Statement,
    pub(super) read: Statement,
}

impl Session {
    pub(super) fn open<D: Domain>(config: &Config) -> Result<Self, StoreError> {
        let connection = Connection::open(config, D::NAME)?;
        schema::prepare::<D>(&connection)?;
        let client = connection.client();
        let prepare = async {
            Ok((
                try_join_all(D::TABLES.iter().map(|spec| Prepared::new(client, spec))).await?,
                client.prepare(ADVANCE).await?,
                client.prepare(APPEND).await?,
                client.prepare(REMEMBER).await?,
                client.prepare(KNOWN).await?,
                client.prepare(RECORDED).await?,
                client.prepare(READ).await?,
            ))
        };
        let prepared = wait(prepare).map_err(|failure| failure.said("preparing statements"))?;
        let (tables, advance, append, remember, known, recorded, read) = prepared;
        Ok(Self { connection, tables, advance, append, remember, known, recorded, read })
    }
}

/// Moves the lane's head, if nobody else has.
const ADVANCE: &str =
    "UPDATE lane SET n = $1, at = $2, hash = $3 WHERE lane = $4 AND epoch = $5 AND n = $6 AND hash = $7";
/// Appends a batch to the journal.
const APPEND: &str = "INSERT INTO journal (lane, n, epoch, at, hash, record) \
     SELECT $1, new.n, $2, new.at, new.hash, new.record \
     FROM unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[]) AS new (n, at, hash, record)";
/// Adds the batch's request keys: one that is there already breaks the commit.
const REMEMBER: &str = "INSERT INTO request (key, lane, n) SELECT new.key, $1, new.n FROM unnest($2::bytea[], $3::bigint[]) AS new (key, n)";
/// The places that request keys are known from.
const KNOWN: &str = "SELECT key, lane, n FROM request WHERE key = ANY($1)";
/// The record at a place.
const RECORDED: &str = "SELECT n, at, hash, record FROM journal WHERE lane = $1 AND n = $2";
/// A page of a lane's records.
pub(super) const READ: &str =
    "SELECT n, at, hash, record, epoch FROM journal WHERE lane = $1 AND n >= $2 ORDER BY n LIMIT $3";

/// An answer that is on its way.
pub(super) type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + 'a>>;

/// What a commit did not find where it was.
pub(super) enum Missed {
    Lane,
    Row,
}

/// Writes a batch: everything is sent at once, then the answers are looked at in order.
pub(super) async fn write<D: Domain>(
    session: &Session,
    commit: &Commit<'_, D>,
    next: Head,
    begins: bool,
    updates: &[Saved],
    inserts: &[Saved],
) -> Result<Option<Missed>, tokio_postgres::Error> {
    let client = session.connection.client();
    let mut asked: Vec<Asked<'_, u64>> = Vec::new();
    if begins {
        asked.push(Box::pin(async { client.batch_execute("BEGIN").await.map(|()| 0) }));
    }
    let lane = i16::try_from(next.place.lane).unwrap_or(i16::MAX);
    let Head { epoch, .. } = commit.expected;
    asked.push(Box::pin(async move {
        let (was, is) = (commit.expected, next);
        let (n, at, epoch) = (signed(is.place.n), is.at.milliseconds(), signed(epoch));
        let (hash, n_was, hash_was) = (is.hash.as_slice(), signed(was.place.n), was.hash.as_slice());
        client.execute(&session.advance, &[&n, &at, &hash, &lane, &epoch, &n_was, &hash_was]).await
    }));
    asked.push(Box::pin(append(session, lane, epoch, commit.records)));
    asked.push(Box::pin(remember(session, lane, commit.requests)));
    let advanced = usize::from(begins);
    let rows_from = asked.len();
    let mut expected = Vec::new();
    for (prepared, (updates, inserts)) in session.tables.iter().zip(updates.iter().zip(inserts)) {
        if updates.len() > 0 {
            expected.push(updates.len());
            asked.push(Box::pin(updates.update(client, prepared)));
        }
        if inserts.len() > 0 {
            expected.push(inserts.len());
            asked.push(Box::pin(inserts.insert(client, prepared)));
        }
    }
    let counts = first_failure(join_all(asked).await)?;
    if counts[advanced] != 1 {
        return Ok(Some(Missed::Lane));
    }
    let complete = counts[rows_from..].iter().zip(expected).all(|(count, expected)| *count == expected as u64);
    Ok((!complete).then_some(Missed::Row))
}

async fn append(
    session: &Session,
    lane: i16,
    epoch: u64,
    records: &[SealedRecord],
) -> Result<u64, tokio_postgres::Error> {
    let numbers: Vec<i64> = records.iter().map(|record| signed(record.place.n)).collect();
    let times: Vec<i64> = records.iter().map(|record| record.at.milliseconds()).collect();
    let hashes: Vec<&[u8]> = records.iter().map(|record| record.hash.as_slice()).collect();
    let bytes: Vec<&[u8]> = records.iter().map(|record| record.bytes.as_slice()).collect();
    let epoch = signed(epoch);
    session.connection.client().execute(&session.append, &[&lane, &epoch, &numbers, &times, &hashes, &bytes]).await
}

async fn remember(session: &Session, lane: i16, requests: &[KnownRequest]) -> Result<u64, tokio_postgres::Error> {
    if requests.is_empty() {
        return Ok(0);
    }
    let keys: Vec<&[u8]> = requests.iter().map(|known| known.key.as_slice()).collect();
    let numbers: Vec<i64> = requests.iter().map(|known| signed(known.n)).collect();
    session.connection.client().execute(&session.remember, &[&lane, &keys, &numbers]).await
}

/// All answers, or the first failure: those after it only say that the transaction is aborted.
pub(super) fn first_failure<T>(
    answers: Vec<Result<T, tokio_postgres::Error>>,
) -> Result<Vec<T>, tokio_postgres::Error> {
    answers.into_iter().collect()
}

/// Takes the lane for this engine: its epoch grows.
pub(super) fn take_lane(connection: &Connection, lane: u16) -> Result<Head, StoreError> {
    let number = lane_number(lane)?;
    let client = connection.client();
    let take = "INSERT INTO lane (lane, epoch, n, at, hash) VALUES ($1, 1, 0, 0, $2) \
                ON CONFLICT (lane) DO UPDATE SET epoch = lane.epoch + 1";
    let zeros: &[u8] = &[0; 32];
    wait(client.execute(take, &[&number, &zeros])).map_err(|failure| failure.said("taking the lane"))?;
    let missing = || StoreError::Damaged(format!("lane {lane} is gone"));
    let head = read_lane(client, lane)?.ok_or_else(missing)?;
    let last = "SELECT n, at, hash FROM journal WHERE lane = $1 ORDER BY n DESC LIMIT 1";
    let last = wait(client.query_opt(last, &[&number])).map_err(|failure| failure.said("the last record"))?;
    let last = last.map(|row| head_from(&row, lane, head.epoch)).transpose()?;
    let found = last.map_or((0, [0; 32]), |last| (last.place.n, last.hash));
    if found != (head.place.n, head.hash) {
        return Err(StoreError::Damaged(format!(
            "the head of lane {lane} says record {}, its last record is {}: it was cut or edited; restore a backup",
            head.place.n, found.0
        )));
    }
    Ok(head)
}

/// Where the lane stands, as far as it is committed.
pub(super) fn read_lane(client: &Client, lane: u16) -> Result<Option<Head>, StoreError> {
    read_lane_by(client, lane, "SELECT n, at, hash, epoch FROM lane WHERE lane = $1")
}

/// Where the lane stands once nobody is moving it: a commit under way is waited for, as long as a lock may be.
pub(super) fn read_settled_lane(client: &Client, lane: u16) -> Result<Option<Head>, StoreError> {
    read_lane_by(client, lane, "SELECT n, at, hash, epoch FROM lane WHERE lane = $1 FOR UPDATE")
}

fn read_lane_by(client: &Client, lane: u16, read: &str) -> Result<Option<Head>, StoreError> {
    let row = wait(client.query_opt(read, &[&lane_number(lane)?]));
    let Some(row) = row.map_err(|failure| failure.said("reading the lane"))? else { return Ok(None) };
    let epoch: i64 =
        row.try_get(3).map_err(|error| StoreError::Damaged(format!("the lane cannot be read: {error}")))?;
    head_from(&row, lane, unsigned(epoch)).map(Some)
}

/// A head from the columns `n`, `at`, `hash`.
fn head_from(row: &Row, lane: u16, epoch: u64) -> Result<Head, StoreError> {
    let read = || -> Result<_, tokio_postgres::Error> {
        Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?, row.try_get::<_, &[u8]>(2)?))
    };
    let wrong = |what: String| StoreError::Damaged(format!("the head of lane {lane} cannot be read: {what}"));
    let (n, at, hash) = read().map_err(|error| wrong(error.to_string()))?;
    let hash = hash.try_into().map_err(|_| wrong("its hash is not 32 bytes long".into()))?;
    Ok(Head { epoch, place: Place { lane, n: unsigned(n) }, at: Time::from_milliseconds(at), hash })
}

/// A record from the columns `n`, `at`, `hash`, `record`.
pub(super) fn sealed(lane: u16, row: &Row) -> Result<SealedRecord, StoreError> {
    let Head { place, at, hash, .. } = head_from(row, lane, 0)?;
    let bytes =
        row.try_get(3).map_err(|error| StoreError::Damaged(format!("record {} cannot be read: {error}", place.n)))?;
    Ok(SealedRecord { place, at, bytes, hash })
}
