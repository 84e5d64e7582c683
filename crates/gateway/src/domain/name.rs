//! Names: how well the bank's name of an account's holder is the verified name of the person who wants to link it.
//!
//! Banks write names in half-width kana of 30 bytes, without small letters, with a hyphen for the long mark (全銀協の文字種).
//! Both sides are brought to one key and compared. Only equality passes, and never without the birth date; what is merely
//! like it goes to a person. Nothing is guessed: kanji have no certain reading, and a missing voice mark is another name.

use serde::{Deserialize, Serialize};

/// Bytes of the bank's field: a name that fills it may be cut.
const BANK_FIELD_BYTES: usize = 30;

/// How well two names fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The same.
    Match,
    /// The same as far as the bank's field is long.
    MatchTruncated,
    /// Nearly: a person must look.
    Close,
    /// Another name.
    No,
    /// It cannot be told: a person must look.
    Undecidable,
}

impl Grade {
    /// The grade as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::MatchTruncated => "match_truncated",
            Self::Close => "close",
            Self::No => "no",
            Self::Undecidable => "undecidable",
        }
    }
}

/// Grades the bank's name of an account's holder against the verified name in kana.
pub fn grade(holder: &str, bank: &str) -> Grade {
    let (words, bank_words) = (words_of(holder), words_of(bank));
    let (key, bank_key) = (key_of(&words), key_of(&bank_words));
    if !is_decidable(&key) || !is_decidable(&bank_key) {
        return Grade::Undecidable;
    }
    if key == bank_key {
        return Grade::Match;
    }
    if is_cut(&key, bank, &bank_key) {
        return Grade::MatchTruncated;
    }
    let bank_loose = loosened(&bank_key);
    // Only people have their names swapped: before and behind, a company word makes two companies.
    let is_person = !key.contains(['(', ')']);
    let swapped: Vec<String> = words.iter().rev().cloned().collect();
    if loosened(&key) == bank_loose || (is_person && loosened(&key_of(&swapped)) == bank_loose) {
        return Grade::Close;
    }
    Grade::No
}

/// The words of a name: wide kana, large letters, capital Latin, one sign for every dash.
fn words_of(name: &str) -> Vec<String> {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        let character = widened(character);
        match voice_of(character) {
            None => text.extend(plain(character)),
            Some(voice) => {
                let voiced = text.chars().last().and_then(|last| voiced(last, voice));
                if let Some(voiced) = voiced {
                    text.pop();
                    text.push(voiced);
                } else {
                    text.push(character);
                }
            }
        }
    }
    text.split_whitespace().map(str::to_owned).collect()
}

/// The key: company words as the bank abbreviates them, and no gaps.
fn key_of(words: &[String]) -> String {
    let mut key: String = words.concat().chars().filter(|character| !matches!(character, '・' | '.')).collect();
    for (long, short) in COMPANY_WORDS {
        if let Some(rest) = key.strip_prefix(long) {
            key = format!("{short}){rest}");
        } else if let Some(rest) = key.strip_suffix(long) {
            key = format!("{rest}({short}");
        } else if key.contains(long) {
            key = key.replace(long, &format!("({short})"));
        }
    }
    key
}

/// Company words and their abbreviations, as banks register them; the longer first.
const COMPANY_WORDS: &[(&str, &str)] = &[
    ("トクテイヒエイリカツドウホウジン", "トクヒ"),
    ("シヤカイフクシホウジン", "フク"),
    ("シユウキヨウホウジン", "シユウ"),
    ("コウエキザイダンホウジン", "ザイ"),
    ("コウエキシヤダンホウジン", "シヤ"),
    ("イツパンザイダンホウジン", "ザイ"),
    ("イツパンシヤダンホウジン", "シヤ"),
    ("ザイダンホウジン", "ザイ"),
    ("シヤダンホウジン", "シヤ"),
    ("ガツコウホウジン", "ガク"),
    ("イリヨウホウジン", "イ"),
    ("カブシキガイシヤ", "カ"),
    ("ユウゲンガイシヤ", "ユ"),
    ("ゴウメイガイシヤ", "メ"),
    ("ゴウシガイシヤ", "シ"),
    ("ゴウドウガイシヤ", "ド"),
];

fn is_decidable(key: &str) -> bool {
    let is_kana = |character: char| ('ア'..='ヴ').contains(&character);
    let is_sign = |character: char| character.is_ascii_alphanumeric() || "()-,/".contains(character);
    !key.is_empty() && key.chars().all(|character| is_kana(character) || is_sign(character))
}

/// Whether the bank's field was too short for the name. A kana is never cut from its voice mark, so a byte may be left.
fn is_cut(key: &str, bank: &str, bank_key: &str) -> bool {
    let Some(rest) = key.strip_prefix(bank_key) else { return false };
    let bytes: usize = bank.trim_end().chars().map(bank_bytes).sum();
    let next_bytes = rest.chars().next().map_or(0, bank_bytes);
    bytes == BANK_FIELD_BYTES || (bytes.saturating_add(1) == BANK_FIELD_BYTES && next_bytes == 2)
}

/// Bytes of one letter in the bank's field: a voice mark has its own.
fn bank_bytes(character: char) -> usize {
    let wide = widened(character);
    let is_voiced = VOICED.iter().any(|(_, one, two)| *one == wide || *two == Some(wide));
    if is_voiced { 2 } else { 1 }
}

