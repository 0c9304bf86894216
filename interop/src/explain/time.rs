//! Times as log lines print them.

use core::fmt;
use core::str::FromStr;

use time::{Date, Month};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Milliseconds of a day.
pub(super) const DAY: i64 = 24 * HOUR;

/// A distance from UTC, in seconds east of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(i32);

impl Zone {
    /// No distance.
    pub const UTC: Self = Self(0);

    /// The distance in milliseconds.
    pub(super) fn millis(self) -> i64 {
        i64::from(self.0) * SECOND
    }

    /// The zone at this distance in milliseconds, rounded to seconds; `None` beyond a day.
    pub(super) fn from_millis(millis: i64) -> Option<Self> {
        let seconds = i32::try_from(millis / SECOND).ok()?;
        (i64::from(seconds.unsigned_abs()) < DAY / SECOND).then_some(Self(seconds))
    }
}

impl FromStr for Zone {
    type Err = String;

    /// `UTC`, `Z`, `-0500`, `+05:30` or `-5`.
    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("{text:?} is no zone: expected UTC, or a distance from it such as -0500 or +05:30");
        if ["UTC", "GMT", "Z"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(text))
        {
            return Ok(Self::UTC);
        }
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+').ok_or_else(error)?),
        };
        let (hours, minutes) = match digits.split_once(':') {
            Some(parts) => parts,
            None if digits.len() == 4 => digits.split_at_checked(2).ok_or_else(error)?,
            None => (digits, "0"),
        };
        let part = |text: &str, below: i32| {
            let number = (1..=2).contains(&text.len()).then(|| digits_of(text)).flatten()?;
            i32::try_from(number).ok().filter(|number| *number < below)
        };
        let hours = part(hours, 15).ok_or_else(error)?;
        let minutes = part(minutes, 60).ok_or_else(error)?;
        Ok(Self(sign * (hours * 3600 + minutes * 60)))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("UTC");
        }
        let sign = if self.0 < 0 { '-' } else { '+' };
        let minutes = self.0.unsigned_abs() / 60;
        write!(f, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

/// The time of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Milliseconds of the wall clock that wrote the line, since the beginning of 1970; of a line without a date, since
    /// midnight.
    pub(super) wall: i64,
    /// The zone, when the line says it.
    pub(super) zone: Option<Zone>,
    /// Whether the line has a date.
    pub(super) dated: bool,
}

impl Stamp {
    /// `2019/03/05` or `2019-03-05`, by its separator.
    pub(super) fn date(text: &str, separator: char) -> Option<i64> {
        let mut parts = text.split(separator);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && year.len() == 4).then_some(())?;
        days(digits_of(year)?, digits_of(month)?, digits_of(day)?)
    }

    /// `06/03/15`: month, day and two digits of the year.
    pub(super) fn american_date(text: &str) -> Option<i64> {
        let mut parts = text.split('/');
        let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && year.len() == 2).then_some(())?;
        days(2000 + digits_of(year)?, digits_of(month)?, digits_of(day)?)
    }

    /// `27/Feb/2019`, as access logs have it.
    pub(super) fn access_date(text: &str) -> Option<i64> {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let mut parts = text.split('/');
        let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && year.len() == 4).then_some(())?;
        let month = MONTHS.iter().position(|name| *name == month)?;
        days(digits_of(year)?, u32::try_from(month).ok()? + 1, digits_of(day)?)
    }

    /// `12:31:21`, with or without a fraction.
    pub(super) fn time(text: &str) -> Option<i64> {
        let mut parts = text.split(':');
        let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && hours.len() == 2 && minutes.len() == 2).then_some(())?;
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        (seconds.len() == 2).then_some(())?;
        let number = |text, below| digits_of(text).filter(|number| *number < below).map(i64::from);
        // Digits beyond the third are cut off, missing ones are zeros.
        let millis = fraction.bytes().chain(*b"00").take(3).try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })?;
        (!fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit())).then_some(())?;
        Some(
            number(hours, 24)? * HOUR
                + number(minutes, 60)? * MINUTE
                + number(seconds, 61)? * SECOND
                + millis,
        )
    }
}

/// A number of up to nine digits and nothing else.
pub(super) fn digits_of(text: &str) -> Option<u32> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Milliseconds from 1970 to the beginning of a day.
fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    Some(i64::from(date.to_julian_day() - Date::from_ordinal_date(1970, 1).ok()?.to_julian_day()) * DAY)
}

/// A time of a wall clock for people: with its date when it has one, with milliseconds when it has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) wall: i64,
    pub(super) dated: bool,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, rest) = (self.wall.div_euclid(DAY), self.wall.rem_euclid(DAY));
        let epoch = Date::from_ordinal_date(1970, 1).map_or(0, Date::to_julian_day);
        if self.dated
            && let Some(date) = i32::try_from(day)
                .ok()
                .and_then(|day| Date::from_julian_day(epoch.checked_add(day)?).ok())
        {
            write!(
                f,
                "{:04}-{:02}-{:02} ",
                date.year(),
                u8::from(date.month()),
                date.day()
            )?;
        }
        write!(
            f,
            "{:02}:{:02}:{:02}",
            rest / HOUR,
            rest % HOUR / MINUTE,
            rest % MINUTE / SECOND
        )?;
        match rest % SECOND {
            0 => Ok(()),
            millis => write!(f, ".{millis:03}"),
        }
    }
}

/// A span in seconds with its milliseconds, such as `1.332 s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03} s", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_zones_as_people_write_them() {
        let zones = ["UTC", "z", "-0500", "-05:00", "-5", "+05:30"]
            .map(|text| text.parse::<Zone>().unwrap().to_string());
        assert_eq!(zones, ["UTC", "UTC", "-0500", "-0500", "-0500", "+0530"]);
        for bad in ["", "EST", "5", "-", "+99", "+0560", "-5:0:0", "+é1"] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_the_dates_of_every_log() {
        let day = Stamp::date("2019/02/27", '/').unwrap();
        assert_eq!(Stamp::date("2019-02-27", '-'), Some(day));
        assert_eq!(Stamp::american_date("02/27/19"), Some(day));
        assert_eq!(Stamp::access_date("27/Feb/2019"), Some(day));
        assert_eq!(day, 17_954 * DAY);
        for bad in [
            "2019/02/30",
            "2019/13/01",
            "19/02/03",
            "2019/02/27/1",
            "2019/0a/01",
        ] {
            assert_eq!(Stamp::date(bad, '/'), None, "{bad}");
        }
    }

    #[test]
    fn reads_times_with_any_fraction() {
        assert_eq!(Stamp::time("00:00:01.5"), Some(1500));
        assert_eq!(Stamp::time("00:01:00.123456"), Some(60_123));
        assert_eq!(Stamp::time("23:59:59"), Some(DAY - 1000));
        for bad in [
            "24:00:00",
            "1:00:00",
            "00:00:00.",
            "00:00:00.1x",
            "00:00",
            "00:00:0",
        ] {
            assert_eq!(Stamp::time(bad), None, "{bad}");
        }
    }

    #[test]
    fn prints_what_it_read() {
        let wall = Stamp::date("2019-03-05", '-').unwrap() + Stamp::time("17:31:15.007").unwrap();
        assert_eq!(Clock { wall, dated: true }.to_string(), "2019-03-05 17:31:15.007");
        assert_eq!(
            Clock {
                wall: 1000,
                dated: false
            }
            .to_string(),
            "00:00:01"
        );
        assert_eq!(Seconds(1332).to_string(), "1.332 s");
        assert_eq!(Seconds(-6000).to_string(), "-6.000 s");
    }
}
