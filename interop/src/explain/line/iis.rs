//! IIS logs in the W3C extended format (F002-31), whose columns are named by `#Fields:`.

use super::registration_authority::Page;
use super::{Line, Says, Source, kept};
use crate::explain::number::windows::WindowsCode;
use crate::explain::time::{Stamp, Zone};

/// The most columns that are looked at; IIS has 22.
const MAX_COLUMNS: usize = 64;

/// A request that IIS answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IisRow {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) user: Option<String>,
    pub(crate) client: String,
    pub(crate) status: u16,
    pub(crate) sub_status: u16,
    pub(crate) code: WindowsCode,
    /// Milliseconds from the first byte of the request to the last one of the answer.
    pub(crate) taken: Option<u32>,
    pub(crate) page: Option<Page>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Date,
    Time,
    Method,
    Path,
    Query,
    User,
    Client,
    Status,
    SubStatus,
    Code,
    Taken,
    Other,
}

/// Which column holds what.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    columns: Vec<Field>,
    /// From `#Date:`, for logs without a column of it.
    date: Option<i64>,
}

impl Default for Fields {
    /// The order of the source document, which is that of IIS when nobody has changed it.
    fn default() -> Self {
        use Field::{Client, Code, Date, Method, Other, Path, Query, Status, SubStatus, Taken, Time, User};
        Self {
            columns: vec![
                Date, Time, Other, Method, Path, Query, Other, User, Client, Other, Other, Status, SubStatus,
                Code, Taken,
            ],
            date: None,
        }
    }
}

impl Fields {
    /// A line that begins with `#`; `None` when it is none of the format.
    pub(super) fn directive(&mut self, text: &str) -> Option<()> {
        if let Some(names) = text.strip_prefix("#Fields:") {
            let columns = names
                .split_ascii_whitespace()
                .take(MAX_COLUMNS)
                .map(|name| match name {
                    "date" => Field::Date,
                    "time" => Field::Time,
                    "cs-method" => Field::Method,
                    "cs-uri-stem" => Field::Path,
                    "cs-uri-query" => Field::Query,
                    "cs-username" => Field::User,
                    "c-ip" => Field::Client,
                    "sc-status" => Field::Status,
                    "sc-substatus" => Field::SubStatus,
                    "sc-win32-status" => Field::Code,
                    "time-taken" => Field::Taken,
                    _ => Field::Other,
                });
            self.columns = columns.collect();
            return Some(());
        }
        if let Some(rest) = text.strip_prefix("#Date:") {
            self.date = rest
                .split_ascii_whitespace()
                .next()
                .and_then(|date| Stamp::date(date, '-'));
            return Some(());
        }
        [
            "#Software:",
            "#Version:",
            "#Remark:",
            "#Start-Date:",
            "#End-Date:",
        ]
        .iter()
        .any(|name| text.starts_with(name))
        .then_some(())
    }
}

pub(super) fn read(text: &str, fields: &Fields) -> Option<Line> {
    let words: Vec<&str> = text.split_ascii_whitespace().take(MAX_COLUMNS + 1).collect();
    let column = |wanted: Field| {
        let place = fields.columns.iter().position(|field| *field == wanted)?;
        words.get(place).copied()
    };
    let date = match column(Field::Date) {
        Some(date) => Stamp::date(date, '-')?,
        None => fields.date?,
    };
    let stamp = Stamp {
        wall: date + Stamp::time(column(Field::Time)?)?,
        zone: Some(Zone::UTC),
        dated: true,
    };
    // A row with too few columns, or too many, has been cut or damaged: its shape is known, and no column can be trusted.
    let whole = words.len() == fields.columns.len();
    let says = whole
        .then(|| row(column))
        .flatten()
        .map_or(Says::Unknown, Says::Iis);
    Some(Line::new(Source::Iis, Some(stamp), says))
}

fn row<'a>(column: impl Fn(Field) -> Option<&'a str>) -> Option<IisRow> {
    let number = |field| column(field).and_then(|text| text.parse::<u32>().ok());
    let text = |field| column(field).filter(|text| *text != "-").map(kept);
    let path = text(Field::Path)?;
    Some(IisRow {
        method: text(Field::Method)?,
        page: Page::of(&path),
        path,
        query: text(Field::Query).unwrap_or_default(),
        user: text(Field::User),
        client: text(Field::Client).unwrap_or_default(),
        status: u16::try_from(number(Field::Status)?).ok()?,
        sub_status: number(Field::SubStatus)
            .and_then(|number| u16::try_from(number).ok())
            .unwrap_or(0),
        code: WindowsCode(number(Field::Code).unwrap_or(0)),
        taken: number(Field::Taken),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str =
        "2019-03-05 17:31:15 14.48.31.152 GET /certsrv - 443 - 14.48.31.128 CiscoRA+1.0 - 401 1 2148074254 0";

    fn row_of(text: &str, fields: &Fields) -> IisRow {
        match read(text, fields).unwrap().says {
            Says::Iis(row) => row,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_the_row_of_the_source_document_without_a_header() {
        let row = row_of(ROW, &Fields::default());
        assert_eq!(
            (row.status, row.sub_status, row.code),
            (401, 1, WindowsCode::NO_CREDENTIALS)
        );
        assert_eq!(
            (row.client.as_str(), row.user, row.page),
            ("14.48.31.128", None, Some(Page::Login))
        );
    }

    #[test]
    fn takes_the_columns_that_the_header_names() {
        let mut fields = Fields::default();
        fields.directive("#Date: 2019-03-05 00:00:00").unwrap();
        fields
            .directive("#Fields: time sc-status cs-uri-stem cs-method c-ip")
            .unwrap();
        let row = row_of("17:31:15 301 /certsrv GET 192.0.2.1", &fields);
        assert_eq!(
            (row.status, row.client.as_str(), row.taken),
            (301, "192.0.2.1", None)
        );
    }

    #[test]
    fn a_row_that_is_cut_off_is_known_by_its_shape_only() {
        let cut = ROW.rsplit_once(' ').unwrap().0;
        assert_eq!(read(cut, &Fields::default()).unwrap().says, Says::Unknown);
        assert_eq!(read("2019-03-05 is a date", &Fields::default()), None);
        assert_eq!(Fields::default().directive("# a comment"), None);
    }
}
