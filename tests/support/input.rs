//! Octets as test files write them: placeholders, repetitions and escapes. Pure: no I/O.

use std::collections::BTreeMap;

/// Values for `{name}`.
pub type Names = BTreeMap<&'static str, String>;

/// Turns `USER {user}`, `NOOP {x*5000}`, `a\0b` and `\xff` into the octets they stand for.
pub fn octets(text: &str, names: &Names) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        match next {
            '{' => {
                let (name, after) = rest.split_once('}').ok_or("no closing brace")?;
                rest = after;
                out.extend(placeholder(name, names)?);
            }
            '\\' => {
                let escape = rest.chars().next().ok_or("a backslash at the end")?;
                rest = &rest[escape.len_utf8()..];
                out.push(match escape {
                    'r' => b'\r',
                    'n' => b'\n',
                    '0' => 0,
                    '\\' | '{' => escape as u8,
                    'x' => {
                        let (digits, after) =
                            rest.split_at_checked(2).ok_or("\\x wants two digits")?;
                        rest = after;
                        u8::from_str_radix(digits, 16).map_err(|e| format!("\\x{digits}: {e}"))?
                    }
                    _ => return Err(format!("unknown escape \\{escape}")),
                });
            }
            _ => out.extend(next.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Ok(out)
}

fn placeholder(name: &str, names: &Names) -> Result<Vec<u8>, String> {
    if let Some((text, count)) = name.split_once('*') {
        let count = count
            .parse()
            .map_err(|_| format!("{{{name}}} is not a repetition"))?;
        return Ok(text.repeat(count).into_bytes());
    }
    names
        .get(name)
        .map(|value| value.clone().into_bytes())
        .ok_or_else(|| format!("{{{name}}} is unknown"))
}

/// Whether `text` is what the pattern says: `*` is any text, `?` one character, all else itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == '?' || c == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((back, from)) = star {
            star = Some((back, from + 1));
            (p, t) = (back + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_repetitions_and_escapes_become_octets() {
        let names = Names::from([("user", "tester".to_owned())]);
        assert_eq!(octets("USER {user}", &names).unwrap(), b"USER tester");
        assert_eq!(
            octets("{ab*3}\\0\\xff\\r\\\\", &names).unwrap(),
            b"ababab\0\xff\r\\"
        );
        for bad in ["{who}", "{user", "\\q", "\\xf", "\\", "{a*b}"] {
            assert!(octets(bad, &names).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_is_any_text() {
        assert!(
            matches("*", "")
                && matches("a*c", "abbc")
                && matches("*b*", "abc")
                && matches("a?c", "abc")
        );
        assert!(matches("*.txt*.txt", "a.txt.txt") && matches("", ""));
        assert!(
            !matches("a*c", "abd")
                && !matches("a?c", "ac")
                && !matches("", "a")
                && !matches("ab", "a")
        );
    }
}
