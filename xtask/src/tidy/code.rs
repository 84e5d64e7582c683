//! Just enough of Rust's grammar to tell code from comments and strings, and to find attributes.

/// `text` with every comment and literal blanked out; lines stay where they are.
pub fn code_of(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let Some(end) = blank_end(&characters, at) else {
            code.push(characters[at]);
            at += 1;
            continue;
        };
        let end = end.min(characters.len());
        code.extend(characters[at..end].iter().map(|&character| if character == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// Where the comment or literal that starts at `at` ends, if one starts there.
fn blank_end(characters: &[char], at: usize) -> Option<usize> {
    let next = characters.get(at + 1).copied();
    match characters[at] {
        '/' if next == Some('/') => Some(position(characters, at, '\n')),
        '/' if next == Some('*') => Some(block_comment_end(characters, at)),
        '"' => Some(string_end(characters, at)),
        'r' => raw_string_end(characters, at),
        '\'' if next == Some('\\') => Some(position(characters, at + 3, '\'') + 1),
        '\'' if characters.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn position(characters: &[char], from: usize, wanted: char) -> usize {
    (from..characters.len()).find(|&index| characters[index] == wanted).unwrap_or(characters.len())
}

fn block_comment_end(characters: &[char], at: usize) -> usize {
    let mut depth = 1;
    let mut index = at + 2;
    while depth > 0 && index < characters.len() {
        match (characters[index], characters.get(index + 1)) {
            ('/', Some('*')) => (depth, index) = (depth + 1, index + 2),
            ('*', Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
    }
    index
}

fn string_end(characters: &[char], at: usize) -> usize {
    let mut index = at + 1;
    while index < characters.len() && characters[index] != '"' {
        index += if characters[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn raw_string_end(characters: &[char], at: usize) -> Option<usize> {
    let hashes = characters[at + 1..].iter().take_while(|&&character| character == '#').count();
    let opening = at + 1 + hashes;
    if characters.get(opening) != Some(&'"') {
        return None;
    }
    let closes = |index: &usize| {
        characters[*index] == '"' && (1..=hashes).all(|offset| characters.get(index + offset) == Some(&'#'))
    };
    let closing = (opening + 1..characters.len()).find(closes).unwrap_or(characters.len());
    Some(closing + 1 + hashes)
}

/// The words of `code`, with the number of the line each stands on.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(move |(index, line)| {
        line.split(|character: char| !character.is_alphanumeric() && character != '_')
            .filter(|word| !word.is_empty())
            .map(move |word| (index + 1, word))
    })
}

/// An attribute, `#[…]` or `#![…]`, without comments and literals.
pub struct Attribute {
    /// The line it starts on.
    pub line: usize,
    /// Whether it is of the whole file or module: `#![…]`.
    pub is_inner: bool,
    /// What stands between the brackets.
    pub content: String,
}

/// The attributes of `code`, in order.
pub fn attributes(code: &str) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    for (start, _) in code.match_indices('#') {
        let rest = &code[start + 1..];
        let (is_inner, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest));
        let Some(rest) = rest.strip_prefix('[') else { continue };
        let line = code[..start].matches('\n').count() + 1;
        attributes.push(Attribute { line, is_inner, content: enclosed(rest, '[', ']').to_owned() });
    }
    attributes
}

/// The beginning of `text` up to the bracket that closes what was opened just before it.
pub fn enclosed(text: &str, open: char, close: char) -> &str {
    let mut depth = 1;
    for (index, character) in text.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
        }
        if depth == 0 {
            return &text[..index];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words_expected: &[&str]) {
        let code = code_of(text);
        assert_eq!(code.lines().count(), text.lines().count(), "lines stay where they are");
        assert_eq!(words(&code).map(|(_, word)| word).collect::<Vec<_>>(), words_expected, "of {text}");
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        check("one // two\nthree", &["one", "three"]);
        check("one /* two /* three\n */ four */ five", &["one", "five"]);
        check(r#"one("two \" three") four"#, &["one", "four"]);
        check("one(r#\"two \" three\"#) four(br\"five\\\") six", &["one", "four", "b", "six"]);
        check("one('\\'', '\"', 'x', '\\u{1F600}') two", &["one", "two"]);
        check("fn one<'two>(r#three: &'two str)", &["fn", "one", "two", "r", "three", "two", "str"]);
        check("one \"two", &["one"]);
    }

    #[test]
    fn attributes_are_found_whole() {
        let found = attributes("#![one(a[0],\n b)]\nfn f() { #[two] g() } #three");
        let found: Vec<_> = found.iter().map(|found| (found.line, found.is_inner, found.content.as_str())).collect();
        assert_eq!(found, [(1, true, "one(a[0],\n b)"), (3, false, "two")]);
    }
}
