//! Debits by files of 預金口座振替 (kind 91): the request file that a day's debits make, and what a result file says. It is the
//! connector of banks that take all debits of a business day together, in the evening, and answer the next morning: until the
//! day's result file is there, nobody knows what became of any.
//!
//! 顧客番号 carries the bank reference, so a record leads back to its movement. A file that cannot be read to its last record
//! is no file: half of one would say of the other half that it did not happen.

use super::{AccountNumber, Answering, BankConnector, BankOrder, ConnectorError, HttpConnector, Rhythm};
use crate::domain::account::AccountKind;
use crate::domain::movement::{Code, Kind, Outcome};
use crate::domain::{BankCode, MovementId};
use crate::options::FileOptions;
use domain::{Day, Id};
use ledger::Yen;
use std::sync::{Arc, Mutex, PoisonError};
use web::Secret;
use zengin_fmt::account_transfer::{Detail, End, File, Header, Trailer};
use zengin_fmt::{CodeDivision, OutputFormat};

/// 種別コード of 預金口座振替.
const KIND: u8 = 91;
/// What stands for a name that the file's letters cannot write: the bank goes by the number.
const NO_NAME: &str = "-";

/// Takes a bank's debits of a day together, in one file.
pub struct ZenginConnector {
    online: Arc<HttpConnector>,
    bank: BankCode,
    options: FileOptions,
    /// The result file that was read last. What it says of its day is final, so one reading answers every inquiry about that day.
    read: Mutex<Option<(Day, Arc<[ResultLine]>)>>,
}

impl ZenginConnector {
    /// To `bank`, to which files go through `online`; none where they cannot be written with these options.
    pub fn new(online: Arc<HttpConnector>, bank: BankCode, options: FileOptions) -> Option<Self> {
        can_write(&options, bank).then(|| Self { online, bank, options, read: Mutex::default() })
    }
}

impl ZenginConnector {
    /// The results of `day`, fetched anew.
    async fn fetch(&self, day: Day) -> Result<Option<Arc<[ResultLine]>>, ConnectorError> {
        let lines: Option<Arc<[ResultLine]>> = self.online.result_file(day).await?.map(Into::into);
        if let Some(lines) = &lines {
            *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((day, Arc::clone(lines)));
        }
        Ok(lines)
    }

    /// The results of `day`, as they were read before or are now.
    async fn results_once(&self, day: Day) -> Result<Option<Arc<[ResultLine]>>, ConnectorError> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match read.filter(|(read, _)| *read == day) {
            Some((_, lines)) => Ok(Some(lines)),
            None => self.fetch(day).await,
        }
    }

    fn can_be_written(&self, day: Day, order: &BankOrder) -> bool {
        let can_be = request_file(&self.options, self.bank, day, std::slice::from_ref(order)).is_some();
        if !can_be {
            let (bank, movement) = (self.bank, order.movement);
            tracing::error!(%bank, %movement, "a debit cannot be written into the day's file, and is left out");
        }
        can_be
    }
}

impl BankConnector for ZenginConnector {
    fn rhythm(&self) -> Rhythm {
        Rhythm::Daily { cut_off_minute: self.options.cut_off_minute }
    }

    fn send<'a>(&'a self, day: Day, orders: &'a [BankOrder]) -> Answering<'a, Result<Vec<Outcome>, ConnectorError>> {
        Box::pin(async move {
            // Whose record cannot be written keeps no other from the bank. What is left out is in no result of the day, and so
            // ends as what the bank does not know.
            let writable: Vec<BankOrder> =
                orders.iter().filter(|order| self.can_be_written(day, order)).cloned().collect();
            if !writable.is_empty() {
                let file = request_file(&self.options, self.bank, day, &writable).ok_or(ConnectorError::Unwritable)?;
                self.online.hand_in(file.into()).await?;
            }
            // The bank has the file, and says what became of each debit with the day's results.
            Ok(vec![Outcome::Unknown; orders.len()])
        })
    }

    fn inquire(&self, movement: MovementId, sent: Day) -> Answering<'_, Outcome> {
        Box::pin(async move {
            let Ok(Some(lines)) = self.results_once(sent).await else { return Outcome::Unknown };
            let line = lines.iter().find(|line| line.movement == Some(movement));
            // A file that is there is the bank's last word on its day.
            line.map_or(Outcome::NotFound { last: true }, |line| line.outcome)
        })
    }

    fn results(&self, day: Day) -> Answering<'_, Result<Option<Vec<ResultLine>>, ConnectorError>> {
        Box::pin(async move { Ok(self.fetch(day).await?.map(|lines| lines.to_vec())) })
    }
}

/// One record of a result file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultLine {
    /// Which movement, if it is one of ours.
    pub movement: Option<MovementId>,
    /// How much the record is about.
    pub amount: Yen,
    /// What became of it.
    pub outcome: Outcome,
}

/// The bytes of a request file for `day`; none without a debit, or where something in it cannot be written.
pub fn request_file(options: &FileOptions, bank: BankCode, day: Day, orders: &[BankOrder]) -> Option<Vec<u8>> {
    let date = day.date();
    let details: Vec<Detail> = orders.iter().map(|order| detail(options, bank, order)).collect();
    let total_amount = details.iter().map(|detail| detail.amount).sum();
    let header = Header {
        kind_code: KIND,
        code_division: CodeDivision::Jis,
        collector_code: options.collector_code.clone(),
        collector_name: options.collector_name.clone(),
        collection_date: format!("{:02}{:02}", date.month(), date.day()),
        bank_code: bank.to_string(),
        bank_name: options.bank_name.clone(),
        branch_code: options.branch.clone(),
        branch_name: String::new(),
        account_type: 1,
        account_number: options.number.clone(),
    };
    let trailer = Trailer { record_count: u32::try_from(details.len()).ok()?, total_amount };
    let file = File { header, details, trailer, end: End };
    written(&file).or_else(|| {
        // A name that cannot be written must not keep all the others from the bank.
        let nameless = |detail: &Detail| Detail { payer_name: NO_NAME.into(), ..detail.clone() };
        written(&File { details: file.details.iter().map(nameless).collect(), ..file })
    })
}

