//! What counts in a message, and what does not.

use super::*;

/// What counts in a message, as `name=value`, and what does not, as `name@line: why`.
fn read(message: &str) -> (Vec<String>, Vec<String>) {
    show(trailers(message.as_bytes(), None))
}

fn show(declared: DeclaredTrailers) -> (Vec<String>, Vec<String>) {
    let counted = declared.counted.iter();
    let uncounted = declared.uncounted.iter();
    (
        counted
            .map(|trailer| format!("{}={}", trailer.name, trailer.value))
            .collect(),
        uncounted
            .map(|miss| format!("{}@{}: {:?}", miss.name, miss.line, miss.why))
            .collect(),
    )
}

#[test]
fn subject_is_the_first_paragraph() {
    let long = "x".repeat(SUBJECT_MAX + 1);
    let table: [(&[u8], Option<&str>); 7] = [
        (b"", None),
        (b"\n \n", None),
        (b"\0hidden", None),
        (b"Fix alarms\n\nBody\n", Some("Fix alarms")),
        (b"\nFix\n  alarms \nBody\0x", Some("Fix alarms Body")),
        (b"\xe9t\xc3\xa9", Some("\\xe9t\u{e9}")),
        (long.as_bytes(), Some(&long[1..])),
    ];
    for (message, expect) in table {
        assert_eq!(subject(message).as_deref(), expect, "{message:?}");
    }
}

#[test]
fn trailers_count_in_a_paragraph_of_their_own() {
    let table = [
        ("T\n\nDeploy-Rollback: why", &["rollback=why"][..]),
        ("T\n\nDeploy-Rollback: why\n", &["rollback=why"]),
        ("\n\nT\n\nDeploy-Rollback: why\n", &["rollback=why"]),
        ("T\n\ndeploy-ROLLBACK  :why  \n", &["rollback=why"]),
        // CRLF, and an empty line that is not quite empty.
        ("T\r\n\r\nDeploy-Rollback: why\r\n", &["rollback=why"]),
        ("T\n \t\nDeploy-Rollback: why", &["rollback=why"]),
        // What merge buttons append.
        (
            "T (#1)\n\nDeploy-Rollback: why\n\n---------\n\nCo-authored-by: A <a>\n",
            &["rollback=why"],
        ),
        (
            "T (#1)\n\nDeploy-Rollback: why\n---------\nCo-authored-by: A <a>\n",
            &["rollback=why"],
        ),
        (
            "T\n\nDeploy-Rollback: why\n\nSee merge request a/b!1",
            &["rollback=why"],
        ),
        (
            "T\n\nDeploy-Rollback: why\nReviewed-on: https://x/1\nReviewed-by: A <a>",
            &["rollback=why"],
        ),
        (
            "T\n\n* one\n\nDeploy-Rollback: why\n\n* two\n\nDeploy-Alone: b",
            &["rollback=why", "alone=b"],
        ),
        (
            "T\n\nDeploy-Rollback: why\n(cherry picked from commit 1)\n",
            &["rollback=why"],
        ),
        // A value can be folded, and the first of two comes first.
        (
            "T\n\nDeploy-Rollback: since\n  this\n\tmorning\nX: y",
            &["rollback=since this morning"],
        ),
        ("T\n\nDeploy-Rollback:\n why\n", &["rollback=why"]),
        (
            "T\n\nDeploy-Rollback: a\nDeploy-Rollback: b",
            &["rollback=a", "rollback=b"],
        ),
        (
            "T\n\nDeploy-After: app 0170b60\nOther: x",
            &["after=app 0170b60"],
        ),
    ];
    for (message, expect) in table {
        assert_eq!(
            read(message),
            (expect.iter().map(|s| (*s).to_owned()).collect(), vec![]),
            "{message:?}"
        );
    }
}

