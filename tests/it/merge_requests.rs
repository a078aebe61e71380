//! The scripts of docs/merge-requests.md, against a server that has the comments of a request.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::approvals_page::blocks;
use crate::http_server::{PYTHON, data};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::signing::{ONE_APPROVAL, approve, commit_signed, world_of_signers};
use crate::world::World;

const A: &str = "production/a";

/// A forge with one merge request of a change that alice has signed.
struct Forge {
    world: World,
    server: Child,
}

impl Forge {
    fn new() -> Self {
        let world = world_of_signers(&format!("[environments.staging]\n{ONE_APPROVAL}"));
        world.write("README", "x");
        world.push();
        world.deploy(A, 1);
        commit_signed(&world, "alice", &["Deploy"]);

        let folder = world.path("forge");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("comments.json"), "[]").unwrap();
        let mut server = world.command(PYTHON, ".");
        server.arg(data("forge/comments.py")).arg(&folder);
        let server = server.stdin(Stdio::null()).spawn().unwrap();
        world.wait_until("the server listens", || folder.join("port").exists());

        let scripts = blocks("docs/merge-requests.md", "sh");
        let plan = scripts[0].replace(
            "/srv/git/deploys.git",
            &world.repository().display().to_string(),
        );
        let own = Path::new(BINARY).parent().unwrap().display();
        fs::create_dir(world.path("bin")).unwrap();
        for (name, script) in [
            ("plan-of-request", plan.as_str()),
            ("plan-comment", &scripts[1]),
            // What sshd does with the command of a client.
            (
                "ssh",
                &format!(
                    "#!/bin/sh\n[ \"$1 $2\" = '-n deploys@git.example.org' ] || exit 255\n\
                     SSH_ORIGINAL_COMMAND=$3 PATH='{own}':$PATH exec plan-of-request\n"
                ),
            ),
        ] {
            let file = world.path("bin").join(name);
            fs::write(&file, script).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        }
        Self { world, server }
    }

    /// Pushes the request, as the forge keeps it, and runs the pipeline.
    fn pipeline(&self, method: &str, header: &str, name: &str) -> Run {
        self.world
            .push_with(&["-f", "origin", "HEAD:refs/pull/7/head"])
            .ok();
        let port = fs::read_to_string(self.world.path("forge/port")).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let bin = self.world.path("bin").display().to_string();
        let mut script = self.world.command("plan-comment", ".");
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        script
            .env("PATH", path)
            .env("SERVER", "deploys@git.example.org")
            .env("REF", name)
            .env("COMMENTS", format!("{url}/comments"))
            .env("COMMENT", format!("{url}/comment"))
            .env("METHOD", method)
            .env("HEADER", header)
            .env("BOT", "plans");
        run(&mut script, b"")
    }

    fn comments(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.world.path("forge/comments.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn write_comments(&self, comments: &Value) {
        fs::write(self.world.path("forge/comments.json"), comments.to_string()).unwrap();
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn script_updates_one_comment_and_exits_as_the_plan() {
    for (method, header) in [
        ("PATCH", "Authorization: token secret"),
        ("PUT", "PRIVATE-TOKEN: secret"),
    ] {
        let forge = Forge::new();
        // Somebody else writes what looks like the comment of the script.
        let other = json!([{
            "id": 1, "body": "<!-- deploy-by-code plan -->\nAll is well.",
            "user": {"login": "mallory"}, "author": {"username": "mallory"},
        }]);
        forge.write_comments(&other);
        let body = |forge: &Forge| {
            let comments = forge.comments();
            assert_eq!(comments.len(), 2, "{comments:?}");
            assert!(
                comments[0]["body"]
                    .as_str()
                    .unwrap()
                    .ends_with("All is well.")
            );
            comments[1]["body"].as_str().unwrap().to_owned()
        };

        forge.pipeline(method, header, "refs/pull/7/head").exits(1);
        assert!(body(&forge).contains("**refused:** production needs 1 approval"));

        approve(&forge.world, "bob", A);
        forge.pipeline(method, header, "refs/pull/7/head").ok();
        let body = body(&forge);
        assert!(
            body.contains("approved by bob") && !body.contains("refused"),
            "{body}"
        );
    }
}

#[test]
fn script_without_a_plan_or_an_api_fails_and_changes_nothing() {
    let forge = Forge::new();
    let header = "Authorization: token secret";
    for name in ["refs/pull/8/head", "--config=/etc/passwd", ""] {
        let run = forge.pipeline("PATCH", header, name).exits(2);
        run.says("there is no plan");
        assert_eq!(forge.comments(), Vec::<Value>::new());
    }
    let wrong = "Authorization: token wrong";
    let run = forge.pipeline("PATCH", wrong, "refs/pull/7/head");
    assert!(!matches!(run.code, Some(0 | 1)), "{run:?}");
}

#[test]
fn plan_in_a_clone_judges_approvals_by_a_copy_of_the_keys() {
    let forge = Forge::new();
    let world = &forge.world;
    world.push_with(&["origin", "HEAD:refs/pull/7/head"]).ok();
    fs::write(world.path("plan.toml"), world.config_text()).unwrap();
    let command = &blocks("docs/merge-requests.md", "sh")[2];
    let own = Path::new(BINARY).parent().unwrap().display().to_string();
    let plan = |world: &World| world.shell_in("work", &format!("PATH='{own}':$PATH\n{command}"));

    plan(world).exits(1).says("production needs 1 approval");
    approve(world, "bob", A);
    plan(world).ok().says("approved by bob");
}
