//! Users that /etc/passwd does not know: the machine's name service has them from elsewhere, as it
//! has those of LDAP and sssd.

use std::path::Path;

use crate::cgroups::unshare_or_skip;
use crate::nobody::root_or_skip;
use crate::processes::BINARY;
use crate::run::{run, skip};
use crate::world::World;

/// Where Debian's libnss-extrausers looks for its files.
const EXTRA: &str = "/var/lib/extrausers";

/// What a script begins with, so that it and all that it starts see a user with a group in
/// [`EXTRA`] alone. Her name is in Latin-1. The mounts are those of a namespace of its own.
const EXTRA_USER: &str = "set -e
    mount -t tmpfs none /var/lib/extrausers
    printf 'ada:x:54321:65534:Ada \\311:/nonexistent:/bin/sh\n' >/var/lib/extrausers/passwd
    echo 'deployers:x:54322:ada' >/var/lib/extrausers/group
    printf 'passwd: files extrausers\\ngroup: files extrausers\\n' >/var/lib/extrausers/nsswitch
    mount --bind /var/lib/extrausers/nsswitch /etc/nsswitch.conf\n";

#[test]
fn user_of_the_name_service_is_named_and_becomes_the_user_of_a_command() {
    if !root_or_skip() || !unshare_or_skip() {
        return;
    }
    if !Path::new(EXTRA).is_dir() {
        skip("libnss-extrausers is not installed");
        return;
    }
    let world = World::new();
    world.config_file("[defaults]\ncommand = [\"/usr/bin/id\", \"-G\"]\nuser = \"ada\"");
    world.install();
    world.deploy("production/a", 1);
    world.commit();
    let with_ada = |script: &str| {
        let mut unshare = world.command("unshare", "work");
        let script = format!("{EXTRA_USER}{script}");
        run(unshare.args(["-m", "sh", "-c", &script]), b"").ok();
    };

    with_ada("git push -q origin HEAD:refs/heads/main");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.logs(1), "65534 54322\n");

    // Where a source may be on another machine, nobody knows whether it answered.
    let cut_off = "chmod a+w /var/lib/extrausers/nsswitch
        mv /var/lib/extrausers/passwd /var/lib/extrausers/passwd.away
        echo 'passwd: files extrausers ldap' >/var/lib/extrausers/nsswitch";
    let back = "mv /var/lib/extrausers/passwd.away /var/lib/extrausers/passwd";
    world.deploy("production/a", 2);
    world.commit();
    with_ada(&format!(
        "{cut_off}
        git push -q origin HEAD:refs/heads/main
        until '{BINARY}' -C ../deploy.git show 2 | grep -F 'whether ldap answered' >/dev/null; do
            sleep 0.05
        done
        {back}"
    ));
    assert_eq!(world.settled()[1], "#2 production/a succeeded");

    with_ada(&format!(
        "SUDO_UID=54321 '{BINARY}' -C ../deploy.git freeze production --reason test"
    ));
    world.cmd(&["status"]).says("production: frozen by ada");
}
