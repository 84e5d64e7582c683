//! Notices to an account's true holder: the bank sends them on every contact it has. The gateway learns how many.

use super::BankDesk;
use super::wire::WireAccount;
use crate::domain::message::{self, Channel, Message};
use crate::domain::{Command, Row, hashed};
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
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Json(asked): Json<Asked>,
) -> Result<Json<Notified>, Problem> {
    let account = asked.account.at(bank)?;
    let row = state.world.read(account.key()).await?;
    // An account that is not there has nobody to be told.
    let Some(customer) = row.as_deref().map(|row| &Row::account(row).customer) else {
        return Ok(Json(Notified { contacts_notified: 0 }));
    };
    let name = state.registry.bank(bank).name_full;
    let code = asked.code.map(|code| format!("\nコード / Code: {}", code.expose())).unwrap_or_default();
    let text = format!("{}\n{}{code}", asked.text.ja, asked.text.en);
    let contacts = [(Channel::Mail, customer.mail.clone()), (Channel::Sms, customer.phone.clone())];
    let message = |channel: Channel, to: String| Message {
        id: hashed(
            "notice",
            &[&bank.number().to_be_bytes(), asked.notice.as_bytes(), &account.key().id.0, channel.name().as_bytes()],
        ),
        from: name.to_owned(),
        channel,
        to,
        subject: (channel == Channel::Mail).then(|| format!("{name}からのお知らせ / A notice from your bank")),
        text: text.clone(),
        at: state.outside.now(),
    };
    let messages: Vec<Message> =
        contacts.into_iter().filter_map(|(channel, to)| to.map(|to| message(channel, to))).collect();
    let contacts_notified = messages.len();
    state.world.submit(Command::Message(message::Command::Receive(messages))).await?;
    Ok(Json(Notified { contacts_notified }))
}
