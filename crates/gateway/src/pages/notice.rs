//! Notices: what the true holder of an account is told, through the bank, on every contact that the bank has.
//!
//! | when | how |
//! |---|---|
//! | a wallet is linked | before the grant, within the request: who cannot be told is not linked |
//! | somebody knew a first factor | at once, in the background, with retries, so many a day an account; while the second step is under way, after five seconds at the latest: if that ends in a link before, the one notice says both |
//! | somebody tried and knew nothing | one a day an account, so many a bank and hour: a spray must not become a bomb |
//!
//! Each notice carries a code. Typed on the page "not me" it revokes; it is no link, because people are told not to follow
//! links. What waits for its time is in `notice_queue`; what is owed for a first factor that somebody knew stands in the books
//! as well, and is [restored](restore) by a restart. Plain failures are remembered by this process alone.

use crate::connector::{self, AccountNumber};
use crate::domain::account::{self, NoticeKind};
use crate::domain::notice as rules;
use crate::domain::{BankCode, Command, MandateId, NoticeId, OperatorId, Refusal, Row, table};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Link, actor};
use domain::{Key, Time};
use engine::EngineError;
use std::fmt;
use web::{Secret, chance};

/// Digits of a code, in groups of four.
pub const CODE_DIGITS: u32 = 16;
/// What a notice is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub mandate: MandateId,
    operator: OperatorId,
    pub bank: BankCode,
    pub account: AccountNumber,
    kind: NoticeKind,
    /// Both factors were known, and nobody was told of the first one by itself.
    pub by_second_step: bool,
    /// What stands in the books until it is told.
    pub owed: Option<NoticeId>,
}

impl About {
    /// Somebody tried the account of an earlier notice, and did not know what only its holder has.
    pub(super) fn failures(of: &account::NotMe, account: AccountNumber) -> Self {
        let account::NotMe { mandate, operator, bank, .. } = *of;
        Self { mandate, operator, bank, account, kind: NoticeKind::Failures, by_second_step: false, owed: None }
    }

    /// The same of a first factor that somebody knew.
    #[cfg(test)]
    pub(super) fn into_owed(self, notice: NoticeId) -> Self {
        Self { kind: NoticeKind::FirstFactor, owed: Some(notice), ..self }
    }

    /// The same behind another operator's link.
    #[cfg(test)]
    pub(super) fn by_operator(self, operator: OperatorId) -> Self {
        Self { operator, ..self }
    }

    /// Behind whose link it is.
    pub(super) const fn operator(&self) -> OperatorId {
        self.operator
    }

    /// Nobody knew anything: it is told once a day, if there is time.
    pub(super) fn is_plain(&self) -> bool {
        self.kind == NoticeKind::Failures
    }

    pub(super) fn of(link: &Link, account: AccountNumber, kind: NoticeKind) -> Self {
        let (mandate, operator, bank) = (link.mandate, link.operator, link.asked.bank);
        Self { mandate, operator, bank, account, kind, by_second_step: false, owed: None }
    }

    /// Somebody who was sent to a bank's own page for `mandate` knew the first factor of `account`.
    pub(super) fn first_factor(
        mandate: MandateId,
        operator: OperatorId,
        bank: BankCode,
        account: AccountNumber,
    ) -> Self {
        Self { mandate, operator, bank, account, kind: NoticeKind::FirstFactor, by_second_step: false, owed: None }
    }
}

/// Why somebody was not told.
#[derive(Debug)]
pub(super) enum NotTold {
    /// There was one today already.
    Already,
    /// The bank did not take it.
    Bank(connector::ConnectorError),
    /// We could not make it durable.
    Ours(String),
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Already => f.write_str("told already today"),
            Self::Bank(error) => error.fmt(f),
            Self::Ours(what) => f.write_str(what),
        }
    }
}

/// An account's true holder is owed `about`: somebody knew a first factor. It goes into the books beside the answer: one that
/// waited for it would take longer than the answer to a wrong first factor, and so tell which it was.
pub(super) fn owe(gateway: &Gateway, mut about: About) -> About {
    about.owed = Some(NoticeId(gateway.new_id()));
    let (gateway, owed) = (gateway.clone(), about.clone());
    drop(tokio::spawn(async move { note(&gateway, &owed).await }));
    about
}

/// Has `about` in the books, once, if it is to be there at all; no if its account's holder was told often enough today.
async fn note(gateway: &Gateway, about: &About) -> bool {
    let _sealed = gateway.forgetting().hold().await;
    let (Some(notice), Ok(details)) = (about.owed, gateway.details(about.bank, &about.account, "")) else {
        return true;
    };
    let owe = rules::Command::Owe {
        notice,
        account: gateway.account_id(about.bank, &about.account),
        details,
        kind: about.kind,
        mandate: about.mandate,
        operator: about.operator,
    };
    match gateway.submit(Command::Notice(owe), actor(about.operator), None).await {
        Ok(_) => true,
        Err(NotDone::Refused(Refusal::AlreadyTold)) => false,
        Err(error) => {
            tracing::error!(?error, bank = %about.bank, "a notice is remembered by this process alone");
            true
        }
    }
}

/// The bank has sent `about`, or another notice that says it too: nothing is owed any more. It may have been faster than the
/// books, so what is paid is put there first.
pub(super) async fn told(gateway: &Gateway, about: &About) {
    let Some(notice) = about.owed else { return };
    note(gateway, about).await;
    let command = Command::Notice(rules::Command::Tell { notice });
    if let Err(error) = gateway.submit(command, gateway.system(), None).await {
        tracing::warn!(?error, bank = %about.bank, "a notice may be told again after a restart");
    }
}

