//! Reads Rust source just well enough to tell which paths a file names, and where.

/// A word or sign of the source with its line, from 1; comments and literals are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
    /// Inside a module that is only compiled for tests.
    pub in_test: bool,
}

/// A path that a file names, resolved to its root: `crate` paths begin with `crate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
    pub in_test: bool,
    /// In a `use`.
    pub is_use: bool,
    /// In a `pub use`, whoever it is open to.
    pub is_public: bool,
}

/// Cuts a source into tokens.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut out, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        at = token_end(&chars, at);
        let text: String = chars[start..at].iter().collect();
        let first = chars[start];
        let is_word = first.is_alphabetic() || first == '_';
        let is_literal = text.len() > 1 && !is_word && first != ':' || text.ends_with(['"', '#']);
        if !first.is_whitespace() && !first.is_ascii_digit() && (!is_literal || text == "#") {
            out.push(Token { text: text.clone(), line, in_test: false });
        }
        line += text.matches('\n').count();
    }
    mark_tests(&mut out);
    out
}

/// Where the token that begins at `at` ends: a comment, a literal, a word, `::`, or one character.
fn token_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + string(rest, 1),
        ['b' | 'c', '"', ..] => at + string(rest, 2),
        ['r', '"' | '#', ..] | ['b' | 'c', 'r', '"' | '#', ..] => at + raw_string(rest),
        ['b', '\'', ..] => at + 1 + quote(&rest[1..]),
        ['\'', ..] => at + quote(rest),
        [':', ':', ..] => at + 2,
        [first, ..] if is_word(first) => {
            at + rest.iter().position(|c| !is_word(c)).unwrap_or(rest.len())
        }
        _ => at + 1,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char], mut at: usize) -> usize {
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A raw string, or a raw word such as `r#type`.
fn raw_string(rest: &[char]) -> usize {
    let prefix = rest.iter().position(|c| *c == '#' || *c == '"').unwrap_or(0);
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        let word = rest[prefix + hashes..].iter().take_while(|c| c.is_alphanumeric()).count();
        return prefix + hashes + word;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let body = prefix + hashes + 1;
    let found = rest[body..].windows(end.len()).position(|w| w == end);
    found.map_or(rest.len(), |at| body + at + end.len())
}

/// A character, or a lifetime, of which only the quote is taken.
fn quote(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => {
            3 + tail.iter().position(|c| *c == '\'').map_or(tail.len(), |at| at + 1)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Marks what stands in the braces after `#[cfg(test)] mod name`.
fn mark_tests(tokens: &mut [Token]) {
    const TEST_MODULE: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut at = 0;
    while at + TEST_MODULE.len() < tokens.len() {
        let here = &tokens[at..at + TEST_MODULE.len()];
        if !here.iter().zip(TEST_MODULE).all(|(token, text)| token.text == text) {
            at += 1;
            continue;
        }
        let (mut depth, mut end) = (0, at + TEST_MODULE.len() + 1);
        while end < tokens.len() {
            match tokens[end].text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            end += 1;
            if depth == 0 {
                break;
            }
        }
        tokens[at..end].iter_mut().for_each(|token| token.in_test = true);
        at = end;
    }
}

/// Every path that a file names, `use` trees unfolded. `module` is the file's own place below the
/// crate, such as `["rtmp", "url"]`.
pub fn named_paths(tokens: &[Token], module: &[&str]) -> Vec<Named> {
    let mut walk = Walk { tokens, out: Vec::new(), is_use: false, is_public: false };
    let mut place: Vec<String> =
        std::iter::once("crate").chain(module.iter().copied()).map(str::to_owned).collect();
    let mut inline_modules = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while at < tokens.len() {
        match (text(tokens, at), text(tokens, at + 2)) {
            ("mod", "{") => {
                place.push(text(tokens, at + 1).to_owned());
                inline_modules.push(depth);
                depth += 1;
                at += 3;
                continue;
            }
            ("{", _) => depth += 1,
            ("}", _) => {
                depth = depth.saturating_sub(1);
                if inline_modules.last() == Some(&depth) {
                    inline_modules.pop();
                    place.pop();
                }
            }
            // Who may see it is not what it looks into.
            ("pub", "in") if text(tokens, at + 1) == "(" => {
                while !matches!(text(tokens, at), ")" | "") {
                    at += 1;
                }
            }
            ("use", _) => {
                walk.is_use = true;
                walk.is_public = at > 0 && matches!(text(tokens, at - 1), "pub" | ")");
                at = walk.tree(at + 1, None, &place);
                (walk.is_use, walk.is_public) = (false, false);
                continue;
            }
            (_, _) if text(tokens, at + 1) == "::" && is_word(text(tokens, at)) => {
                at = walk.tree(at, None, &place);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    walk.out
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

struct Walk<'a> {
    tokens: &'a [Token],
    out: Vec<Named>,
    /// Whether the paths at hand are those of a `use`, and of a public one.
    is_use: bool,
    is_public: bool,
}

impl Walk<'_> {
    /// Follows a path or `use` tree from `at`; `base` is what stands before it. Answers where it
    /// ends.
    fn tree(&mut self, mut at: usize, base: Option<Vec<String>>, place: &[String]) -> usize {
        let (mut path, line_at) = (base, at);
        if text(self.tokens, at) == "::" {
            at += 1;
        }
        loop {
            match text(self.tokens, at) {
                "{" => {
                    at += 1;
                    while !matches!(text(self.tokens, at), "}" | "") {
                        let before = at;
                        at = self.tree(at, path.clone(), place);
                        at += usize::from(text(self.tokens, at) == "," || at == before);
                    }
                    return at + 1;
                }
                // The library by its own name is the crate, as the program and tests call it.
                "crate" | "firstmile" if path.is_none() => path = Some(vec!["crate".to_owned()]),
                "self" => path = Some(path.unwrap_or_else(|| place.to_vec())),
                "super" => {
                    let mut up = path.unwrap_or_else(|| place.to_vec());
                    up.pop();
                    path = Some(up);
                }
                word if is_word(word) || word == "*" => {
                    path.get_or_insert_default().push(word.to_owned());
                }
                _ => return at.max(line_at + 1),
            }
            at += 1;
            if text(self.tokens, at) != "::" {
                break;
            }
            at += 1;
            if text(self.tokens, at) == "<" {
                break; // a turbofish
            }
        }
        let Token { line, in_test, .. } = self.tokens[line_at];
        let (is_use, is_public) = (self.is_use, self.is_public);
        self.out.push(Named { path: path.unwrap_or_default(), line, in_test, is_use, is_public });
        if text(self.tokens, at) == "as" { at + 2 } else { at }
    }
}
