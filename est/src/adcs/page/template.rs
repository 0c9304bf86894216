//! The list of templates in `certrqxt.asp` (B-09).

use super::html::{Html, attribute, visible};
use super::{MAX_PAGE, PageError};

/// Most templates that are read. A forest has a few dozen; AD CS itself gets slow with some hundreds.
pub const MAX_TEMPLATES: usize = 2000;

/// Where the subject of a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateSubject {
    /// From the request (`O`).
    Request,
    /// From Active Directory (`E`): what the request asks for is replaced.
    ActiveDirectory,
    /// The page has another letter.
    Other,
}

/// A certificate template that this account may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The name that a request must give.
    pub name: String,
    /// The name that people see, which a request must not give.
    pub display_name: String,
    /// Where the subject comes from.
    pub subject: TemplateSubject,
}

/// The templates of a `certrqxt.asp` page, in its order.
///
/// # Errors
/// [`PageError::NoTemplateList`] when there is no list, as on a CA without Active Directory;
/// [`PageError::TooManyTemplates`]; [`PageError::TooLong`].
pub fn templates(page: &[u8]) -> Result<Vec<Template>, PageError> {
    if page.len() > MAX_PAGE {
        return Err(PageError::TooLong);
    }
    let html = Html::new(page);
    let Some((start, end)) = list(&html) else {
        return Err(PageError::NoTemplateList {
            text: html.beginning(),
        });
    };
    let mut templates = Vec::new();
    let lower = html.lower();
    let mut from = start;
    while let Some(found) = lower.get(from..end).and_then(|rest| rest.find("<option")) {
        let tag_start = from + found + "<option".len();
        let Some(close) = lower.get(tag_start..end).and_then(|rest| rest.find('>')) else {
            break;
        };
        let text_start = tag_start + close + 1;
        let text_length = lower.get(text_start..end).and_then(|rest| rest.find('<'));
        let text_end = text_length.map_or(end, |length| text_start + length);
        let tag = html.original(tag_start, tag_start + close);
        if let Some(template) = template(tag, html.original(text_start, text_end)) {
            if templates.len() == MAX_TEMPLATES {
                return Err(PageError::TooManyTemplates);
            }
            templates.push(template);
        }
        from = text_end;
    }
    Ok(templates)
}

/// From behind the tag of the list to its end.
fn list(html: &Html<'_>) -> Option<(usize, usize)> {
    let lower = html.lower();
    let mut from = 0;
    while let Some(found) = lower.get(from..)?.find("<select") {
        let tag_start = from + found + "<select".len();
        let close = lower.get(tag_start..)?.find('>')?;
        let start = tag_start + close + 1;
        let name = attribute(html.original(tag_start, tag_start + close), "name");
        if name.is_some_and(|name| name.eq_ignore_ascii_case("lbCertTemplate")) {
            let length = lower.get(start..)?.find("</select");
            return Some((start, length.map_or(lower.len(), |length| start + length)));
        }
        from = start;
    }
    None
}

/// `value` is `O;Name;more;...` or `E;Name;...`; an entry without a name is a line between others.
fn template(tag: &str, text: &str) -> Option<Template> {
    let value = attribute(tag, "value")?;
    let (letter, rest) = value.split_once(';')?;
    let name = rest.split(';').next()?.trim();
    if name.is_empty() {
        return None;
    }
    Some(Template {
        name: name.to_owned(),
        display_name: visible(text),
        subject: match letter.trim() {
            "O" | "o" => TemplateSubject::Request,
            "E" | "e" => TemplateSubject::ActiveDirectory,
            _ => TemplateSubject::Other,
        },
    })
}
