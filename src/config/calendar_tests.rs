use super::*;

/// The rules of central Europe since 1996, as the IANA database writes them: no file of the
/// machine is read.
fn zones(name: &str) -> Option<TimeZone> {
    (name == "Europe/Zurich").then(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
}

/// Asserts until when the window holds at `now`, both in UTC; empty: `now` is outside of it.
#[track_caller]
fn check(window: &str, now: &str, until: &str) {
    let at: jiff::Timestamp = now.parse().unwrap();
    let found = Window::parse(window, &zones)
        .unwrap()
        .until(Timestamp::from_ms(at.as_millisecond()));

    let found = found.map(Timestamp::minute).unwrap_or_default();
    assert_eq!(found, until, "{window} at {now}");
}

#[test]
fn weekly_window_follows_the_zone() {
    let weekend = "Fri 16:00 .. Mon 08:00 Europe/Zurich";

    // Winter: UTC+1.
    check(weekend, "2026-11-27T14:59:59Z", "");
    check(weekend, "2026-11-27T15:00:00Z", "2026-11-30 07:00");
    check(weekend, "2026-11-29T12:00:00Z", "2026-11-30 07:00");
    check(weekend, "2026-11-30T06:59:59Z", "2026-11-30 07:00");
    check(weekend, "2026-11-30T07:00:00Z", "");

    // Summer: UTC+2.
    check(weekend, "2026-07-03T14:00:00Z", "2026-07-06 06:00");

    // On 2026-10-25 the clock goes back in the middle of the window.
    check(weekend, "2026-10-23T14:00:00Z", "2026-10-26 07:00");
    check(weekend, "2026-10-26T06:30:00Z", "2026-10-26 07:00");

    // On 2026-03-29 it goes forward in the middle of the window.
    check(weekend, "2026-03-27T14:59:00Z", "");
    check(weekend, "2026-03-27T15:00:00Z", "2026-03-30 06:00");
    check(weekend, "2026-03-30T06:00:00Z", "");

    // On the same day it goes forward over the whole window.
    let skipped = "sun 02:30 .. sun 03:00 Europe/Zurich";
    check(skipped, "2026-03-29T01:00:00Z", "");
}

#[test]
fn weekly_window_can_begin_and_end_on_the_same_day() {
    let short = "Tue 10:00 .. Tue 12:00";
    check(short, "2026-11-24T11:00:00Z", "2026-11-24 12:00");
    check(short, "2026-11-24T12:00:00Z", "");

    // All of the week but two hours.
    let long = "Tue 12:00 .. Tue 10:00";
    check(long, "2026-11-24T09:00:00Z", "2026-11-24 10:00");
    check(long, "2026-11-24T11:00:00Z", "");
    check(long, "2026-11-24T12:00:00Z", "2026-12-01 10:00");
}

#[test]
fn window_of_dates_holds_whole_days() {
    let christmas = "2026-12-24 .. 2027-01-02";
    check(christmas, "2026-12-23T23:59:59Z", "");
    check(christmas, "2026-12-24T00:00:00Z", "2027-01-03 00:00");
    check(christmas, "2027-01-02T23:59:59Z", "2027-01-03 00:00");
    check(christmas, "2027-01-03T00:00:00Z", "");

    let day = "2026-12-24 .. 2026-12-24";
    check(day, "2026-12-24T12:00:00Z", "2026-12-25 00:00");

    let afternoon = "2026-12-24 12:00 .. 2026-12-24 18:00 Europe/Zurich";
    check(afternoon, "2026-12-24T10:59:00Z", "");
    check(afternoon, "2026-12-24T11:00:00Z", "2026-12-24 17:00");
}

#[test]
fn text_that_is_not_a_window_is_reported() {
    let error = |text| Window::parse(text, &zones).unwrap_err().to_string();

    let form = "is not a period like \"Fri 16:00 .. Mon 08:00 Europe/Zurich\" \
                or \"2026-12-24 .. 2027-01-02\"";
    for text in [
        "",
        "..",
        "Fri 16:00",
        "Fri .. Mon",
        "Fri 16:00 .. 2026-12-24",
        "Fri 25:00 .. Mon 08:00",
        "a b c .. d",
        "2026-13-01 .. 2027-01-01",
    ] {
        assert_eq!(error(text), format!("\"{text}\" {form}"));
    }

    assert_eq!(
        error("Fri 16:00 .. Mon 08:00 Europe/Zürich"),
        "unknown time zone \"Europe/Zürich\"; names are those of the package tzdata"
    );
    assert_eq!(
        error("Fri 16:00 .. Fri 16:00"),
        "\"Fri 16:00 .. Fri 16:00\" ends where it begins"
    );
    for text in [
        "2026-01-01 .. 9999-12-31",
        "2026-01-01 .. 9999-12-30",
        "2026-01-01 00:00 .. 9999-12-31 23:59",
        "9999-12-31 .. 9999-12-31",
    ] {
        let too_late =
            "has an end that is too late; the last day that can be written is 9999-12-29";
        assert_eq!(error(text), format!("\"{text}\" {too_late}"));
    }
    let for_ever = "2026-01-01 .. 9999-12-29";
    check(for_ever, "2026-11-27T00:00:00Z", "9999-12-30 00:00");

    assert_eq!(
        error("2026-12-24 .. 2026-12-23"),
        "\"2026-12-24 .. 2026-12-23\" ends before it begins"
    );
}
