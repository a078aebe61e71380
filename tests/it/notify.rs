//! Those who are told of what happens are told of it, whatever stands in the way meanwhile.

use serde_json::Value;

use crate::world::World;

/// A world in which a program is told of some kinds of events. It appends what it gets to the file
/// `told`, and fails while the file `broken` is there.
pub fn told(events: &str) -> World {
    let world = World::installed();
    let script = "[ ! -e broken ] || { echo it is broken >&2; exit 1; }\n\
         event=$(tr -d '\\n')\nprintf '%s\\n' \"$event\" >>told\n";
    let script = format!("cd '{}'\n{script}", world.path("").display());
    std::fs::write(world.path("tell"), script).unwrap();
    let file = world.path("tell").display().to_string();
    world.config(&format!(
        "[notify.program]\nkind = \"command\"\ncommand = [\"/bin/sh\", {file:?}]\n\
         events = [{events}]\n"
    ));
    world
}

/// The events that the program got, in their order.
pub fn got(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.path("told")).unwrap_or_default();
    let line = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

#[test]
fn program_is_told_how_a_deployment_ends() {
    let world = told("\"succeeded\", \"failed\"");
    world.deploy("production/app", 1);
    world.push();
    world.wait_until("the program is told", || got(&world).len() == 1);

    let event = &got(&world)[0];
    assert_eq!(event["event"], "succeeded");
    assert_eq!(event["environment"], "production");
    assert_eq!(event["deployment"]["id"], 1);
}
