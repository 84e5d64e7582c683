//! What PostgreSQL's errors mean for the engine.

use crate::store::StoreError;
use tokio_postgres::error::SqlState;

/// Why a statement has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said so, or the connection broke.
    Postgres(Box<tokio_postgres::Error>),
    /// Nothing was heard for too long.
    Silent,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}

impl Failure {
    /// Whether the server itself refused: then it has rolled back, and the connection goes on.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Postgres(error) => error.as_db_error().is_some_and(|refusal| !is_farewell(refusal.code())),
            Self::Silent => false,
        }
    }

    /// Whether the server itself does not know if it has committed: distributed ones say so.
    pub(super) fn is_in_doubt(&self) -> bool {
        let in_doubt = [SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN, SqlState::TRANSACTION_RESOLUTION_UNKNOWN];
        match self {
            Self::Postgres(error) => error.code().is_some_and(|code| in_doubt.contains(code)),
            Self::Silent => false,
        }
    }

    /// The failure as the engine knows it.
    pub(super) fn said(&self, what: &str) -> StoreError {
        match self {
            Self::Postgres(error) => classify(what, error),
            Self::Silent => StoreError::Unavailable(format!("{what}: the database does not answer")),
        }
    }
}

/// Whether the server ends the connection with this.
fn is_farewell(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}

/// What an error outside of a commit's last word means: the transaction is gone, nothing was changed.
pub(super) fn classify(what: &str, error: &tokio_postgres::Error) -> StoreError {
    let Some(refusal) = error.as_db_error() else {
        return StoreError::Unavailable(format!("{what}: the database is away ({error})"));
    };
    let code = refusal.code();
    // A statement's values never enter the text: only the server's own words for what is wrong with it.
    let said = format!("{what}: {} ({})", refusal.message(), code.code());
    let meets_others = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    if meets_others.contains(code) {
        return StoreError::Conflict(said);
    }
    let wrong_address = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if wrong_address.contains(code) {
        return StoreError::Unavailable(format!("{said}; look at the database's address, user, password and rights"));
    }
    StoreError::Unavailable(said)
}
