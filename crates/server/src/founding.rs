//! Founding: wallets and shops put into the books at once, without mails, passwords and banks, for load. No path leads here.

use crate::entrance::SYSTEM;
use crate::server::Server;
use crate::service::Service;
use crate::sessions::{PURPOSE, SESSION_API_MS, Session};
use ledger::Yen;
use std::sync::Arc;
use tokio::task::JoinSet;
use wallet::holder::{self, Sealed};
use wallet::{BonusId, CampaignId, Command, ContactId, HolderId, OPERATOR, ShopId, WalletId, bonus, shop};
use web::{Problem, Secret, chance};

/// Wallets that are made at once.
const AT_ONCE: usize = 256;

/// A wallet whose holder is logged in, on a device of their own.
pub struct FoundedWallet {
    /// The wallet.
    pub wallet: WalletId,
    /// The session's token.
    pub token: Secret<String>,
}

impl Server {
    /// Makes `count` wallets with `amount` of points in each.
    pub async fn found_wallets(&self, count: usize, amount: Yen) -> Result<Vec<FoundedWallet>, Problem> {
        let mut founded = Vec::with_capacity(count);
        while founded.len() < count {
            let mut made = JoinSet::new();
            for _ in 0..AT_ONCE.min(count - founded.len()) {
                let service = Arc::clone(self.service());
                made.spawn(async move { found_wallet(&service, amount).await });
            }
            let made = made.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
            self.service().doors.change(|doors| {
                for (_, session) in &made {
                    doors.put(session)?;
                    doors.put(&self.service().device_of(session))?;
                }
                Ok::<(), Problem>(())
            })?;
            let shown = |(token, session): (_, Session)| FoundedWallet { wallet: WalletId(session.holder.0), token };
            founded.extend(made.into_iter().map(shown));
        }
        Ok(founded)
    }

    /// Makes `count` shops.
    pub async fn found_shops(&self, count: usize) -> Result<Vec<ShopId>, Problem> {
        let mut shops = Vec::with_capacity(count);
        for _ in 0..count {
            let shop = ShopId(self.service().id());
            self.service().submit(SYSTEM, None, Command::Shop(shop::Command::Open { shop })).await?;
            shops.push(shop);
        }
        Ok(shops)
    }
}

async fn found_wallet(service: &Service, amount: Yen) -> Result<(Secret<String>, Session), Problem> {
    // A holder and the wallet share an id here: they are of different nouns.
    let id = service.id();
    let (holder, wallet, mail) = (HolderId(id), WalletId(id), ContactId(service.id()));
    let (bonus, campaign) = (BonusId(service.id()), CampaignId(OPERATOR));
    let commands = [
        Command::Holder(holder::Command::Open { holder, mail, mail_domain: None, profile: Sealed::default() }),
        Command::Holder(holder::Command::VerifyMail { holder, mail }),
        Command::Wallet(wallet::wallet::Command::Open { wallet, holder, origin: None }),
        Command::Bonus(bonus::Command::Give { bonus, campaign, wallet, amount }),
    ];
    for command in commands {
        service.submit(SYSTEM, None, command).await?;
    }
    let (token, opened) = (chance::token(service.outside.chance.as_ref()), service.now());
    let session = Session {
        token: service.keys.secret(PURPOSE, token.expose()),
        name: service.id(),
        holder,
        is_browser: false,
        device: None,
        opened,
        expires: opened.plus_milliseconds(SESSION_API_MS),
        seen: opened,
    };
    Ok((token, session))
}
