//! The crate `cala-ledger` as its own tests use it: transactions of two entries between accounts drawn in turn, sixteen tasks,
//! a pool with a connection for each. Prints one JSON object.
//!
//!     cala DATABASE_URL SECONDS
//!
//! The database must be empty. Every transaction that was answered stands in the balances afterwards, or the run fails.

use cala_ledger::account::NewAccount;
use cala_ledger::job::{JobSvcConfig, Jobs};
use cala_ledger::journal::NewJournal;
use cala_ledger::tx_template::{
    NewParamDefinition, NewTxTemplate, NewTxTemplateEntry, NewTxTemplateTransaction, ParamDataType, Params,
};
use cala_ledger::{AccountId, CalaLedger, CalaLedgerConfig, JournalId, TransactionId};
use rust_decimal::Decimal;
use std::time::{Duration, Instant};

const TASKS: usize = 16;
const ACCOUNTS: usize = 10_000;
const TEMPLATE: &str = "transfer";

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A transfer of one yen: a debit of the sender, a credit of the recipient.
fn template() -> Result<NewTxTemplate, Failed> {
    let param = |name: &str, kind| NewParamDefinition::builder().name(name).r#type(kind).build();
    let entry = |kind: &str, account: &str, direction: &str| {
        NewTxTemplateEntry::builder()
            .entry_type(kind)
            .account_id(account)
            .layer("SETTLED")
            .direction(direction)
            .units("decimal('1')")
            .currency("'JPY'")
            .build()
    };
    let transaction = NewTxTemplateTransaction::builder().effective("params.effective").journal_id("params.journal_id");
    let effective = NewParamDefinition::builder().name("effective").r#type(ParamDataType::Date).default_expr("date()");
    Ok(NewTxTemplate::builder()
        .id(uuid::Uuid::now_v7())
        .code(TEMPLATE)
        .params(vec![
            param("sender", ParamDataType::Uuid)?,
            param("recipient", ParamDataType::Uuid)?,
            param("journal_id", ParamDataType::Uuid)?,
            effective.build()?,
        ])
        .transaction(transaction.build()?)
        .entries(vec![
            entry("'TRANSFER_DR'", "params.sender", "DEBIT")?,
            entry("'TRANSFER_CR'", "params.recipient", "CREDIT")?,
        ])
        .build())
}

/// One task's transfers until `end`: how long each took. No two tasks meet at an account.
async fn transfer(
    cala: CalaLedger,
    journal: JournalId,
    accounts: Vec<AccountId>,
    end: Instant,
) -> Result<Vec<Duration>, Failed> {
    let mut took = Vec::new();
    for pair in accounts.iter().zip(accounts.iter().cycle().skip(1)).cycle() {
        let begun = Instant::now();
        if begun >= end {
            break;
        }
        let mut params = Params::new();
        params.insert("journal_id", journal);
        params.insert("sender", *pair.0);
        params.insert("recipient", *pair.1);
        cala.post_transaction(TransactionId::new(), TEMPLATE, params).await.map_err(|error| format!("{error:?}"))?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, seconds] = arguments.as_slice() else { return Err("usage: cala DATABASE_URL SECONDS".into()) };
    let seconds: u64 = seconds.parse()?;
    let connections = u32::try_from(TASKS)? + 4;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(connections).connect(url).await?;
    let config = CalaLedgerConfig::builder().pool(pool.clone()).exec_migrations(true).build().map_err(debug)?;
    let mut jobs = Jobs::init(JobSvcConfig::builder().pool(pool).build().map_err(debug)?).await.map_err(debug)?;
    let cala = CalaLedger::init(config, &mut jobs).await.map_err(debug)?;
    let journal = NewJournal::builder().id(JournalId::new()).name("bench").build();
    let journal = cala.journals().create(journal).await.map_err(debug)?.id();
    let mut accounts: Vec<AccountId> = Vec::new();
    for nth in 0..ACCOUNTS {
        let (id, name) = (uuid::Uuid::now_v7(), format!("account {nth}"));
        let account = NewAccount::builder().id(id).name(name.clone()).code(name).build();
        accounts.push(cala.accounts().create(account).await.map_err(debug)?.id());
    }
    cala.tx_templates().create(template()?).await.map_err(debug)?;

    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let own = |task: usize| accounts.iter().copied().skip(task).step_by(TASKS).collect();
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(transfer(cala.clone(), journal, own(task), end))).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    let elapsed = begun.elapsed();
    took.sort_unstable();

    let moved = |direction| balances(&cala, journal, &accounts, direction);
    let (debited, credited) = (moved(Side::Debit).await?, moved(Side::Credit).await?);
    let expected = Decimal::from(took.len());
    if (debited, credited) != (expected, expected) {
        return Err(format!("{} were answered, {debited} stand as debits and {credited} as credits", took.len()).into());
    }
    let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
    println!(
        "{{\"tasks\":{TASKS},\"accounts\":{ACCOUNTS},\"transactions_per_second\":{:.0},\"p99_ms\":{:.1},\"acknowledged\":{}}}",
        took.len() as f64 / elapsed.as_secs_f64(),
        p99.as_secs_f64() * 1_000.0,
        took.len()
    );
    Ok(())
}

/// A side of an account.
#[derive(Clone, Copy)]
enum Side {
    Debit,
    Credit,
}

/// What all accounts together were debited or credited.
async fn balances(cala: &CalaLedger, journal: JournalId, accounts: &[AccountId], side: Side) -> Result<Decimal, Failed> {
    let currency = "JPY".parse().map_err(debug)?;
    let ids: Vec<_> = accounts.iter().map(|account| (journal, *account, currency)).collect();
    let mut sum = Decimal::ZERO;
    for ids in ids.chunks(500) {
        for balance in cala.balances().find_all(ids).await.map_err(debug)?.values() {
            let settled = &balance.details.settled;
            sum += match side {
                Side::Debit => settled.dr_balance,
                Side::Credit => settled.cr_balance,
            };
        }
    }
    Ok(sum)
}

fn debug(error: impl std::fmt::Debug) -> Failed {
    format!("{error:?}").into()
}