/// What sounds alike and is written differently: long marks and vowels, ヂ and ジ, ヅ and ズ.
fn loosened(key: &str) -> String {
    let mut loose = String::with_capacity(key.len());
    let mut is_after_o = false;
    for character in key.chars() {
        let character = match character {
            'ヂ' => 'ジ',
            'ヅ' => 'ズ',
            other => other,
        };
        let lengthens = character == '-' || (is_after_o && matches!(character, 'ウ' | 'オ'));
        if !lengthens {
            loose.push(character);
            is_after_o = O_ROW.contains(character);
        }
    }
    loose
}

const O_ROW: &str = "オコゴソゾトドノホボポモヨロ";

/// Half-width kana in the order of their code points from U+FF66; then voice marks, which stay what they are.
const WIDE_KANA: &str =
    "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";

/// A wide letter for a narrow one, and katakana for hiragana.
fn widened(character: char) -> char {
    let code = u32::from(character);
    let wide = match code {
        0xff01..=0xff5e => char::from_u32(code.saturating_sub(0xfee0)),
        0xff66..=0xff9d => {
            let place = usize::try_from(code.saturating_sub(0xff66)).unwrap_or(usize::MAX);
            WIDE_KANA.chars().nth(place)
        }
        0x3041..=0x3096 => char::from_u32(code.saturating_add(0x60)),
        _ => None,
    };
    wide.unwrap_or(character)
}

/// A letter as banks write it: large, of today's kana, capital.
fn plain(character: char) -> impl Iterator<Item = char> {
    let character = match character {
        'ァ' => 'ア',
        'ィ' | 'ヰ' => 'イ',
        'ゥ' => 'ウ',
        'ェ' | 'ヱ' => 'エ',
        'ォ' | 'ヲ' => 'オ',
        'ッ' => 'ツ',
        'ャ' => 'ヤ',
        'ュ' => 'ユ',
        'ョ' => 'ヨ',
        'ヮ' => 'ワ',
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        'ー' | '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' => '-',
        '\u{3000}' => ' ',
        '･' => '・',
        other => other,
    };
    character.to_uppercase()
}

/// Voice marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    One,
    Two,
}

const fn voice_of(character: char) -> Option<Voice> {
    match character {
        'ﾞ' | '\u{3099}' | '゛' => Some(Voice::One),
        'ﾟ' | '\u{309a}' | '゜' => Some(Voice::Two),
        _ => None,
    }
}

/// Kana with a voice mark in one letter: the plain letter, with ゛, and with ゜.
const VOICED: &[(char, char, Option<char>)] = &[
    ('ウ', 'ヴ', None),
    ('カ', 'ガ', None),
    ('キ', 'ギ', None),
    ('ク', 'グ', None),
    ('ケ', 'ゲ', None),
    ('コ', 'ゴ', None),
    ('サ', 'ザ', None),
    ('シ', 'ジ', None),
    ('ス', 'ズ', None),
    ('セ', 'ゼ', None),
    ('ソ', 'ゾ', None),
    ('タ', 'ダ', None),
    ('チ', 'ヂ', None),
    ('ツ', 'ヅ', None),
    ('テ', 'デ', None),
    ('ト', 'ド', None),
    ('ハ', 'バ', Some('パ')),
    ('ヒ', 'ビ', Some('ピ')),
    ('フ', 'ブ', Some('プ')),
    ('ヘ', 'ベ', Some('ペ')),
    ('ホ', 'ボ', Some('ポ')),
];

fn voiced(letter: char, voice: Voice) -> Option<char> {
    let (_, one, two) = VOICED.iter().find(|(plain, _, _)| *plain == letter)?;
    match voice {
        Voice::One => Some(*one),
        Voice::Two => *two,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAIRS: &str = include_str!("name_pairs.csv");

    fn check(holder: &str, bank: &str, expected: &str, why: &str) {
        let name = grade(holder, bank).name().to_uppercase();
        assert_eq!(name, expected, "{holder} and {bank}: {why}");
    }

    #[test]
    fn names_are_graded() {
        let mut pairs = 0;
        for line in PAIRS.lines().skip(1) {
            let mut fields = line.splitn(4, ',');
            let mut next = || fields.next().expect("four fields");
            check(next(), next(), next(), next());
            pairs += 1;
        }
        assert_eq!(pairs, 23);
    }

    #[test]
    fn a_field_that_ends_before_a_voiced_kana_is_cut_too() {
        check(
            "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘガナ",
            "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍ",
            "MATCH_TRUNCATED",
            "29 bytes",
        );
        check(
            "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘカナ",
            "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍ",
            "NO",
            "one more would have fitted",
        );
    }

    proptest! {
        #[test]
        fn any_kana_name_is_itself_in_any_width(name in "[ア-ン]{1,8} [ア-ン]{1,8}") {
            prop_assert_eq!(grade(&name, &name), Grade::Match);
            let closed_up = name.replace(' ', "");
            prop_assert_eq!(grade(&name, &closed_up), Grade::Match);
        }

        #[test]
        fn no_text_stops_it(holder in ".{0,60}", bank in ".{0,60}") {
            let _: Grade = grade(&holder, &bank);
        }
    }
}
