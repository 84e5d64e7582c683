//! What SQLite's errors mean for whoever runs the engine. Start reading at [`classify`].

use crate::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

/// Sorts an error that left nothing changed by who must act. A failed sync is none of these: what it should have made
/// durable may be gone though it can still be read, so it must not be tried again.
pub(crate) fn classify(what: &str, error: &Error) -> StoreError {
    if is_failed_sync(error) {
        return StoreError::Lost(format!("{what}: a sync failed ({error}); restart, and look at the disk's health"));
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            StoreError::Unavailable(format!("{what}: the disk is full; make room, nothing was changed ({error})"))
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(format!(
            "{what}: the disk refuses; look at its health, its mount and the permissions of the data directory ({error})"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unavailable(format!(
            "{what}: another program holds the file; close it, nothing was changed ({error})"
        )),
        Some(ErrorCode::NotADatabase) => StoreError::Damaged(format!(
            "{what}: the file is not a database ({error}); restore it from a backup. A ruined state.sqlite or consumers.sqlite may be \
             deleted instead: it is made anew from the journal"
        )),
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged(format!(
            "{what}: the file is damaged ({error}); stop, keep the files as they are, and restore them from a backup. Where \
             `kinchaku audit verify` still reads the journal it names the last good record; a damaged state.sqlite alone may \
             be deleted, it is rebuilt from the journal"
        )),
        _ => StoreError::Damaged(format!("{what}: {error}; stop, keep the files, run `kinchaku audit verify`")),
    }
}

/// Whether `error` is a sync that the disk did not carry out.
pub(super) fn is_failed_sync(error: &Error) -> bool {
    let failed = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
    matches!(error, Error::SqliteFailure(failure, _) if failed.contains(&failure.extended_code))
}

/// Sorts an error of COMMIT itself. A full disk is known to have left the last frame unwritten; of anything else nobody
/// knows whether the batch is durable.
pub(super) fn classify_commit(what: &str, error: &Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) => classify(what, error),
        _ => {
            StoreError::Lost(format!("{what}: {error}; nobody knows whether the batch is on disk, restart to find out"))
        }
    }
}