/// Whether a file with these options can be written at all: each of them must fit its field.
fn can_write(options: &FileOptions, bank: BankCode) -> bool {
    let account = AccountNumber { branch: "000".into(), kind: AccountKind::Ordinary, number: "0000000".into() };
    let movement = MovementId::of_hash(Id([0; 16]));
    let order = BankOrder {
        kind: Kind::Debit,
        movement,
        account,
        name_kana: Secret::new(NO_NAME.into()),
        amount: Yen::new(1),
        descriptor: String::new(),
        may_overdraw: false,
    };
    let is_number = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(&options.collector_code, 10)
        && is_number(&options.branch, 3)
        && is_number(&options.number, 7)
        && request_file(options, bank, Day::from_number(0), &[order]).is_some()
}

fn written(file: &File) -> Option<Vec<u8>> {
    match zengin_fmt::to_bytes(file, OutputFormat::canonical()) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            // The error names the field, never its value.
            tracing::warn!(kind = error_kind(&error), "a request file cannot be written");
            None
        }
    }
}

const fn error_kind(error: &zengin_fmt::Error) -> &'static str {
    match error {
        zengin_fmt::Error::InvalidField { field, .. } => field,
        _ => "the file as a whole",
    }
}

fn detail(options: &FileOptions, bank: BankCode, order: &BankOrder) -> Detail {
    Detail {
        bank_code: bank.to_string(),
        bank_name: options.bank_name.clone(),
        branch_code: order.account.branch.clone(),
        branch_name: String::new(),
        account_type: match order.account.kind {
            AccountKind::Ordinary => 1,
            AccountKind::Current => 2,
        },
        account_number: order.account.number.clone(),
        payer_name: order.name_kana.expose().clone(),
        amount: order.amount.amount().unsigned_abs(),
        new_code: "0".into(),
        customer_number: order.movement.bank_reference(),
    }
}

/// Bytes of a record.
const RECORD_BYTES: usize = 120;

/// Whether this is a result file without records, of this bank and day: nothing was debited. The reader takes files with
/// records alone, so header, trailer and end are looked at here.
fn says_nothing(bytes: &[u8], bank: BankCode, day: Day) -> bool {
    let records: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0x1a)).collect();
    let date = day.date();
    let place = format!("{:02}{:02}{bank}", date.month(), date.day());
    let (Some(header), Some(trailer), Some(end)) = (
        records.get(..RECORD_BYTES),
        records.get(RECORD_BYTES..2 * RECORD_BYTES),
        records.get(2 * RECORD_BYTES..3 * RECORD_BYTES),
    ) else {
        return false;
    };
    records.len() == 3 * RECORD_BYTES
        && header.starts_with(format!("1{KIND}").as_bytes())
        && header.get(54..62) == Some(place.as_bytes())
        && trailer.starts_with(format!("8{:054}", 0).as_bytes())
        && end.starts_with(b"9")
}

/// What a result file says, record by record; none for what is no such file, or one of another bank or date.
pub fn result_lines(bytes: &[u8], bank: BankCode, day: Day) -> Option<Vec<ResultLine>> {
    if says_nothing(bytes, bank, day) {
        return Some(Vec::new());
    }
    let file = zengin_fmt::parse_account_transfer_result(bytes).ok()?;
    let date = day.date();
    let is_its = file.header.kind_code == KIND
        && file.header.collection_date == format!("{:02}{:02}", date.month(), date.day())
        && file.header.bank_code == bank.to_string();
    if !is_its {
        return None;
    }
    let line = |detail: &zengin_fmt::account_transfer_result::Detail| {
        let amount = i64::try_from(detail.amount).ok().and_then(Yen::checked)?;
        let outcome = match detail.result_code {
            0 => Outcome::Settled { amount },
            code => Code::from_result(u64::from(code)).map_or(Outcome::Unknown, |code| Outcome::Declined { code }),
        };
        Some(ResultLine { movement: MovementId::of_bank_reference(&detail.customer_number), amount, outcome })
    };
    file.details.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_records_says_that_nothing_was_debited_and_only_of_its_bank_and_day() {
        let bank: BankCode = "0125".parse().expect("a code");
        let day = Day::from_number(18_506);
        let date = day.date();
        let header = format!("19100000000001{:<40}{:02}{:02}0125", "ｺｳｻﾞ".len(), date.month(), date.day());
        let file = format!("{header:<120}{:<120}{:<120}", format!("8{:054}", 0), "9");
        let crlf = file.as_bytes().chunks(120).flat_map(|record| [record, b"\r\n"].concat()).collect::<Vec<_>>();
        for (bytes, expected) in [(file.as_bytes(), Some(0)), (&crlf, Some(0)), (&file.as_bytes()[..240], None)] {
            assert_eq!(result_lines(bytes, bank, day).map(|lines| lines.len()), expected);
        }
        assert!(result_lines(file.as_bytes(), bank, day.plus(1)).is_none());
        assert!(result_lines(file.as_bytes(), "0168".parse().expect("a code"), day).is_none());
        let claims_one = file.replace(&format!("8{:054}", 0), &format!("8000001{:048}", 0));
        assert!(result_lines(claims_one.as_bytes(), bank, day).is_none());
    }
}
