//! Notices to an account's true holder: the bank sends them on every contact it has. The gateway learns how many.

use super::BankDesk;
use super::wire::WireAccount;
use crate::domain::account::AccountNumber;
use crate::domain::message::{self, Channel, Message};
use crate::domain::{Command, Row, hashed};
use crate::world::Undone;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use web::{Json, Problem, Secret};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    notice: String,
    account: WireAccount,
    text: Text,
    #[serde(default)]
    code: Option<Secret<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    ja: String,
    en: String,
}

#[derive(Serialize)]
pub(super) struct Notified {
    contacts_notified: usize,
}

pub(super) async fn notify(
    Shared(desk): Shared<BankDesk>,
    Json(asked): Json<Asked>,
) -> Result<Json<Notified>, Problem> {
    let account = asked.account.at(desk.bank)?;
    let code = asked.code.map(|code| format!("\nコード / Code: {}", code.expose())).unwrap_or_default();
    let text = format!("{}\n{}{code}", asked.text.ja, asked.text.en);
    let contacts_notified = tell_holder(&desk, account, &asked.notice, &text).await?;
    Ok(Json(Notified { contacts_notified }))
}

/// Sends `text` to every contact that the bank has of the holder of `account`, each once a `notice`; how many those are.
pub(super) async fn tell_holder(
    BankDesk { state, bank }: &BankDesk,
    account: AccountNumber,
    notice: &str,
    text: &str,
) -> Result<usize, Undone> {
    let row = state.world.read(account.key()).await?;
    // An account that is not there has nobody to be told.
    let Some(customer) = row.as_deref().map(|row| &Row::account(row).customer) else { return Ok(0) };
    let name = state.registry.bank(*bank).name_full;
    let contacts = [(Channel::Mail, customer.mail.clone()), (Channel::Sms, customer.phone.clone())];
    let message = |channel: Channel, to: String| Message {
        id: hashed(
            "notice",
            &[&bank.number().to_be_bytes(), notice.as_bytes(), &account.key().id.0, channel.name().as_bytes()],
        ),
        from: name.to_owned(),
        channel,
        to,
        subject: (channel == Channel::Mail).then(|| format!("{name}からのお知らせ / A notice from your bank")),
        text: text.to_owned(),
        at: state.outside.now(),
    };
    let messages: Vec<Message> =
        contacts.into_iter().filter_map(|(channel, to)| to.map(|to| message(channel, to))).collect();
    let contacts_notified = messages.len();
    state.world.submit(Command::Message(message::Command::Receive(messages))).await?;
    Ok(contacts_notified)
}
