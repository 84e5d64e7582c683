//! Passwords: argon2id, off the runtime's threads, a bounded number at a time, in equal time for whoever is unknown. A network
//! has a share of those who may wait, so that a flood from one keeps nobody else out.
//!
//! Start reading at [`Passwords::verify`].

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use wallet::Fingerprint;
use web::Secret;

/// Passwords that are hashed at once: each takes a core and 19 MiB for a while.
pub const PASSWORDS_AT_ONCE_MAX: usize = 2;
/// Callers who may wait for their turn; one more is sent away as busy.
pub const PASSWORDS_WAITING_MAX: usize = 64;
/// Callers of one network, /24 or /64, who may wait or be at it.
pub const PASSWORDS_OF_NETWORK_MAX: usize = 4;
/// The shortest password, in characters (NIST SP 800-63B-4 asks for 15 where it is the only factor, 8 beside another).
pub const PASSWORD_CHARACTERS_MIN: usize = 8;
/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 256;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What hashing a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        // OWASP's first choice for argon2id with one lane.
        Self { memory_kib: 19 * 1_024, passes: 2 }
    }
}

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(…)")
    }
}

/// Too many passwords are being looked at: try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// Where passwords are hashed.
#[derive(Clone)]
pub struct Passwords {
    cost: Cost,
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
    /// How many callers of each network wait or are at it.
    places: Arc<Mutex<HashMap<Fingerprint, usize>>>,
}

/// A place of a network's share, until it is dropped.
struct Place {
    places: Arc<Mutex<HashMap<Fingerprint, usize>>>,
    network: Fingerprint,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let left = places.get(&self.network).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            places.remove(&self.network);
        } else {
            places.insert(self.network, left);
        }
    }
}

impl Passwords {
    /// Hashes at this cost from now on.
    pub fn new(cost: Cost) -> Self {
        Self {
            cost,
            waiting: Arc::new(Semaphore::new(PASSWORDS_WAITING_MAX)),
            working: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE_MAX)),
            places: Arc::default(),
        }
    }

    /// The form in which `password` is kept, asked for from `network`; `salt` comes from the source of chance.
    pub async fn hash(
        &self,
        network: Fingerprint,
        password: Secret<String>,
        salt: [u8; SALT_BYTES],
    ) -> Result<Hashed, Crowded> {
        let cost = self.cost;
        let hash = self.run(network, move || digest(password.expose(), &salt, cost)).await?;
        Ok(Hashed { cost, salt, hash })
    }

    /// Whether `password`, shown from `network`, is the one that was kept as `kept`. Without one the answer is no, after the
    /// same work.
    pub async fn verify(
        &self,
        network: Fingerprint,
        password: Secret<String>,
        kept: Option<Hashed>,
    ) -> Result<bool, Crowded> {
        let is_known = kept.is_some();
        let kept = kept.unwrap_or(Hashed { cost: self.cost, salt: [0; SALT_BYTES], hash: [0; HASH_BYTES] });
        let hash = self.run(network, move || digest(password.expose(), &kept.salt, kept.cost) == kept.hash).await?;
        Ok(hash && is_known)
    }

    async fn run<R: Send + 'static>(
        &self,
        network: Fingerprint,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Crowded> {
        let place = self.place(network)?;
        let _waiting = self.waiting.try_acquire().map_err(|_| Crowded)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| Crowded)?;
        // The permit goes along: a caller who hangs up does not let another one in before the work ends.
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((working, place));
            result
        });
        task.await.map_err(|_| Crowded)
    }

    fn place(&self, network: Fingerprint) -> Result<Place, Crowded> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = places.entry(network).or_default();
        if *taken >= PASSWORDS_OF_NETWORK_MAX {
            return Err(Crowded);
        }
        *taken += 1;
        Ok(Place { places: Arc::clone(&self.places), network })
    }
}

fn digest(password: &str, salt: &[u8], cost: Cost) -> [u8; HASH_BYTES] {
    let params =
        Params::new(cost.memory_kib, cost.passes, 1, Some(HASH_BYTES)).expect("costs are within argon2's bounds");
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .expect("salt and hash have lengths that argon2 takes");
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Fingerprint = Fingerprint(1);

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.into())
    }

    #[tokio::test]
    async fn only_the_password_itself_opens() {
        let passwords = Passwords::new(Cost { memory_kib: 64, passes: 1 });
        let kept = passwords.hash(HERE, secret("ひらけごま 2026"), [7; SALT_BYTES]).await.expect("there is room");
        assert_eq!(passwords.verify(HERE, secret("ひらけごま 2026"), Some(kept.clone())).await, Ok(true));
        assert_eq!(passwords.verify(HERE, secret("ひらけごま 2027"), Some(kept.clone())).await, Ok(false));
        assert_eq!(passwords.verify(HERE, secret("ひらけごま 2026"), None).await, Ok(false));
        assert!(passwords.places.lock().expect("nobody panicked").is_empty(), "every place is given back");
        assert_eq!(format!("{kept:?}"), "Hashed(…)");
    }

    #[tokio::test]
    async fn a_crowd_is_sent_away() {
        let passwords = Passwords::new(Cost { memory_kib: 64, passes: 1 });
        let _all = passwords.working.acquire_many(2).await.expect("nobody is here");
        let _waiting = passwords.waiting.acquire_many(64).await.expect("nobody is here");
        assert_eq!(passwords.verify(HERE, secret("a"), None).await, Err(Crowded));
    }

    #[tokio::test]
    async fn a_flood_from_one_network_leaves_room_for_everybody_else() {
        let passwords = Passwords::new(Cost { memory_kib: 64, passes: 1 });
        let all = passwords.working.acquire_many(2).await.expect("nobody is here");
        let wait = |network, count: usize| {
            let passwords = passwords.clone();
            let one = move |_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify(Fingerprint(network), secret("a"), None).await })
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        let flood = wait(9, 200);
        let mut crowded = 0;
        let mut waiting = Vec::new();
        for one in flood {
            // Whoever is sent away is sent away at once; the others wait until there is work for them.
            tokio::task::yield_now().await;
            if one.is_finished() {
                assert_eq!(one.await.expect("it ended"), Err(Crowded));
                crowded += 1;
            } else {
                waiting.push(one);
            }
        }
        assert_eq!((crowded, waiting.len()), (200 - PASSWORDS_OF_NETWORK_MAX, PASSWORDS_OF_NETWORK_MAX));
        let honest: Vec<_> = (10..20).flat_map(|network| wait(network, 1)).collect();
        drop(all);
        for one in honest.into_iter().chain(waiting) {
            assert_eq!(one.await.expect("it ended"), Ok(false));
        }
    }
}
