//! Cookies: one name, one value, this host only, never readable by a script.

use http::{HeaderMap, HeaderValue, header};

/// Whether the public origin is HTTPS. On plain-HTTP loopback a cookie cannot be `Secure`: curl and Safari would drop it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secure(pub bool);

/// The cookie's full name: with the `__Host-` prefix wherever browsers honour it (RFC 6265bis).
pub fn name(plain: &str, secure: Secure) -> String {
    if secure.0 { format!("__Host-{plain}") } else { plain.to_owned() }
}

/// The header that sets it; `age_seconds` of zero ends it. `value` must be of the characters of a token.
pub fn set(plain: &str, value: &str, age_seconds: i64, secure: Secure) -> HeaderValue {
    let attribute = if secure.0 { "; Secure" } else { "" };
    let cookie =
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_seconds}{attribute}", name(plain, secure));
    let mut header = HeaderValue::from_str(&cookie).expect("a cookie's value is made here, of visible characters");
    header.set_sensitive(true);
    header
}

/// The value that the browser sent, if it sent exactly one.
pub fn get<'a>(headers: &'a HeaderMap, plain: &str, secure: Secure) -> Option<&'a str> {
    let name = name(plain, secure);
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut values = sent
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(sent, _)| *sent == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
