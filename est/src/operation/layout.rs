//! Which base64 layout an answer has: one for all clients, and exceptions by their `User-Agent`.

use http::HeaderValue;

use crate::wire::base64::Base64Layout;

/// How the base64 of answers is broken into lines.
///
/// No layout is read by every client (the table is at [`Base64Layout`]): libest cannot read one long line, and
/// strongSwan 5.9.8 reads nothing but one. libest announces itself and strongSwan does not, so the exception is
/// libest's.
///
/// # Defaults
/// One line with a final newline; 64 columns for clients whose `User-Agent` begins with `libest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseLayout {
    /// For every client that no exception names.
    pub layout: Base64Layout,
    /// The first whose prefix fits wins.
    pub exceptions: Vec<LayoutException>,
}

/// A layout for the clients of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutException {
    /// What the `User-Agent` begins with, in any case.
    pub user_agent: String,
    /// The layout for them.
    pub layout: Base64Layout,
}

impl Default for ResponseLayout {
    fn default() -> Self {
        Self {
            layout: Base64Layout::SingleLine,
            exceptions: vec![LayoutException {
                user_agent: "libest".to_owned(),
                layout: Base64Layout::Columns64Lf,
            }],
        }
    }
}

impl From<Base64Layout> for ResponseLayout {
    /// The same layout for every client.
    fn from(layout: Base64Layout) -> Self {
        Self {
            layout,
            exceptions: Vec::new(),
        }
    }
}

impl ResponseLayout {
    /// The layout for a client that calls itself this.
    #[must_use]
    pub fn for_client(&self, user_agent: Option<&HeaderValue>) -> Base64Layout {
        let found = user_agent.map_or(&[][..], HeaderValue::as_bytes);
        self.exceptions
            .iter()
            .find(|exception| {
                found
                    .get(..exception.user_agent.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(exception.user_agent.as_bytes()))
            })
            .map_or(self.layout, |exception| exception.layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libest_gets_lines_and_everybody_else_one_line() {
        let layout = ResponseLayout::default();
        let of = |name: &'static str| layout.for_client(Some(&HeaderValue::from_static(name)));
        assert_eq!(of("libest 3.2.0p"), Base64Layout::Columns64Lf);
        assert_eq!(of("LibEST"), Base64Layout::Columns64Lf);
        assert_eq!(of("curl/7.88"), Base64Layout::SingleLine);
        assert_eq!(of("not libest"), Base64Layout::SingleLine);
        assert_eq!(of("lib"), Base64Layout::SingleLine);
        assert_eq!(layout.for_client(None), Base64Layout::SingleLine);
    }

    #[test]
    fn the_first_exception_that_fits_wins() {
        let exception = |user_agent: &str, layout| LayoutException {
            user_agent: user_agent.to_owned(),
            layout,
        };
        let layout = ResponseLayout {
            layout: Base64Layout::SingleLine,
            exceptions: vec![
                exception("a/2", Base64Layout::Columns76CrLf),
                exception("a", Base64Layout::Columns64Lf),
            ],
        };
        let of = |name: &'static str| layout.for_client(Some(&HeaderValue::from_static(name)));
        assert_eq!(of("a/2.1"), Base64Layout::Columns76CrLf);
        assert_eq!(of("a/1"), Base64Layout::Columns64Lf);
    }
}
