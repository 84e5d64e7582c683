//! Kana as banks write it: half-width, the dakuten a letter of its own, small letters large, the long mark a hyphen.
//!
//! What names mean is not here, and nothing is compared here but what [`key`] makes equal. Start at [`half_width`].

/// Katakana in any form, each followed by what a bank writes for it.
const LETTERS: &str = "\
    アｱ イｲ ウｳ エｴ オｵ カｶ キｷ クｸ ケｹ コｺ サｻ シｼ スｽ セｾ ソｿ タﾀ チﾁ ツﾂ テﾃ トﾄ \
    ナﾅ ニﾆ ヌﾇ ネﾈ ノﾉ ハﾊ ヒﾋ フﾌ ヘﾍ ホﾎ マﾏ ミﾐ ムﾑ メﾒ モﾓ ヤﾔ ユﾕ ヨﾖ ラﾗ リﾘ \
    ルﾙ レﾚ ロﾛ ワﾜ ヲｵ ンﾝ ヰｲ ヱｴ ァｱ ィｲ ゥｳ ェｴ ォｵ ッﾂ ャﾔ ュﾕ ョﾖ ヮﾜ ガｶﾞ \
    ギｷﾞ グｸﾞ ゲｹﾞ ゴｺﾞ ザｻﾞ ジｼﾞ ズｽﾞ ゼｾﾞ ゾｿﾞ ダﾀﾞ ヂﾁﾞ ヅﾂﾞ デﾃﾞ ドﾄﾞ バﾊﾞ \
    ビﾋﾞ ブﾌﾞ ベﾍﾞ ボﾎﾞ パﾊﾟ ピﾋﾟ プﾌﾟ ペﾍﾟ ポﾎﾟ ヴｳﾞ ｦｵ ｧｱ ｨｲ ｩｳ ｪｴ ｫｵ ｬﾔ \
    ｭﾕ ｮﾖ ｯﾂ ー- ｰ- －- ‐- −- —- ゛ﾞ ゜ﾟ \u{3099}ﾞ \u{309a}ﾟ";
/// From a hiragana letter to its katakana.
const KATAKANA_FROM_HIRAGANA: u32 = 0x60;

/// `text` as a bank's records write it. What is no kana stays as it is.
pub fn half_width(text: &str) -> String {
    let mut half = String::with_capacity(text.len());
    for letter in text.chars() {
        let letter = match letter {
            'ぁ'..='ゖ' => char::from_u32(u32::from(letter).saturating_add(KATAKANA_FROM_HIRAGANA)).unwrap_or(letter),
            other => other,
        };
        match LETTERS.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(letter)) {
            Some(written) => half.push_str(written),
            None if letter == '\u{3000}' => half.push(' '),
            None => half.push(letter),
        }
    }
    half
}

/// What two ways to write one name have in common: half-width, without spaces.
pub fn key(text: &str) -> String {
    half_width(text).chars().filter(|letter| !letter.is_whitespace() && *letter != '・').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, half: &str) {
        assert_eq!(half_width(text), half);
        assert_eq!(half_width(half), half, "what is half-width stays");
    }

    #[test]
    fn names_are_written_as_banks_do() {
        check("ヤマダ　タロウ", "ﾔﾏﾀﾞ ﾀﾛｳ");
        check("ショウジ ジュン", "ｼﾖｳｼﾞ ｼﾞﾕﾝ");
        check("スズキ ヨーコ", "ｽｽﾞｷ ﾖ-ｺ");
        check("ヰノウヱ カヲル", "ｲﾉｳｴ ｶｵﾙ");
        check("さとう はな", "ｻﾄｳ ﾊﾅ");
        check("ヴィトン", "ｳﾞｲﾄﾝ");
        assert_eq!(key("ヤマダ タロウ"), key("ﾔﾏﾀﾞﾀﾛｳ"));
        assert_ne!(key("ヤマザキ"), key("ヤマサキ"));
    }
}
