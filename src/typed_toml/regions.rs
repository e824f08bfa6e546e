//! Which part of a file a character stands in: what copying adds matters outside of texts and
//! comments, and a wrong encoding matters everywhere but in comments.

/// Where a character stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// Keys, brackets, numbers, and the blanks between them.
    Bare,
    /// A text with its quotes.
    Text,
    /// A comment.
    Comment,
}

/// What ends the part that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// A text or a comment begins.
    Begin,
    LineEnd,
    /// This quote.
    Quote(char),
    /// Three of this quote.
    Quotes(char),
}

/// Every character of a file with its place in bytes and its region (TOML 1.0, "Comment" and
/// "String"). A text that is not closed ends with its line.
pub fn regions(text: &str) -> impl Iterator<Item = (usize, char, Region)> {
    let (mut until, mut skip) = (Until::Begin, 0_usize);
    text.char_indices().map(move |(at, c)| {
        let is_triple = |quote: char| text[at..].chars().take(3).eq([quote; 3]);
        let region = match until {
            Until::Begin => Region::Bare,
            Until::LineEnd => Region::Comment,
            Until::Quote(_) | Until::Quotes(_) => Region::Text,
        };
        if skip > 0 {
            skip -= 1;
            return (at, c, Region::Text);
        }
        match (until, c) {
            (Until::Begin, '#') => {
                until = Until::LineEnd;
                return (at, c, Region::Comment);
            }
            (Until::Begin, '"' | '\'') => {
                until = if is_triple(c) { Until::Quotes(c) } else { Until::Quote(c) };
                skip = if is_triple(c) { 2 } else { 0 };
                return (at, c, Region::Text);
            }
            (Until::LineEnd | Until::Quote(_), '\n') => {
                until = Until::Begin;
                return (at, c, Region::Bare);
            }
            (Until::Quote('"') | Until::Quotes('"'), '\\') => skip = 1,
            (Until::Quote(quote), _) if c == quote => until = Until::Begin,
            (Until::Quotes(quote), _) if c == quote && is_triple(quote) => {
                // Up to two quotes may stand before the three that end the text.
                let more = text[at..].chars().skip(3).take(2).take_while(|c| *c == quote).count();
                until = Until::Begin;
                skip = 2 + more;
            }
            _ => {}
        }
        (at, c, region)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file with `-` for what is bare, `t` for texts, `#` for comments.
    fn drawn(text: &str) -> String {
        let drawn = regions(text).map(|(_, c, region)| match (c, region) {
            ('\n', _) => '\n',
            (_, Region::Bare) => '-',
            (_, Region::Text) => 't',
            (_, Region::Comment) => '#',
        });
        drawn.collect()
    }

    #[test]
    fn texts_comments_and_the_rest_are_distinguished() {
        for (text, expected) in [
            ("a = \"b # c\" # d\ne", "----ttttttt-###\n-"),
            ("a = '\\' # c", "----ttt-###"),
            ("a = \"\\\"#\" # c", "----ttttt-###"),
            ("a = \"\"\"\nb \"# c\"\"\" # d", "----ttt\nttttttttt-###"),
            ("a = '''b'''''# c", "----ttttttttt###"),
            ("a = \"\" # c", "----tt-###"),
            ("a = \"b\nc # d", "----tt\n--###"),
        ] {
            assert_eq!(drawn(text), expected, "{text}");
        }
    }
}
