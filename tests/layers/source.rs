//! Reads Rust source as far as the layers need it: which paths a file names, and on which lines. Knows nothing of rules.

use std::collections::BTreeMap;

/// A path that a file names, from the crate on, as far as that can be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// The words and marks of a source text with their lines; comments, literals and tests left out.
#[derive(Debug)]
pub(crate) struct Source {
    tokens: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn read(text: &str) -> Source {
        Source {
            tokens: without_tests(tokens(&blanked(text))),
        }
    }

    /// Like [`read`](Self::read), with the tests.
    pub(crate) fn read_with_tests(text: &str) -> Source {
        Source {
            tokens: tokens(&blanked(text)),
        }
    }

    /// The lines on which a word stands.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let found = self.tokens.iter().filter(|(_, token)| token == word);
        found.map(|(line, _)| *line).collect()
    }

    /// Every path in `use` lines and bodies, with what `use` and `mod` lines say about its first word put in.
    pub(crate) fn paths(&self, module: &str) -> Vec<Named> {
        let (mut aliases, mut raw) = (BTreeMap::new(), Vec::new());
        let mut at = 0;
        while at < self.tokens.len() {
            match (self.word(at), self.word(at + 2)) {
                ("mod", ";" | "{") => {
                    let name = self.word(at + 1);
                    aliases.insert(name.to_owned(), format!("{module}::{name}"));
                    at += 3;
                }
                ("use", _) if self.word(at + 1) != "<" => {
                    at = self.tree(at + 1, &[], &mut |line, path, alias| {
                        raw.push((line, path.to_vec()));
                        if alias != path[0] || path.len() > 1 {
                            aliases.insert(alias.to_owned(), path.join("::"));
                        }
                    });
                }
                _ => {
                    let (end, path) = self.path(at);
                    if path.len() > 1 {
                        raw.push((self.tokens[at].0, path));
                    }
                    at = end.max(at + 1);
                }
            }
        }
        let resolve = |(line, path): (usize, Vec<String>)| Named {
            line,
            path: resolved(path, module, &aliases),
        };
        raw.into_iter().map(resolve).collect()
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, token)| token)
    }

    /// A path in a body: `a::b::c`.
    fn path(&self, start: usize) -> (usize, Vec<String>) {
        let mut at = start;
        let mut path = Vec::new();
        while is_word(self.word(at)) {
            path.push(self.word(at).to_owned());
            if self.word(at + 1) != "::" {
                return (at + 1, path);
            }
            at += 2;
        }
        (at, path)
    }

    /// A `use` tree below `prefix`; gives every leaf with the name that it has in the file. Returns where it ends.
    fn tree(
        &self,
        start: usize,
        prefix: &[String],
        leaf: &mut impl FnMut(usize, &[String], &str),
    ) -> usize {
        let (mut at, mut path) = (start, prefix.to_vec());
        loop {
            match self.word(at) {
                "{" => {
                    at += 1;
                    while !matches!(self.word(at), "}" | "") {
                        at = self.tree(at, &path, leaf);
                        at += usize::from(self.word(at) == ",");
                    }
                    return at + 1;
                }
                "::" => at += 1,
                word if is_word(word) || word == "*" => {
                    if word != "self" || path.is_empty() {
                        path.push(word.to_owned());
                    }
                    at += 1;
                    if self.word(at) != "::" {
                        let renamed = self.word(at) == "as";
                        let last = path.last().cloned().unwrap_or_default();
                        let alias = if renamed { self.word(at + 1) } else { &last };
                        leaf(self.tokens[at - 1].0, &path, alias);
                        return if renamed { at + 2 } else { at };
                    }
                }
                _ => return at + 1,
            }
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The path from the crate on.
fn resolved(path: Vec<String>, module: &str, aliases: &BTreeMap<String, String>) -> String {
    let mut path = path.join("::");
    // A `use` may build on another; longer chains than this nobody can read either.
    for _ in 0..4 {
        let (first, rest) = path.split_once("::").unwrap_or((path.as_str(), ""));
        match aliases.get(first) {
            Some(whole) if !whole.starts_with(&format!("{first}::")) => {
                path = join(whole, rest);
            }
            _ => break,
        }
    }
    let mut here = module;
    loop {
        let (first, rest) = path.split_once("::").unwrap_or((path.as_str(), ""));
        match first {
            "crate" => return join(module.split("::").next().unwrap_or(module), rest),
            "self" => path = join(here, rest),
            "super" => {
                here = here.rsplit_once("::").map_or(here, |(parent, _)| parent);
                path = match rest.split("::").next() {
                    Some("super") => rest.to_owned(),
                    _ => return join(here, rest),
                };
            }
            _ => return path,
        }
    }
}

fn join(head: &str, tail: &str) -> String {
    if tail.is_empty() {
        head.to_owned()
    } else {
        format!("{head}::{tail}")
    }
}

/// The text with comments and literals made of spaces; lines stay where they are.
fn blanked(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < source.len() {
        let end = comment_end(&source, at)
            .or_else(|| literal_end(&source, at))
            .unwrap_or(at);
        if end == at {
            out.push(source[at]);
            at += 1;
        }
        for &c in &source[at..end.max(at)] {
            out.push(if c == '\n' { '\n' } else { ' ' });
        }
        at = end.max(at);
    }
    out
}

fn comment_end(source: &[char], at: usize) -> Option<usize> {
    match (source[at], source.get(at + 1)) {
        ('/', Some('/')) => Some(find(source, at, |rest| rest[0] == '\n')),
        ('/', Some('*')) => {
            let (mut depth, mut end) = (0, at);
            while end < source.len() {
                match (source[end], source.get(end + 1)) {
                    ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
                    ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            Some(end.min(source.len()))
        }
        _ => None,
    }
}

fn literal_end(source: &[char], at: usize) -> Option<usize> {
    let inside_word = at > 0 && (source[at - 1].is_alphanumeric() || source[at - 1] == '_');
    match source[at] {
        '"' => Some(string_end(source, at + 1)),
        'r' if !inside_word || source[at - 1] == 'b' || source[at - 1] == 'c' => {
            let hashes = source[at + 1..].iter().take_while(|&&c| c == '#').count();
            let quote = at + 1 + hashes;
            (source.get(quote) == Some(&'"')).then(|| {
                let closes = |rest: &[char]| {
                    rest[0] == '"' && rest.iter().skip(1).take(hashes).all(|&c| c == '#')
                };
                (find(source, quote + 1, closes) + 1 + hashes).min(source.len())
            })
        }
        // A lifetime has no quote behind its first letter; a character has.
        '\'' if source.get(at + 1) == Some(&'\\') => {
            Some((find(source, at + 3, |rest| rest[0] == '\'') + 1).min(source.len()))
        }
        '\'' if source.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn string_end(source: &[char], mut at: usize) -> usize {
    while at < source.len() && source[at] != '"' {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

fn find(source: &[char], from: usize, holds: impl Fn(&[char]) -> bool) -> usize {
    (from..source.len())
        .find(|&at| holds(&source[at..]))
        .unwrap_or(source.len())
}

fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let length = if is_word(rest) {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                c.len_utf8()
            };
            if !c.is_whitespace() {
                tokens.push((number + 1, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    tokens
}

/// Leaves out every item that stands behind `#[cfg(test)]`.
fn without_tests(tokens: Vec<(usize, String)>) -> Vec<(usize, String)> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|(_, token)| token.as_str());
        if !here.take(mark.len()).eq(mark) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += mark.len();
        while at < tokens.len() {
            let token = tokens[at].1.as_str();
            at += 1;
            match token {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token, ";" | "}") {
                break;
            }
        }
    }
    kept
}
