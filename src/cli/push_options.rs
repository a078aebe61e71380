//! What the pusher asked for with `git push -o`.

use crate::text;
use crate::verbs::Watch;

/// Reads the push options: what the pusher wants to watch, and remarks about options that are not
/// known. Other programs have push options too, so an unknown one gets a remark only if it
/// resembles one of this program.
pub(super) fn read(options: &[String]) -> (Option<Watch>, String) {
    let mut remarks = String::new();
    for option in options {
        let near = text::nearest(option, ["follow", "wait", "skip-deploy"]);
        let shown = text::escape(option, 40);
        match (option.as_str(), near) {
            ("follow" | "wait", _) | (_, None) => {}
            (_, Some("skip-deploy")) => remarks.push_str(&format!(
                "deploy-by-code: there is no push option {shown}: what is merged gets deployed\n"
            )),
            (_, Some(near)) => remarks.push_str(&format!(
                "deploy-by-code: unknown push option {shown}; did you mean {near}?\n"
            )),
        }
    }

    let has = |wanted: &str| options.iter().any(|option| option == wanted);
    let watch = if has("follow") {
        Some(Watch::Output)
    } else {
        has("wait").then_some(Watch::End)
    };
    (watch, remarks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_options_are_followed_and_near_ones_get_a_remark() {
        let unknown = "deploy-by-code: unknown push option folow; did you mean follow?\n";
        let skip = "deploy-by-code: there is no push option skip-deploy: \
                    what is merged gets deployed\n";

        let table: [(&[&str], Option<Watch>, &str); 5] = [
            (&["follow"], Some(Watch::Output), ""),
            (&["wait", "ci.skip"], Some(Watch::End), ""),
            (&["wait", "follow"], Some(Watch::Output), ""),
            (&["folow"], None, unknown),
            (&["skip-deploy"], None, skip),
        ];
        for (options, watch, remarks) in table {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            assert_eq!(read(&options), (watch, remarks.to_owned()), "{options:?}");
        }
    }
}
