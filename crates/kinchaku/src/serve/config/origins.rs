//! The addresses of a configured operator: what people, banks and vendors say to it and hear from it is encrypted on its way.
//!
//! Its own origins are HTTPS; whom it asks is, too, or is on this very machine. What operators register at the gateway is
//! checked there. Start reading at [`check`].

use super::Config;
use http::Uri;

/// How an address is called.
enum Safety {
    /// By HTTPS from anywhere: browsers and programs of others come to it.
    Public,
    /// By HTTPS, or in plain HTTP where that does not leave the machine.
    Asked,
}

/// Refuses the first address that is none, or that would be reached in plain HTTP.
pub fn check(config: &Config) -> Result<(), String> {
    let mut origins = Vec::new();
    if let Some(wallet) = &config.wallet {
        origins.push(("[wallet] origin".to_owned(), &wallet.origin, Safety::Public));
        origins.push(("[wallet] desk_origin".to_owned(), &wallet.desk_origin, Safety::Public));
        origins.push(("[wallet.gateway] origin".to_owned(), &wallet.gateway.origin, Safety::Asked));
        origins.push(("[wallet.gateway] issuer".to_owned(), &wallet.gateway.issuer, Safety::Asked));
        origins.push(("[wallet.messages] origin".to_owned(), &wallet.messages.origin, Safety::Asked));
        origins.push(("[wallet.identity] origin".to_owned(), &wallet.identity.origin, Safety::Asked));
    }
    if let Some(gateway) = &config.gateway {
        origins.push(("[gateway] origin".to_owned(), &gateway.origin, Safety::Public));
        for bank in &gateway.banks {
            origins.push((format!("the bank {}'s origin", bank.code), &bank.origin, Safety::Asked));
            let own_page = bank.own_page.as_ref();
            origins
                .extend(own_page.map(|issuer| (format!("the bank {}'s own_page", bank.code), issuer, Safety::Asked)));
        }
    }
    origins.into_iter().try_for_each(|(key, origin, safety)| check_one(&key, origin, safety))
}

fn check_one(key: &str, origin: &str, safety: Safety) -> Result<(), String> {
    let uri = origin.parse::<Uri>().ok().filter(|uri| is_origin(uri, origin));
    let Some(uri) = uri else {
        return Err(format!(
            "{key} = \"{origin}\" is no origin: scheme, host and at most a port, like \"https://wallet.example.jp\""
        ));
    };
    match (uri.scheme_str(), safety) {
        (Some("https"), Safety::Public | Safety::Asked) => Ok(()),
        (Some("http"), Safety::Asked) if uri.host().is_some_and(is_this_machine) => Ok(()),
        (_, Safety::Public) => Err(format!(
            "{key} = \"{origin}\" is not https: an operator's own addresses are https, and TLS ends at a proxy before this \
             process, see `listen` and `trusted_proxies` under [serve]"
        )),
        (_, Safety::Asked) => {
            Err(format!("{key} = \"{origin}\" is not https: plain http is for services on this machine alone"))
        }
    }
}

/// Nothing but scheme and authority: paths are put behind it as it stands.
fn is_origin(uri: &Uri, text: &str) -> bool {
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or_default();
    !authority.is_empty() && !authority.contains('@') && text == format!("{scheme}://{authority}")
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
}