/// Whether what `about` owes needs no telling any more: somebody of the desk has said why its holder will not be told.
pub(super) async fn is_settled(gateway: &Gateway, about: &About) -> bool {
    let Some(notice) = about.owed else { return false };
    let row = gateway.row(Key::new(table::NOTICE, notice.0)).await;
    // What is not in the books yet is owed, and so is what cannot be read now.
    matches!(row.ok().flatten().as_deref(), Some(Row::Notice(row)) if row.told.is_some())
}

/// Puts back into the queue what was owed when the process before this one ended.
pub(crate) async fn restore(gateway: &Gateway, id: NoticeId, now: Time) -> Result<(), EngineError> {
    let row = gateway.row(Key::new(table::NOTICE, id.0)).await?;
    let Some(Row::Notice(row)) = row.as_deref() else { return Ok(()) };
    let Some(known) = gateway.account(row.account).await? else { return Ok(()) };
    let Ok((account, _)) = gateway.unseal(row.account, &known.details) else {
        tracing::error!(bank = %row.bank, "an account's number cannot be read: its holder is not told");
        return Ok(());
    };
    let rules::Notice { bank, kind, mandate, operator, .. } = *row;
    let about = About { mandate, operator, bank, account, kind, by_second_step: false, owed: Some(id) };
    gateway.pages().notices.push(about, now);
    Ok(())
}

/// Makes a code, keeps its hash, and has the bank send both: how many contacts it reached.
pub(super) async fn tell(gateway: &Gateway, about: &About, name_kana: &str) -> Result<u32, NotTold> {
    let ours = |what: &dyn fmt::Display| NotTold::Ours(what.to_string());
    if !note(gateway, about).await {
        return Err(NotTold::Already);
    }
    let id = gateway.account_id(about.bank, &about.account);
    let sealed = gateway.forgetting().hold().await;
    let details = gateway.details(about.bank, &about.account, name_kana).map_err(|error| ours(&error))?;
    let masked = details.masked.clone();
    let code = chance::code(gateway.outside().chance.as_ref(), CODE_DIGITS);
    let now = gateway.outside().now();
    let command = account::Command::Notice {
        account: id,
        details,
        kind: about.kind,
        mandate: about.mandate,
        operator: about.operator,
        account_ref: gateway.account_ref(about.operator, id),
        code: gateway.not_me_id(code.expose()),
        // The moment in which this is decided may be a day later than this one.
        forgotten: now.plus_milliseconds(gateway.options().policy.not_me_ms).day().plus(2),
    };
    match gateway.submit(Command::Account(command), actor(about.operator), None).await {
        Ok(_) => {}
        Err(NotDone::Refused(Refusal::AlreadyTold)) => return Err(NotTold::Already),
        Err(NotDone::Refused(refusal)) => return Err(NotTold::Ours(format!("{refusal:?}"))),
        Err(NotDone::Engine(error)) => return Err(ours(&error)),
    }
    drop(sealed);
    let (text_ja, text_en) = texts(gateway, about, &masked);
    let notice = connector::Notice {
        // A bank that is asked again for what it may have sent already knows it by this.
        id: about.owed.map_or_else(|| gateway.new_id(), |owed| owed.0).to_string(),
        account: about.account.clone(),
        text_ja,
        text_en,
        code: Some(grouped(&code)),
    };
    let online = gateway.online(about.bank).ok_or_else(|| ours(&"no such bank"))?;
    online.notify(&notice).await.map_err(NotTold::Bank)
}

/// A code as people read and type it: `1234-5678-9012-3456`.
fn grouped(code: &Secret<String>) -> Secret<String> {
    let groups: Vec<&str> = code.expose().as_bytes().chunks(4).filter_map(|group| str::from_utf8(group).ok()).collect();
    Secret::new(groups.join("-"))
}

/// The words, in Japanese and English. No link: the page is reached through the bank's own site.
fn texts(gateway: &Gateway, about: &About, masked: &str) -> (String, String) {
    let client = gateway.oauth().clients.of(about.operator);
    let name = client.map(|client| client.settings.name.clone());
    let (ja, en) = name.map_or_else(Default::default, |name| (name.ja, name.en));
    let (what_ja, what_en) = match about.kind {
        NoticeKind::Linked if about.by_second_step => (
            format!(
                "{ja}のウォレットに、あなたの口座({masked})からの引き落としが登録されます。暗証番号などと、2つ目の認証の両方が合っていました。"
            ),
            format!(
                "A wallet at {en} is about to be linked to your account ({masked}). Both your PIN or another secret and the second step were right."
            ),
        ),
        NoticeKind::Linked => (
            format!("{ja}のウォレットに、あなたの口座({masked})からの引き落としが登録されます。"),
            format!("A wallet at {en} is about to be linked to your account ({masked})."),
        ),
        NoticeKind::FirstFactor => (
            format!(
                "{ja}のウォレットに、あなたの口座({masked})を登録しようとした人がいて、暗証番号などの一部が合っていました。"
            ),
            format!(
                "Somebody who tried to link your account ({masked}) to a wallet at {en} knew your PIN or another secret."
            ),
        ),
        NoticeKind::Failures => (
            format!("{ja}のウォレットに、あなたの口座({masked})を登録しようとして失敗した人がいます。"),
            format!("Somebody tried to link your account ({masked}) to a wallet at {en} and failed."),
        ),
    };
    let todo_ja = "心当たりがなければ、銀行のホームページから「口座振替受付・心当たりがない」の画面を開き、次のコードを入力してください。すぐに止まります。コードは誰にも教えないでください。";
    let todo_en = "If this was not you, go to your bank's site, open \"account transfers: it was not me\" and type this code: it stops at once. Tell the code to nobody.";
    (format!("{what_ja}{todo_ja}"), format!("{what_en} {todo_en}"))
}
