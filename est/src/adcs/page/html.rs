//! The little of HTML that is needed: texts of elements, values of attributes. Linear in the length of the page.

use std::borrow::Cow;

use super::MAX_TEXT;

/// A page and the same in lower case; positions in one are positions in the other.
pub(super) struct Html<'a> {
    text: Cow<'a, str>,
    lower: String,
}

impl<'a> Html<'a> {
    /// Pages come in UTF-8 or in the code page of the server; what is looked for is ASCII in either.
    pub(super) fn new(page: &'a [u8]) -> Self {
        let text = match core::str::from_utf8(page) {
            Ok(text) => Cow::Borrowed(text),
            // Latin-1 stands for all code pages: each byte has a character, and the ASCII part is right.
            Err(_) => Cow::Owned(page.iter().map(|byte| char::from(*byte)).collect()),
        };
        let lower = text.to_ascii_lowercase();
        Self { text, lower }
    }

    /// The page in lower case.
    pub(super) fn lower(&self) -> &str {
        &self.lower
    }

    /// The original of the range of the lower-case page.
    pub(super) fn original(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Where the text of the element with this `ID` (lower case) begins: behind its tag.
    pub(super) fn element(&self, id: &str) -> Option<usize> {
        let mut from = 0;
        while let Some(found) = self.lower.get(from..)?.find(id) {
            let start = from + found;
            let end = start + id.len();
            let before = self.lower.get(..start)?.trim_end_matches(['"', '\'']);
            let after = self.lower.get(end..)?;
            let ends = after.starts_with([' ', '>', '"', '\'', '\t', '\r', '\n']);
            if ends && before.ends_with("id=") {
                return after.find('>').map(|close| end + close + 1);
            }
            from = end;
        }
        None
    }

    /// The visible text from `start` to the next tag of `ends` (lower case, with the `<`), or to the end.
    pub(super) fn text_until(&self, start: usize, ends: &[&str]) -> String {
        let rest = self.lower.get(start..).unwrap_or_default();
        let length = ends.iter().filter_map(|end| rest.find(end)).min();
        let end = start + length.unwrap_or(rest.len());
        visible(self.original(start, end))
    }

    /// All that a person would see.
    pub(super) fn visible(&self) -> String {
        visible(&self.text)
    }

    /// How the visible text begins, for an error.
    pub(super) fn beginning(&self) -> String {
        shortened(&self.visible())
    }
}

/// The first characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// The text without tags, comments, scripts and style sheets, its entities resolved, white space as one blank.
pub(super) fn visible(html: &str) -> String {
    let mut plain = String::with_capacity(html.len().min(4096));
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        plain.push(' ');
        rest = behind(tag);
    }
    plain.push_str(rest);
    resolve_entities(&plain)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// What follows the tag whose inside begins here.
fn behind(tag: &str) -> &str {
    let ended_by = |end: &str| tag.split_once(end).map_or("", |(_, rest)| rest);
    if tag.starts_with("!--") {
        return ended_by("-->");
    }
    for name in ["script", "style"] {
        let is_it = tag
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        if is_it {
            // Without an end, the rest of the page is script.
            let closing = closing_tag(tag, name).and_then(|end| tag.get(end..));
            return closing
                .and_then(|closing| closing.split_once('>'))
                .map_or("", |(_, rest)| rest);
        }
    }
    ended_by(">")
}

/// Where `</name` begins.
fn closing_tag(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find("</") {
        let start = from + found + 2;
        let is_it = text
            .get(start..start + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        if is_it {
            return Some(start);
        }
        from = start;
    }
    None
}

/// Characters for `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;`, `&nbsp;`, `&#39;` and `&#x27;`; others stay as they are.
pub(super) fn resolve_entities(text: &str) -> String {
    /// The longest entity with its end: `&#x10ffff;`.
    const LONGEST: usize = 10;
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        let end = after.bytes().take(LONGEST).position(|byte| byte == b';');
        let name = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)));
        match name.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((found, behind)) => {
                resolved.push(found);
                rest = behind;
            }
            None => {
                resolved.push('&');
                rest = after;
            }
        }
    }
    resolved.push_str(rest);
    resolved
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(number);
    }
    Some(match name.to_ascii_lowercase().as_str() {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => return None,
    })
}

/// The value of an attribute (lower case) in the inside of a tag: quoted either way, or bare.
pub(super) fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let (before, after) = rest.split_once('=')?;
        let is_it = before
            .trim_end()
            .rsplit(|found: char| found.is_whitespace() || matches!(found, '"' | '\''))
            .next()
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        let value = after.trim_start();
        let (value, behind) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split_once(quote)?,
            _ => value
                .split_once(|found: char| found.is_whitespace())
                .unwrap_or((value, "")),
        };
        if is_it {
            return Some(resolve_entities(value));
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_person_would_see() {
        let html = "<Script Language=\"JavaScript\">if (a<b) x();</SCRIPT><!-- <P> -->\r\n<P ID=loc>Your&nbsp;Request &quot;Id&#34; is\r\n 7&amp;8 &unknown;<STYLE>p{}</STYLE></P>";
        assert_eq!(visible(html), "Your Request \"Id\" is 7&8 &unknown;");
        assert_eq!(visible("a<b"), "a");
    }

    #[test]
    fn finds_elements_and_attributes_in_any_quoting() {
        let page = Html::new(b"<!-- locInfoReqID --><P CLASS=x ID='locInfoReqID' a>Nummer 4</P>");
        let start = page.element("locinforeqid").unwrap();
        assert_eq!(page.text_until(start, &["</p"]), "Nummer 4");
        assert_eq!(page.element("locinforeq"), None);
        for tag in [
            r#"option selected Value="O;a""#,
            "option value='O;a' x",
            "option x=y value=O;a",
            "option value = \"O;a\"",
        ] {
            assert_eq!(attribute(tag, "value").as_deref(), Some("O;a"), "{tag}");
        }
        assert_eq!(attribute("option myvalue=3", "value"), None);
        assert_eq!(attribute("option title=\"value=3\"", "value"), None);
    }

    #[test]
    fn a_page_in_a_code_page_is_read_all_the_same() {
        let page = Html::new(b"<P ID=locDenied>Ung\xfcltig</P>");
        let start = page.element("locdenied").unwrap();
        assert_eq!(page.text_until(start, &["</p"]), "Ung\u{fc}ltig");
    }
}
