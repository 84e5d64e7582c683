//! Asks: commands on their way to the service, with who asks, and the key under which they are asked again.

use domain::{Id, Time};
use engine::{Actor, ActorKind, Believed, Place, Request, Submission};
use wallet::{Command, Wallets};

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub actor: Actor,
    /// Under which key.
    pub request: Request,
    /// When it was last sent, by the sender's clock.
    pub at: Time,
    /// What the service believed of the clock when it last took this.
    pub believed: Believed,
    /// The attempts whose answers were lost.
    pub lost: Vec<Lost>,
}

/// An attempt that got no answer, because the process died.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// When it was sent, by the sender's clock.
    pub at: Time,
    /// What the service believed of the clock then.
    pub believed: Believed,
    /// The lane's last record when the next process began: what this attempt did stands there or before.
    pub head: Place,
}

impl Ask {
    /// `command`, asked by somebody of `kind`, under the key and body of `request`.
    pub fn new(command: Command, kind: ActorKind, request: Request, at: Time) -> Self {
        Self {
            command,
            actor: Actor { kind, id: Id::default() },
            request,
            at,
            believed: Believed::ALL,
            lost: Vec::new(),
        }
    }

    /// What the engine is given.
    pub fn submission(&self) -> Submission<Wallets> {
        Submission {
            command: self.command.clone(),
            actor: self.actor,
            reason: None,
            request: Some(self.request),
            at: self.at,
        }
    }

    /// The command's fixed name.
    pub fn name(&self) -> &'static str {
        <Wallets as domain::Domain>::command_name(&self.command)
    }
}
