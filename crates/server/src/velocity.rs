//! Velocity: how much may be done from one device, one network and, of IPv6, one site of networks in a day. Many wallets share one, so no wallet's row can
//! count it: the tallies do, in the file, and a restart makes nothing begin anew.
//!
//! Whoever shows no device shares one with all others of the network who show none. The machine itself is no network.
//! Start reading at [`Service::count_velocity`].

use crate::entrance::Holder;
use crate::options::Velocity;
use crate::refusals;
use crate::service::Service;
use crate::tallies::{Bound, Tallies};
use domain::Id;
use std::net::{Ipv4Addr, Ipv6Addr};
use wallet::Fingerprint;
use web::Problem;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A wallet is opened.
    OpenWallet,
    /// A link is asked for.
    AskLink,
}

/// A count's bound, what tells apart whose it is, and whose count it is.
type Counted = (Bound, &'static str, Id);

impl Service {
    /// Counts `deed`, or refuses it where too much of it was asked for from the caller's device or network lately: in one
    /// transaction, so that many at once are no more than many one after the other.
    pub fn count_velocity(&self, deed: Deed, caller: &Holder) -> Result<(), Problem> {
        let counts = self.counts_of(deed, caller);
        let wait_ms = self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let mut wait_ms = None;
            for (bound, what, about) in &counts {
                wait_ms = wait_ms.max(tallies.wait_ms(&[*bound], what, *about)?);
            }
            for (bound, what, about) in counts.iter().filter(|_| wait_ms.is_none()) {
                tallies.count(&[*bound], what, *about)?;
            }
            Ok::<_, Problem>(wait_ms)
        })?;
        let Some(wait_ms) = wait_ms else { return Ok(()) };
        let too_many = refusals::new(
            429,
            "too-many-from-here",
            "Too much of this was done from this device or network.",
            "この端末またはネットワークからの操作が上限に達しました。",
        );
        Err(too_many.detail("Wait, or use your own device.").retry_after((wait_ms + 999) / 1_000))
    }

    fn counts_of(&self, deed: Deed, caller: &Holder) -> Vec<Counted> {
        let Velocity { window_ms, wallets_per_device_max, wallets_per_network_max, .. } = self.options.velocity;
        let Velocity { links_per_device_max, links_per_network_max, .. } = self.options.velocity;
        let (names, device_max, network_max) = match deed {
            Deed::OpenWallet => {
                (["wallets of a device", "wallets of a network"], wallets_per_device_max, wallets_per_network_max)
            }
            Deed::AskLink => (["links of a device", "links of a network"], links_per_device_max, links_per_network_max),
        };
        let network = caller.origin.network.filter(|network| !self.is_own_machine(*network));
        let about = |of: Fingerprint| Id::from_number(of.0.into());
        let device = caller.origin.device.or(network);
        let bound = |name, count_max| Bound { name, count_max, window_ms };
        let of_device = device.map(|device| (bound(names[0], device_max), "", about(device)));
        let of_network = network.map(|network| (bound(names[1], network_max), "", about(network)));
        let site = network.and(caller.site);
        let of_site = site.map(|site| (bound(names[1], network_max).of_site(), "site", about(site)));
        [of_device, of_network, of_site].into_iter().flatten().collect()
    }

    fn is_own_machine(&self, network: Fingerprint) -> bool {
        let own = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        own.into_iter().any(|address| self.keys.networks(address).0 == network)
    }
}