#[test]
fn line_that_is_no_trailer_does_not_count_and_is_named() {
    let table = [
        ("Deploy-Rollback: why", "rollback@1: InTitle"),
        ("T\nDeploy-Rollback: why\n\nbody", "rollback@2: InTitle"),
        ("T\n\n> Deploy-Rollback: why", "rollback@3: Marked"),
        ("T\n\n* Deploy-Rollback: why", "rollback@3: Marked"),
        ("T\n\n`Deploy-Rollback: why`", "rollback@3: Marked"),
        ("T\n\n    Deploy-Rollback: why", "rollback@3: Indented"),
        ("T\n\nX: y\n Deploy-Rollback: why", "rollback@4: Indented"),
        (
            "T\n\nDeploy-Rollback: why\nand more",
            "rollback@3: AmongOthers(4)",
        ),
        (
            "T\n\nSay this:\nprose\nDeploy-Rollback: why",
            "rollback@5: AmongOthers(3)",
        ),
        (
            "T\n\n```\nDeploy-Rollback: why\n```",
            "rollback@4: AmongOthers(3)",
        ),
        ("T\n\nDeploy-Rollback:", "rollback@3: NoValue"),
        ("T\n\nDeploy-Rollback: \u{200b}", "rollback@3: NoValue"),
        ("T\n\nDeploy-Rollback: <reason>", "rollback@3: NoValue"),
        (
            "T\n\nbody\0\n\nDeploy-Rollback: why",
            "rollback@3: BehindNul",
        ),
        ("T\n\nbody\0Deploy-Rollback: why", "rollback@3: BehindNul"),
    ];
    for (message, expect) in table {
        assert_eq!(
            read(message),
            (vec![], vec![expect.to_owned()]),
            "{message:?}"
        );
    }

    // A need counts among prose.
    let among_prose = "T\n\nDeploy-After: app 0170b60\nfor the new table\n";
    assert_eq!(read(among_prose).0, ["after=app 0170b60"]);

    // A slip is named, whatever paragraph it is in, and so is a trailer that nobody knows.
    let table = [
        (
            "Deploy-Rolback: why",
            "rollback@1: Misspelt(\"Deploy-Rolback\")",
        ),
        (
            "T\n\nX: y\ndeploy-rollback why",
            "rollback@4: Misspelt(\"deploy-rollback\")",
        ),
        (
            "T\n\n> Deploy-Roll-Back: why",
            "rollback@3: Misspelt(\"Deploy-Roll-Back\")",
        ),
        (
            "T\n\nDeploy-Rolback: why",
            "rollback@3: Unknown(\"Deploy-Rolback\")",
        ),
        (
            "T\n\nX: y\nDeploy-Freeze : why",
            "freeze@4: Unknown(\"Deploy-Freeze\")",
        ),
    ];
    for (message, expect) in table {
        assert_eq!(
            read(message),
            (vec![], vec![expect.to_owned()]),
            "{message:?}"
        );
    }

    // Neither prose nor other trailers are reported.
    for message in [
        "T\n\nSee Deploy-Rollback: why",
        "T\n\nrun Deploy-Rollback",
        "T\n\nX: y\nz",
        "Deploy-Freeze: why",
        "T\n\nDeploy-Freeze: why\nprose",
    ] {
        assert_eq!(read(message), (vec![], vec![]), "{message:?}");
    }
}

#[test]
fn message_in_an_encoding_unlike_ascii_gives_no_reason() {
    let read = |encoding: &str| {
        let message = b"T\n\nDeploy-Rollback: why";
        show(trailers(message, Some(encoding.as_bytes())))
    };
    for encoding in [
        "UTF-8",
        "utf8",
        "ISO-8859-1",
        "iso-8859-15",
        "latin1",
        "windows-1252",
        "cp1252",
        "KOI8-R",
    ] {
        assert_eq!(read(encoding).0, ["rollback=why"], "{encoding}");
    }
    for encoding in [
        "UTF-16",
        "UTF-7",
        "utf-8-mac",
        "EBCDIC-US",
        "IBM037",
        "x",
        "",
    ] {
        let expect = format!("rollback@3: Encoded({encoding:?})");
        assert_eq!(read(encoding), (vec![], vec![expect]), "{encoding}");
    }
}

#[test]
fn everything_that_is_kept_has_a_limit() {
    let long = format!(
        "T\n\nDeploy-Rollback: {}\n{}",
        "x".repeat(9000),
        " y\n".repeat(9000)
    );
    let value = &trailers(long.as_bytes(), None).counted[0].value;
    assert_eq!(value.chars().count(), VALUE_MAX);

    let many = format!("T\n\n{}prose", "Deploy-Alone: x\n".repeat(1000));
    assert_eq!(
        trailers(many.as_bytes(), None).uncounted.len(),
        UNCOUNTED_MAX
    );
}
