//! The message inbox: every mail and SMS that anybody in the sandbox sends ends here, in the clear, for everybody to read.
//!
//! There is no list of messages: an inbox's row is touched by each message that it gets, and the chain behind the row is
//! the list. Start reading at [`Message`].

use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use domain::{Id, Key, Time};
use serde::{Deserialize, Serialize};

/// The longest text of a message, in bytes.
pub const MESSAGE_TEXT_BYTES_MAX: usize = 8_192;
/// The longest address, sender or subject, in bytes.
pub const MESSAGE_LINE_BYTES_MAX: usize = 320;
/// Messages that one command may send: a notice on every contact.
pub const MESSAGES_MAX: usize = 4;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Mail,
    /// SMS.
    Sms,
    /// The bank's app.
    App,
    /// A webhook to a shop's server.
    Hook,
    /// A letter, by post.
    Letter,
}

impl Channel {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
            Self::App => "app",
            Self::Hook => "hook",
            Self::Letter => "letter",
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's id of it, hashed: the same one comes only once.
    pub id: Id,
    /// Who sent it.
    pub from: String,
    /// How it travels.
    pub channel: Channel,
    /// To which address or number.
    pub to: String,
    /// What it is about; mails only.
    pub subject: Option<String>,
    /// What it says.
    pub text: String,
    /// When it came.
    pub at: Time,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Takes messages in; those that came before are not taken again.
    Receive(Vec<Message>),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A message came.
    Received(Box<Message>),
}

/// The key of a message's row: it says that the message is there.
pub const fn message_key(id: Id) -> Key {
    Key::new(table::MESSAGE, id)
}

/// The key of the inbox of one address or number: `080-1234-5678` and `+818012345678` are one.
pub fn inbox_key(to: &str) -> Key {
    let is_number = to.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '-' | ' '));
    let digits: String = to.chars().filter(char::is_ascii_digit).collect();
    let to = match (is_number, digits.strip_prefix('0')) {
        (true, Some(domestic)) => format!("+81{domestic}"),
        (true, None) => format!("+{digits}"),
        (false, _) => to.trim().to_lowercase(),
    };
    Key::new(table::INBOX, super::hashed("inbox", &[to.as_bytes()]))
}

/// The key of the inbox that has everything.
pub const fn everything_key() -> Key {
    Key::new(table::INBOX, Id::from_number(0))
}

impl Command {
    pub(super) fn keys(&self, keys: &mut Vec<Key>) {
        let Self::Receive(messages) = self;
        keys.push(everything_key());
        keys.extend(messages.iter().flat_map(|message| [message_key(message.id), inbox_key(&message.to)]));
    }
}

impl Message {
    fn is_within_bounds(&self) -> bool {
        let lines = [Some(self.from.as_str()), Some(self.to.as_str()), self.subject.as_deref()];
        let line_ok = |line: &str| !line.is_empty() && line.len() <= MESSAGE_LINE_BYTES_MAX;
        lines.into_iter().flatten().all(line_ok) && self.text.len() <= MESSAGE_TEXT_BYTES_MAX
    }
}

pub(super) fn decide(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    let Command::Receive(messages) = command;
    if messages.len() > MESSAGES_MAX || !messages.iter().all(Message::is_within_bounds) {
        return Err(Refusal::MessageBeyondBound);
    }
    let fresh = messages.iter().filter(|message| rows.row(message_key(message.id)).is_none());
    let received = |message: &Message| Event::Received(Box::new(Message { at: now, ..message.clone() }));
    let events: Vec<_> = fresh.map(|message| WorldEvent::Message(received(message))).collect();
    Ok((events, Receipt::Done))
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    let Event::Received(message) = event;
    keys.extend([message_key(message.id), inbox_key(&message.to), everything_key()]);
}

pub(super) fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
    let Event::Received(message) = event;
    if key.table == table::MESSAGE {
        assert!(row.is_none(), "a message comes once");
        *row = Some(Row::Message { at: message.at });
        return;
    }
    let before = row.as_ref().map_or(0, Row::inbox);
    *row = Some(Row::Inbox { messages: before.saturating_add(1) });
}
