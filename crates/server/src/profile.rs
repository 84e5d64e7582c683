//! What a holder says of themselves, and what was verified: parsed at the border, sealed before it goes further.

use serde::{Deserialize, Serialize};
use std::fmt;
use web::Problem;

/// The longest name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;
/// The earliest birth date that anybody living has.
const BIRTH_YEAR_MIN: i16 = 1900;

/// Name, reading and birth date.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// 姓.
    pub family_name: String,
    /// 名.
    pub given_name: String,
    /// セイ.
    pub family_kana: String,
    /// メイ.
    pub given_kana: String,
    /// As `1990-04-01`.
    pub birth_date: String,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(…)")
    }
}

impl Profile {
    /// The same, trimmed, if every part is what it should be at `today`.
    pub fn parse(self, today: jiff::civil::Date) -> Result<Self, Problem> {
        let name = |member: &'static str, text: &str| {
            let text = text.trim().to_owned();
            let length = text.chars().count();
            let is_name = (1..=NAME_CHARACTERS_MAX).contains(&length) && !text.chars().any(char::is_control);
            let problem = || Problem::malformed("A name has 1 to 64 characters.").with("member", member);
            if is_name { Ok(text) } else { Err(problem()) }
        };
        let kana = |member: &'static str, text: &str| {
            let text = name(member, text)?;
            let problem = || Problem::malformed("A reading is written in kana.").with("member", member);
            if text.chars().all(is_kana) { Ok(text) } else { Err(problem()) }
        };
        let date = self.birth_date.trim().parse::<jiff::civil::Date>();
        let born = date.ok().filter(|date| date.year() >= BIRTH_YEAR_MIN && *date < today);
        let wrong_date = || Problem::malformed("A birth date is written as 1990-04-01.").with("member", "birth_date");
        Ok(Self {
            family_name: name("family_name", &self.family_name)?,
            given_name: name("given_name", &self.given_name)?,
            family_kana: kana("family_kana", &self.family_kana)?,
            given_kana: kana("given_kana", &self.given_kana)?,
            birth_date: born.ok_or_else(wrong_date)?.to_string(),
        })
    }

    /// The whole reading, family name first.
    pub fn kana(&self) -> String {
        format!("{} {}", self.family_kana, self.given_kana)
    }

    /// The name as a stranger may see it: the first letter of each part.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        format!("{}＊ {}＊", first(&self.family_name), first(&self.given_name))
    }
}

/// Katakana, hiragana, half-width katakana, and what stands between parts of a name.
fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fe}' | '\u{ff66}'..='\u{ff9f}' | ' ' | '\u{3000}' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: &str, kana: &str, birth_date: &str, expected: Option<&str>) {
        let profile = Profile {
            family_name: family.into(),
            given_name: "花".into(),
            family_kana: kana.into(),
            given_kana: "ハナ".into(),
            birth_date: birth_date.into(),
        };
        let parsed = profile.parse(jiff::civil::date(2026, 1, 1)).ok();
        assert_eq!(parsed.map(|parsed| parsed.masked()).as_deref(), expected, "{family} {kana} {birth_date}");
    }

    #[test]
    fn a_profile_is_whole_or_refused() {
        check(" 青木 ", "アオキ", "1990-04-01", Some("青＊ 花＊"));
        check("青木", "ｱｵｷ", "1990-04-01", Some("青＊ 花＊"));
        check("", "アオキ", "1990-04-01", None);
        check("青木", "Aoki", "1990-04-01", None);
        check("青木", "アオキ", "1990-02-30", None);
        check("青木", "アオキ", "2026-01-01", None);
        check("青木", "アオキ", "1899-12-31", None);
        check("青\u{7}木", "アオキ", "1990-04-01", None);
        check(&"青".repeat(65), "アオキ", "1990-04-01", None);
    }
}
