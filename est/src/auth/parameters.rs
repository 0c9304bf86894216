//! The `name=value` lists of `Authorization` and `WWW-Authenticate` (RFC 9110, section 11).

use core::fmt;

/// The most parameters read from one list; Digest has twelve.
const MAX_PARAMETERS: usize = 32;

/// A list that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// A quoted string without its second quote.
    #[error("a quoted string does not end")]
    OpenQuote,
    /// Something that is no `name=value`, counted from 1.
    #[error("parameter {number} is not name=value")]
    NotAPair {
        /// Which one, from 1.
        number: usize,
    },
    /// The same name twice: the two ends could disagree on which counts.
    #[error("parameter {number} repeats a name")]
    Duplicate {
        /// Which one, from 1.
        number: usize,
    },
    /// More than anything needs.
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooMany,
}

/// Names in lower case with their values, quotes and escapes undone.
#[derive(Default, Clone, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut found = Self::default();
        for (element, number) in elements(text)?.into_iter().zip(1..) {
            found.push(element, number)?;
        }
        Ok(found)
    }

    fn push(&mut self, element: &str, number: usize) -> Result<(), ParameterError> {
        let fault = ParameterError::NotAPair { number };
        let (name, value) = element.split_once('=').ok_or(fault)?;
        let name = name.trim_ascii().to_ascii_lowercase();
        let value = unquoted(value.trim_ascii()).ok_or(fault)?;
        if !is_token(&name) {
            return Err(fault);
        }
        if self.value(&name).is_some() {
            return Err(ParameterError::Duplicate { number });
        }
        if self.0.len() >= MAX_PARAMETERS {
            return Err(ParameterError::TooMany);
        }
        self.0.push((name, value));
        Ok(())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The challenges of one `WWW-Authenticate` value, which may hold several: scheme and parameters. A challenge of
/// another form (RFC 9110's `token68`) has none.
pub(crate) fn challenges(text: &str) -> Result<Vec<(String, Parameters)>, ParameterError> {
    let mut found: Vec<(String, Parameters)> = Vec::new();
    for (element, number) in elements(text)?.into_iter().zip(1..) {
        let (first, rest) = element
            .split_once([' ', '\t'])
            .map_or((element, ""), |(first, rest)| (first, rest.trim_ascii_start()));
        if is_token(first) && !rest.starts_with('=') {
            if found.len() >= MAX_PARAMETERS {
                return Err(ParameterError::TooMany);
            }
            let mut parameters = Parameters::default();
            if !rest.is_empty() && parameters.push(rest, number).is_err() {
                parameters = Parameters::default();
            }
            found.push((first.to_owned(), parameters));
        } else {
            let (_, parameters) = found.last_mut().ok_or(ParameterError::NotAPair { number })?;
            parameters.push(element, number)?;
        }
    }
    Ok(found)
}

/// Splits at commas outside quotes; empty elements mean nothing (RFC 9110, section 5.6.1).
fn elements(text: &str) -> Result<Vec<&str>, ParameterError> {
    let (mut quoted, mut escaped) = (false, false);
    let parts: Vec<_> = text
        .split(|character| {
            if escaped {
                escaped = false;
            } else if quoted && character == '\\' {
                escaped = true;
            } else if character == '"' {
                quoted = !quoted;
            }
            character == ',' && !quoted
        })
        .map(str::trim_ascii)
        .filter(|part| !part.is_empty())
        .take(2 * MAX_PARAMETERS)
        .collect();
    if quoted {
        return Err(ParameterError::OpenQuote);
    }
    Ok(parts)
}

fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}

/// A token as it is, or what is between the quotes; `None` for anything else.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return is_token(value).then(|| value.to_owned());
    };
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '"' => return characters.as_str().is_empty().then_some(text),
            '\\' => characters.next()?,
            other => other,
        };
        // An escape does not make them allowed (RFC 9110, section 5.6.4).
        if character.is_control() && character != '\t' {
            return None;
        }
        text.push(character);
    }
    None
}

/// The value as a quoted string.
pub(super) fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_escapes_in_quotes_belong_to_the_value() {
        let found = Parameters::parse(r#" a = "x, \"y\"" ,, B=token , c="" "#).unwrap();
        assert_eq!(found.value("a"), Some("x, \"y\""));
        assert_eq!(found.value("b"), Some("token"));
        assert_eq!(found.value("c"), Some(""));
        assert_eq!(quoted("x, \"y\""), r#""x, \"y\"""#);
    }

    #[test]
    fn an_escape_does_not_make_a_control_character_allowed() {
        for text in ["a=\"\u{85}\"", "a=\"\\\u{85}\"", "a=\"\\\n\"", "a=\"\\\0\""] {
            assert_eq!(
                Parameters::parse(text),
                Err(ParameterError::NotAPair { number: 1 }),
                "{text:?}"
            );
        }
        assert_eq!(Parameters::parse("a=\"\\\t\"").unwrap().value("a"), Some("\t"));
    }

    #[test]
    fn refuses_lists_that_two_readers_could_read_differently() {
        for (text, expected) in [
            ("a=\"x", ParameterError::OpenQuote),
            ("a", ParameterError::NotAPair { number: 1 }),
            ("a=1, b=\"x\"y", ParameterError::NotAPair { number: 2 }),
            ("a=1, A=2", ParameterError::Duplicate { number: 2 }),
            ("a=x y", ParameterError::NotAPair { number: 1 }),
            ("=x", ParameterError::NotAPair { number: 1 }),
        ] {
            assert_eq!(Parameters::parse(text), Err(expected), "{text}");
        }
        let many: Vec<_> = (0..40).map(|number| format!("p{number}=1")).collect();
        assert_eq!(Parameters::parse(&many.join(",")), Err(ParameterError::TooMany));
    }

    #[test]
    fn tells_several_challenges_in_one_header_apart() {
        let text = r#"Negotiate, Digest realm="a, b", nonce="n" , Basic realm="x", NTLM abc=="#;
        let found = challenges(text).unwrap();
        let schemes: Vec<_> = found.iter().map(|(scheme, _)| scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "Digest", "Basic", "NTLM"]);
        assert_eq!(found[1].1.value("realm"), Some("a, b"));
        assert_eq!(found[1].1.value("nonce"), Some("n"));
        assert_eq!(found[2].1.value("realm"), Some("x"));
    }
}
