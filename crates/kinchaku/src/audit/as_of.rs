//! `kinchaku audit as-of`: a wallet as it was at a time, or after a record.

use super::{Data, Report, why};
use clap::Args;
use domain::{Key, Time};
use engine::Stored;
use engine::audit::{self, Until};
use engine::sqlite::SqliteJournal;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wallet::wallet::Wallet;
use wallet::{FrozenBy, Lot, Purse, Row, Source, WalletId, Wallets, table};

/// How `audit as-of` runs.
#[derive(Args)]
pub struct AsOf {
    /// A time (RFC 3339, like 2026-01-31T23:59:59+09:00), or a record's number; what happened then is included.
    #[arg(value_name = "TIME", value_parser = parse_until)]
    until: Until,
    /// The wallet: `wlt_` and 32 hexadecimal digits.
    #[arg(long, value_name = "ID")]
    wallet: WalletId,
    #[command(flatten)]
    data: Data,
}

impl AsOf {
    pub(super) const fn data(&self) -> &Data {
        &self.data
    }
}

fn parse_until(text: &str) -> Result<Until, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Until::Number).map_err(|_| "no journal has so many records".into());
    }
    let parsed = text.parse::<Timestamp>();
    let wrong = |_| "neither a record's number nor a time like 2026-01-31T23:59:59+09:00".into();
    parsed.map(|timestamp| Until::Time(Time::from(timestamp))).map_err(wrong)
}

/// Reads the wallet as it was.
pub(super) fn run(arguments: &AsOf) -> Result<Report, String> {
    let AsOf { until, wallet: id, data } = arguments;
    let stored =
        audit::as_of::<Wallets>(&data.data, Key::new(table::WALLET, id.0), *until).map_err(|error| why(&error))?;
    let moment = match until {
        Until::Time(time) => format!("at {time}"),
        Until::Number(n) => format!("after record {n}"),
    };
    let row = stored.as_ref().and_then(|stored| stored.row.as_deref());
    let (Some(stored), Some(Row::Wallet(wallet))) = (&stored, row) else {
        return Err(format!("there was no wallet {id} {moment}"));
    };
    let journal = SqliteJournal::open(&data.data).map_err(|error| why(&error))?;
    let changed = journal.get(stored.place.n).map_err(|error| why(&error))?.map(|record| record.at);
    Ok(Report {
        json: to_json(*id, stored, wallet, changed),
        lines: to_lines(*id, &moment, stored, wallet, changed),
        clean: true,
    })
}

const fn purse_name(purse: Purse) -> &'static str {
    match purse {
        Purse::Bonus => "bonus",
        Purse::Prepaid => "prepaid",
        Purse::Funds => "funds",
    }
}

const fn freezer(by: FrozenBy) -> &'static str {
    match by {
        FrozenBy::Holder => "holder",
        FrozenBy::Desk => "desk",
        FrozenBy::Debt => "debt",
    }
}

fn source(lot: &Lot) -> (&'static str, Option<String>) {
    match lot.source {
        Source::TopUp(account) => ("top_up", Some(account.to_string())),
        Source::Voucher => ("voucher", None),
        Source::Campaign(campaign) => ("campaign", Some(campaign.to_string())),
        Source::Send(from) => ("send", Some(from.to_string())),
    }
}

fn to_json(id: WalletId, stored: &Stored<Row>, wallet: &Wallet, changed: Option<Time>) -> Value {
    let lot = |lot: &Lot| {
        let (source, from) = source(lot);
        json!({
            "id": lot.id.to_string(),
            "source": source,
            "from": from,
            "received": lot.received.to_string(),
            "amount": lot.amount.amount(),
        })
    };
    let purses: Map<String, Value> = Purse::ALL
        .iter()
        .map(|purse| {
            let balance = wallet.purse(*purse);
            let shown = json!({
                "available": balance.account.available().amount(),
                "held": balance.account.debits_pending.amount(),
                "arriving": balance.account.credits_pending.amount(),
                "lots": balance.lots.iter().map(lot).collect::<Vec<_>>(),
            });
            (purse_name(*purse).to_owned(), shown)
        })
        .collect();
    let debts: Vec<Value> = wallet
        .debts
        .iter()
        .map(|debt| json!({ "lot": debt.lot.to_string(), "amount": debt.amount.amount() }))
        .collect();
    json!({
        "wallet": id.to_string(),
        "record": stored.place.n,
        "changed": changed.map(|at| at.to_string()),
        "version": stored.version,
        "holder": wallet.holder.to_string(),
        "status": wallet.status(),
        "frozen_by": wallet.frozen_by.iter().map(|by| freezer(*by)).collect::<Vec<_>>(),
        "tier": wallet.tier.name(),
        "available": wallet.available().amount(),
        "held": wallet.held().amount(),
        "arriving": wallet.arriving().amount(),
        "purses": purses,
        "debts": debts,
    })
}

fn to_lines(id: WalletId, moment: &str, stored: &Stored<Row>, wallet: &Wallet, changed: Option<Time>) -> Vec<String> {
    let changed = changed.map_or_else(String::new, |at| format!(" of {at}"));
    let mut lines = vec![
        format!("{id} {moment}"),
        format!("last changed by record {}{changed}, its version {}", stored.place.n, stored.version),
        format!("status {}, tier {}, holder {}", wallet.status(), wallet.tier.name(), wallet.holder),
    ];
    let frozen: Vec<_> = wallet.frozen_by.iter().map(|by| freezer(*by)).collect();
    if !frozen.is_empty() {
        lines.push(format!("frozen by {}", frozen.join(", ")));
    }
    let (available, held, arriving) = (wallet.available().amount(), wallet.held().amount(), wallet.arriving().amount());
    lines.push(format!("{available} yen available, {held} held, {arriving} arriving"));
    for purse in Purse::ALL {
        let balance = wallet.purse(purse);
        let account = &balance.account;
        let (available, held) = (account.available().amount(), account.debits_pending.amount());
        lines.push(format!("{:>8}: {available} yen available, {held} held", purse_name(purse)));
        for lot in &balance.lots {
            let (source, from) = source(lot);
            let from = from.map_or_else(String::new, |from| format!(" from {from}"));
            lines.push(format!(
                "{:>10}{} yen of {source} {}{from}, received {}",
                "",
                lot.amount.amount(),
                lot.id,
                lot.received
            ));
        }
    }
    lines.extend(wallet.debts.iter().map(|debt| format!("owes {} yen of lot {}", debt.amount.amount(), debt.lot)));
    lines
}
