//! Date functions: seconds since the epoch to parts of a UTC date.

use super::math::FloatFunction;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// A calendar date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// The function of a time in seconds called `name`, if it is a date function.
pub(crate) fn time_function(name: &str) -> Option<FloatFunction> {
    let function: FloatFunction = match name {
        "minute" => |v, _| part(v, |_, of_day| of_day % 3600 / 60),
        "hour" => |v, _| part(v, |_, of_day| of_day / 3600),
        "day_of_week" => |v, _| part(v, |days, _| (days + 4).rem_euclid(7)),
        "day_of_month" => |v, _| part(v, |days, _| civil(days).day),
        "day_of_year" => {
            |v, _| part(v, |days, _| days - days_before(Date { month: 1, day: 1, ..civil(days) }) + 1)
        }
        "days_in_month" => |v, _| part(v, |days, _| days_in_month(civil(days))),
        "month" => |v, _| part(v, |days, _| civil(days).month),
        "year" => |v, _| part(v, |days, _| civil(days).year),
        _ => return None,
    };
    Some(function)
}

/// `f` of the day since 1970 and the second of the day.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "saturates; parts of dates are small"
)]
fn part(seconds: f64, f: fn(i64, i64) -> i64) -> Option<f64> {
    // What does not fit 64 bits, NaN included, is one second past the end of time in Go.
    const PAST_END: (i64, i64) = (i64::MAX / DAY, i64::MAX % DAY + 1);
    const BITS_63: f64 = 9_223_372_036_854_775_808.0;
    let fits = (-BITS_63..BITS_63).contains(&seconds);
    let whole = seconds as i64;
    let (days, of_day) = if fits { (whole.div_euclid(DAY), whole.rem_euclid(DAY)) } else { PAST_END };
    Some(f(days, of_day) as f64)
}

fn days_in_month(date: Date) -> i64 {
    let (year, month) = if date.month == 12 { (date.year + 1, 1) } else { (date.year, date.month + 1) };
    days_before(Date { year, month, day: 1 }) - days_before(Date { day: 1, ..date })
}

/// `2023-11-14T22:13:20Z`, with milliseconds when there are any.
pub(crate) fn rfc3339(ms: i64) -> String {
    let (seconds, millis) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let (days, of_day) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let d = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day % 3600 / 60, of_day % 60);
    let mut fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    while fraction.ends_with('0') {
        fraction.pop();
    }
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", d.year, d.month, d.day)
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years are counted from March, so that
/// the leap day is the last of its year.
fn civil(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// Days from 1970-01-01 to a date.
fn days_before(date: Date) -> i64 {
    let year = date.year - i64::from(date.month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = if date.month > 2 { date.month - 3 } else { date.month + 9 };
    let of_year = (153 * month + 2) / 5 + date.day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_dates() {
        // 2016-02-29T23:59:30Z, a Monday.
        let t = 1_456_790_370.0;
        for (name, expected) in [
            ("minute", 59.0),
            ("hour", 23.0),
            ("day_of_week", 1.0),
            ("day_of_month", 29.0),
            ("day_of_year", 60.0),
            ("days_in_month", 29.0),
            ("month", 2.0),
            ("year", 2016.0),
        ] {
            assert_eq!(time_function(name).and_then(|f| f(t, &[])), Some(expected), "{name}");
        }
        assert_eq!(time_function("year").and_then(|f| f(-1.0, &[])), Some(1969.0));
        for (name, expected) in
            [("hour", 15.0), ("day_of_week", 0.0), ("day_of_year", 339.0), ("days_in_month", 31.0)]
        {
            for far in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
                assert_eq!(time_function(name).and_then(|f| f(far, &[])), Some(expected), "{name} of {far}");
            }
        }
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.12Z");
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-800_000..800_000).step_by(97) {
            assert_eq!(days_before(civil(days)), days);
        }
    }
}
