//! Tallies: how often something was done about one holder or one address, kept in the file, so that neither a restart nor
//! opening one challenge after another makes anybody's count begin anew.
//!
//! A tally's window begins with its first count. What is counted, and how much is too much, stands where it is counted: a
//! [`Bound`] for each. Start reading at [`Tallies`].

use crate::doors::{Door, DoorsError, Transaction};
use crate::keys::Keys;
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use web::Problem;

/// An hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * 60 * 1_000;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// So many in each window of so many milliseconds, for each subject.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// What is counted: a tally is known by it, so it never changes.
    pub name: &'static str,
    /// The most of it.
    pub count_max: u32,
    /// In how long, in milliseconds.
    pub window_ms: i64,
}

/// A count that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// What is counted, and about whom: a keyed hash.
    key: Id,
    /// When its window ends.
    ends: Time,
    /// How many there were in it.
    count: u32,
}

impl Door for Tally {
    const TABLE: &'static str = "tally";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.ends)
    }
}

/// The tallies inside of one transaction: what is counted is kept together with what it was counted for.
#[derive(Clone, Copy)]
pub struct Tallies<'a> {
    /// The transaction.
    pub doors: &'a Transaction<'a>,
    /// For the tallies' ids.
    pub keys: &'a Keys,
    /// The time now.
    pub now: Time,
}

/// What a site of IPv6 networks, /48, may do: as much as so many networks.
const NETWORKS_OF_SITE: u32 = 4;

impl Bound {
    /// The same of a whole site.
    #[must_use]
    pub const fn of_site(self) -> Self {
        Self { count_max: self.count_max.saturating_mul(NETWORKS_OF_SITE), ..self }
    }
}

impl Service {
    /// Counts one more of what `bounds` bound about `about` in the network that it comes from, /24 or /64, and in its site if that is
    /// IPv6; or says how long that network must wait, in milliseconds. From elsewhere it may be still.
    pub fn wait_ms_from(&self, bounds: &[Bound], about: Id, source: IpAddr) -> Result<Option<i64>, Problem> {
        let network = format!("{:016x}", self.keys.networks(source).0.0);
        let site = self.keys.site(source).map(|site| format!("site {:016x}", site.0));
        let of_site: Vec<Bound> = bounds.iter().map(|bound| bound.of_site()).collect();
        let counted = [(bounds, Some(network)), (&of_site, site)];
        let counted: Vec<_> =
            counted.into_iter().filter_map(|(bounds, what)| what.map(|what| (bounds, what))).collect();
        self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let mut wait_ms = None;
            for (bounds, what) in &counted {
                wait_ms = wait_ms.max(tallies.wait_ms(bounds, what, about)?);
            }
            for (bounds, what) in counted.iter().filter(|_| wait_ms.is_none()) {
                tallies.count(bounds, what, about)?;
            }
            Ok(wait_ms)
        })
    }
}

impl Tallies<'_> {
    /// How long `about` must wait, in milliseconds, if one of `bounds` is reached; `what` tells apart what has a count of
    /// its own.
    pub fn wait_ms(self, bounds: &[Bound], what: &str, about: Id) -> Result<Option<i64>, DoorsError> {
        let mut wait_ms = None;
        for bound in bounds {
            let tally = self.tally(*bound, what, about)?;
            if tally.count >= bound.count_max {
                wait_ms = wait_ms.max(Some(tally.ends.milliseconds_since(self.now)));
            }
        }
        Ok(wait_ms)
    }

    /// Counts one more.
    pub fn count(self, bounds: &[Bound], what: &str, about: Id) -> Result<(), DoorsError> {
        for bound in bounds {
            let mut tally = self.tally(*bound, what, about)?;
            tally.count = tally.count.saturating_add(1);
            self.doors.put(&tally)?;
        }
        Ok(())
    }

    /// The tally as it stands; a new one where none was begun, or where the last one's window is over.
    fn tally(self, bound: Bound, what: &str, about: Id) -> Result<Tally, DoorsError> {
        let key = self.keys.secret("tally", &format!("{} {what} {about}", bound.name));
        let kept = self.doors.get::<Tally>(key)?.filter(|tally| self.now < tally.ends);
        Ok(kept.unwrap_or(Tally { key, ends: self.now.plus_milliseconds(bound.window_ms), count: 0 }))
    }
}
