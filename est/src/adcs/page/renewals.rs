//! How often a CA was renewed: `certcarc.asp` (B-08).

use super::html::Html;
use super::{MAX_PAGE, PageError};

/// The number of renewals, which is also the number of the newest certificate: 0 means that there is only the first.
///
/// # Errors
/// [`PageError::NoRenewals`], [`PageError::TooLong`].
pub fn renewals(page: &[u8]) -> Result<u32, PageError> {
    if page.len() > MAX_PAGE {
        return Err(PageError::TooLong);
    }
    let html = Html::new(page);
    let mut rest = html.lower();
    while let Some((_, after)) = rest.split_once("nrenewals") {
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        let digits = value.map(|value| {
            value
                .split(|end: char| !end.is_ascii_digit())
                .next()
                .unwrap_or_default()
        });
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            return Ok(number);
        }
        rest = after;
    }
    Err(PageError::NoRenewals)
}
