//! What became of a mail for each of those whom it goes to, and what that comes to. Pure.

use deploy_by_code::publish::Told;
use lettre::Address;

/// How many of those who do not have the mail are named.
const NAMED_MAX: usize = 3;

/// What became of a mail for one of those whom it goes to. The text is what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// They have it.
    Taken(String),
    /// They will never get it.
    Refused(String),
    /// They may get it later. Others may get it now.
    PutOff(String),
    /// Nobody could get it now.
    Failed(String),
}

impl Fate {
    fn answer(&self) -> &str {
        let (Self::Taken(text) | Self::Refused(text) | Self::PutOff(text) | Self::Failed(text)) =
            self;
        text
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::PutOff(_) | Self::Failed(_))
    }
}

/// What became of a mail for each of those whom it goes to.
pub(super) type Fates = Vec<(Address, Fate)>;

/// The same for all of them.
pub(super) fn all(to: &[Address], fate: &Fate) -> Fates {
    to.iter().map(|to| (to.clone(), fate.clone())).collect()
}

/// What the mail to those whom the configuration names and the mail to the author come to.
///
/// The author's mail holds up no later event and is no failure, because anybody can write any
/// address into a commit. Only where it is the only mail does it count what becomes of it.
pub(super) fn told(listed: &Fates, author: Option<&Fate>) -> Told {
    if listed.is_empty() {
        return to_author_alone(author);
    }
    let why = answer(listed, author);
    let has = |is: fn(&Fate) -> bool| listed.iter().any(|(_, fate)| is(fate));
    let is_refused = has(|fate| matches!(fate, Fate::Refused(_)));

    if has(Fate::is_open) {
        // As long as nobody has it, the order of events is kept.
        return match has(|fate| matches!(fate, Fate::Taken(_))) {
            true => Told::Partly {
                why,
                is_enough: false,
            },
            false => Told::Later(why),
        };
    }
    match author {
        Some(author) if author.is_open() => Told::Partly {
            why,
            is_enough: !is_refused,
        },
        _ if is_refused => Told::Refused(why),
        _ => Told::Delivered(why),
    }
}

fn to_author_alone(author: Option<&Fate>) -> Told {
    match author.cloned() {
        None => Told::Delivered(
            "nothing was sent: this is about no commit, or its author is not known".to_owned(),
        ),
        Some(Fate::Taken(answer)) => Told::Delivered(answer),
        Some(Fate::Refused(why)) => Told::Refused(why),
        Some(Fate::PutOff(why)) => Told::Partly {
            why,
            is_enough: false,
        },
        Some(Fate::Failed(why)) => Told::Later(why),
    }
}

/// Who does not have the mail, and why, those first who will never get it; and what was answered to
/// the others.
fn answer(listed: &Fates, author: Option<&Fate>) -> String {
    let mut without: Vec<(u8, String)> = Vec::new();
    let mut taken = None;
    for (address, fate) in listed {
        match fate {
            Fate::Taken(answer) => taken = Some(answer),
            Fate::Refused(why) => without.push((0, format!("{address}: {why}"))),
            Fate::PutOff(why) => without.push((1, format!("{address}: {why}"))),
            Fate::Failed(why) => without.push((2, why.clone())),
        }
    }
    without.sort_by_key(|(rank, _)| *rank);
    // What nobody could get failed for one reason.
    without.dedup();
    let more = without.len().saturating_sub(NAMED_MAX);
    let named = without.into_iter().take(NAMED_MAX).map(|(_, why)| why);
    let mut named: Vec<String> = named.collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }

    let without = named.join("; ");
    let mut answer = match taken {
        Some(taken) if without.is_empty() => taken.clone(),
        Some(taken) => format!("not to everybody: {without}; to the others: {taken}"),
        None => without,
    };
    if let Some(author) = author.filter(|author| !matches!(author, Fate::Taken(_))) {
        answer.push_str("; not to the author: ");
        answer.push_str(author.answer());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken() -> Fate {
        Fate::Taken("ok".to_owned())
    }

    fn refused() -> Fate {
        Fate::Refused("550".to_owned())
    }

    fn put_off() -> Fate {
        Fate::PutOff("450".to_owned())
    }

    fn failed() -> Fate {
        Fate::Failed("no route".to_owned())
    }

    /// What it comes to if the mail goes to `a@x`, `b@x` and so on.
    fn found(listed: &[Fate], author: Option<Fate>) -> String {
        let to = ('a'..='z').map(|name| format!("{name}@x.org").parse().unwrap());
        let listed: Fates = to.zip(listed.iter().cloned()).collect();
        match told(&listed, author.as_ref()) {
            Told::Delivered(text) => format!("delivered {text}"),
            Told::Later(text) => format!("later {text}"),
            Told::Refused(text) => format!("refused {text}"),
            Told::Partly { why, is_enough } => format!("partly {is_enough} {why}"),
        }
    }

    #[test]
    fn who_is_put_off_holds_up_nobody_who_has_it() {
        let all = "not to everybody: ";
        let table: [(&[Fate], String); 7] = [
            (&[taken(), taken()], "delivered ok".to_owned()),
            (
                &[taken(), put_off()],
                format!("partly false {all}b@x.org: 450; to the others: ok"),
            ),
            (
                &[put_off(), taken(), refused()],
                format!("partly false {all}c@x.org: 550; a@x.org: 450; to the others: ok"),
            ),
            (
                &[taken(), refused()],
                format!("refused {all}b@x.org: 550; to the others: ok"),
            ),
            (
                &[put_off(), refused()],
                "later b@x.org: 550; a@x.org: 450".to_owned(),
            ),
            (&[failed(), failed()], "later no route".to_owned()),
            (
                &[taken(), failed(), failed()],
                format!("partly false {all}no route; to the others: ok"),
            ),
        ];
        for (listed, expect) in table {
            assert_eq!(found(listed, None), expect, "{listed:?}");
        }
    }

    #[test]
    fn author_decides_nothing_about_the_others() {
        let table = [
            (taken(), Some(taken()), "delivered ok"),
            (
                taken(),
                Some(refused()),
                "delivered ok; not to the author: 550",
            ),
            (
                taken(),
                Some(put_off()),
                "partly true ok; not to the author: 450",
            ),
            (
                taken(),
                Some(failed()),
                "partly true ok; not to the author: no route",
            ),
            (refused(), Some(taken()), "refused a@x.org: 550"),
            (
                refused(),
                Some(put_off()),
                "partly false a@x.org: 550; not to the author: 450",
            ),
            (put_off(), Some(taken()), "later a@x.org: 450"),
        ];
        for (listed, author, expect) in table {
            assert_eq!(found(&[listed], author), expect);
        }
    }

    #[test]
    fn author_alone_holds_up_no_later_event() {
        let table = [
            (Some(taken()), "delivered ok"),
            (Some(refused()), "refused 550"),
            (Some(put_off()), "partly false 450"),
            (Some(failed()), "later no route"),
        ];
        for (author, expect) in table {
            assert_eq!(found(&[], author), expect);
        }
        assert!(found(&[], None).starts_with("delivered nothing was sent"));
    }

    #[test]
    fn some_of_those_who_do_not_have_it_are_named() {
        let five = [refused(), refused(), refused(), refused(), refused()];
        let expect = "refused a@x.org: 550; b@x.org: 550; c@x.org: 550; and 2 more";
        assert_eq!(found(&five, None), expect);
    }
}
