//! `--test NAME`: sends a test event to one target.

use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::id::NotifyName;
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use deploy_by_code::store::Addressees;
use deploy_by_code::text::nearest;

use crate::arguments::print;
use crate::recipient::send;

/// Sends a test event, prints the answer, and returns whether the other side took it.
pub(crate) fn try_once(deploy: &DeployRepository, name: &NotifyName) -> bool {
    let Some(section) = deploy.config.notify.get(name) else {
        let known = deploy.config.notify.keys().map(NotifyName::as_str);
        let near = nearest(name.as_str(), known);
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        print(&format!("the configuration has no [notify.{name}]{near}"));
        return false;
    };
    let store = match deploy.open_store() {
        Ok(store) => store,
        Err(error) => {
            print(&error.to_string());
            return false;
        }
    };

    let row = EventRow::test(deploy, name.as_str());
    let told = send(&store, section, &row, &mut Addressees::new());
    let (word, answer) = match &told {
        Told::Delivered(answer) => ("delivered", answer),
        Told::Later(why) => ("not delivered", why),
        Told::Partly { why, .. } => ("partly delivered", why),
        Told::Refused(why) => ("refused", why),
    };
    print(&format!("{name}: {word}: {answer}"));
    matches!(told, Told::Delivered(_))
}
