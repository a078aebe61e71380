#!/usr/bin/env bash
# Shows deploy-by-code at work. The script makes a deploy repository and two application
# repositories in a folder, installs the hooks, pushes deploy files, and checks what happened. It
# prints each command before it runs. Everything stays in the folder, so that you can try more.
#
#   scripts/demo.sh [--binary FILE] [FOLDER]     FOLDER is ./demo by default
#   scripts/demo.sh --remove [FOLDER]            removes a folder that the demo made
#
# The script stops with an error as soon as a step has not done what it should show.
set -Eeuo pipefail
trap 'printf "\ndemo: failed in line %s: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR

binary=target/release/deploy-by-code
remove=
while [ $# -gt 0 ]; do
    case $1 in
    --binary)
        binary=${2:?--binary wants a file}
        shift
        ;;
    --remove) remove=yes ;;
    -*)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
folder=${1:-${DEMO_DIR:-demo}}
marker=.made-by-deploy-by-code-demo

fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

# An earlier demo is removed. Anything else in its place is not touched.
if [ -f "$folder/$marker" ] && [ ! -L "$folder" ]; then
    rm -rf -- "$folder"
elif [ -n "$remove" ]; then
    exit 0
elif [ -L "$folder" ] || { [ -e "$folder" ] && [ -n "$(ls -A -- "$folder")" ]; }; then
    fail "$folder is already there and was not made by the demo; name another folder: make demo DEMO_DIR=FOLDER"
fi
if [ -n "$remove" ]; then
    exit 0
fi

case $PWD/$folder in
*:* | *\'* | *$'\n'*)
    fail "the path has a colon, quote or line break, which makes the printed commands hard to copy;" \
        "name another folder"
    ;;
esac
[ -x "$binary" ] || fail "there is no $binary; run make first"
# The program that shows the page is beside it, where both were built.
page=$(realpath -- "$binary")-web
[ -x "$page" ] || page=
mkdir -p -- "$folder/bin"
: >"$folder/$marker"
cp -- "$binary" "$folder/bin/deploy-by-code"
cd -- "$folder"
folder=$PWD

# The settings of the user's git and of a surrounding hook have no effect here, and the application
# commits are the same every time.
for name in $(git rev-parse --local-env-vars); do unset "$name"; done
unset GIT_TEMPLATE_DIR GIT_SSH GIT_SSH_COMMAND GIT_TRACE GIT_PAGER XDG_CONFIG_HOME
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 NO_COLOR=1 LC_ALL=C.UTF-8
export GIT_AUTHOR_NAME='Ada Example' GIT_AUTHOR_EMAIL=ada@example.org
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export PATH="$folder/bin:$PATH"

# run COMMAND...: prints the command as a person would type it, then runs it.
run() {
    local word line='$'
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=@%+,-]* | '') line+=" '$word'" ;;
        *) line+=" $word" ;;
        esac
    done
    printf '%s\n' "$line"
    "$@"
}

chapter() {
    printf '\n== %s\n\n' "$*"
}

# tick: gives the next commit its own time, which is the same in every demo.
minute=10
tick() {
    minute=$((minute + 1))
    export GIT_AUTHOR_DATE="2026-01-05T09:$minute:00Z" GIT_COMMITTER_DATE="2026-01-05T09:$minute:00Z"
}

# publish APPLICATION VERSION: commits a version of a small static web site in work/APPLICATION.
publish() {
    local tree=work/$1
    mkdir -p "$tree/public" "$tree/bin"
    printf '<!doctype html>\n<title>%s</title>\n<p>%s, version %s</p>\n' "$1" "$1" "$2" >"$tree/public/index.html"
    printf 'body { font-family: sans-serif }\n' >"$tree/public/style.css"
    # shellcheck disable=SC2016 # the script that is written here expands it
    printf '#!/bin/sh\ngrep -q "<p>" "$(dirname "$0")/../public/index.html" && echo healthy\n' >"$tree/bin/health"
    chmod 755 "$tree/bin/health"
    ln -sfn public/index.html "$tree/start.html"
    git -C "$tree" add --all
    tick
    git -C "$tree" commit -q -m "$1, version $2"
}

# entry FILE REVISION TEXT: puts a new entry at the top of a deploy file.
entry() {
    local old=
    mkdir -p "$(dirname "$1")"
    [ ! -e "$1" ] || old=$(cat "$1")
    printf '%s\n* %s\n' "$2" "$3" >"$1"
    [ -z "$old" ] || printf '%s\n' "$old" >>"$1"
}

# push ARGUMENT...: runs git push in work/deploys. Afterwards $pushed has what it printed. The exit
# status is that of git push.
push() {
    local status=0
    { run git -C work/deploys push "$@" 2>&1 | tee push.out; } || status=$?
    pushed=$(cat push.out)
    rm -f push.out
    return "$status"
}

said() {
    [[ $pushed == *"$1"* ]] || fail "the push did not say: $1"
}

# live ENVIRONMENT APPLICATION REVISION VERSION: checks that the whole application is deployed, with
# this revision and version.
live() {
    local current=srv/$1/$2/current
    [ -L "$current" ] || fail "$current is no symlink"
    [ "$(readlink -f "$current")" = "$folder/srv/$1/$2/releases/$3" ] || fail "$current does not lead to releases/$3"
    grep -q "<p>$2, version $4</p>" "$current/public/index.html" || fail "$current is not version $4"
    if [ ! -L "$current/start.html" ] || [ ! -s "$current/start.html" ]; then
        fail "$current/start.html is no symlink to a page"
    fi
    "$current/bin/health" >/dev/null || fail "$current/bin/health does not run"
}

# toml TEXT: prints the text as a TOML string, for a setting that can use {names}.
toml() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//\{/\{\{}
    text=${text//\}/\}\}}
    printf '%s' "$text"
}

printf 'deploy-by-code: a demonstration in %s\n' "$folder"

chapter '1. Two applications, each a git repository with two commits'
mkdir git work srv
for application in website handbook; do
    run git init -q --bare -b main "git/$application.git"
    run git clone -q "git/$application.git" "work/$application" 2>/dev/null
    publish "$application" 1
    publish "$application" 2
    run git -C "work/$application" push -q origin main
    run git -C "work/$application" log --oneline
done
website_1=$(git -C work/website rev-parse HEAD~1)
website_2=$(git -C work/website rev-parse HEAD)
handbook_1=$(git -C work/handbook rev-parse HEAD~1)
handbook_2=$(git -C work/handbook rev-parse HEAD)

chapter '2. The deploy repository, with the hooks and a configuration that only the server can change'
run git init -q --bare -b main git/deploys.git
here=$(toml "$folder")
cat >git/deploys.git/deploy-by-code.toml <<EOF
branch = "main"

[defaults]
repository = "$here/git/{application}.git"
checkout = "$here/srv/{environment}/{application}"

[environments.staging]

[environments.production]
keep_releases = 3
EOF
run cat git/deploys.git/deploy-by-code.toml
run deploy-by-code install git/deploys.git

chapter '3. Deploy files for two environments: the first word is the commit to deploy'
run git clone -q git/deploys.git work/deploys 2>/dev/null
# For people who try more afterwards and have not set their name in git.
git -C work/deploys config user.name "$GIT_AUTHOR_NAME"
git -C work/deploys config user.email "$GIT_AUTHOR_EMAIL"
entry work/deploys/staging/website.deploy "$website_2" 'Try version 2'
entry work/deploys/staging/handbook.deploy "$handbook_2" 'Try version 2'
entry work/deploys/production/website.deploy "$website_1" 'Open the shop'
entry work/deploys/production/handbook.deploy "$handbook_1" 'First edition'
run cat work/deploys/production/website.deploy
run git -C work/deploys add --all
tick
run git -C work/deploys commit -q -m 'Deploy both to staging and production'

chapter '4. The push is the deploy'
push origin main || fail 'the push failed'
for target in staging/website staging/handbook production/website production/handbook; do
    said "$target new -> "
done
for id in 1 2 3 4; do
    run deploy-by-code -C git/deploys.git wait "$id" || fail "deployment #$id did not succeed"
done
run readlink srv/production/website/current
run cat srv/production/website/current/start.html
live staging website "$website_2" 2
live staging handbook "$handbook_2" 2
live production website "$website_1" 1
live production handbook "$handbook_1" 1

chapter '5. The next version goes on top of the file; -o follow shows the deployment to the pusher'
entry work/deploys/production/website.deploy "$website_2" 'New prices'
run git -C work/deploys diff --unified=1
tick
run git -C work/deploys commit -q --all -m 'Deploy website version 2 to production'
push -o follow origin main || fail 'the push failed'
said "production/website ${website_1:0:7} -> ${website_2:0:7}"
said 'production/website succeeded'
run readlink srv/production/website/current
live production website "$website_2" 2

chapter '6. What is deployed where, and the history of deployments'
run deploy-by-code -C git/deploys.git status
echo
run deploy-by-code -C git/deploys.git log

chapter '7. The incident: somebody picks an old branch. It is refused before anything has changed'
run git -C work/website checkout -q -b old-fixes "$website_1"
tick
run git -C work/website commit -q --allow-empty -m 'Fix the prices, on an old branch'
run git -C work/website push -q origin old-fixes
old=$(git -C work/website rev-parse HEAD)
git -C work/website checkout -q main
entry work/deploys/production/website.deploy "$old" 'Fixed prices'
tick
run git -C work/deploys commit -q --all -m 'Deploy the fixed prices to production'
if push origin main; then
    fail 'this push should have been refused'
fi
said "refused production/website.deploy: ${old:0:7} is not on refs/heads/main of website"
said 'it is only on refs/heads/old-fixes'
said "${old:0:7} has diverged from ${website_2:0:7}, which is deployed: it would gain 1 commit and lose 1 commit:"
run git -C work/deploys reset -q --hard origin/main
live production website "$website_2" 2

chapter 'Everything worked. The files stay here, so that you can try more'
cat <<EOF
  $folder
    git/deploys.git                          the deploy repository: hooks, configuration, state and logs
    git/website.git, git/handbook.git        the applications' repositories
    work/deploys, work/website, …            clones to work in
    srv/ENVIRONMENT/APPLICATION/current      what is deployed

You can try a rollback, for example. It is a commit like any other:

  cd '$folder/work/deploys'
  export PATH='$folder/bin':"\$PATH"
  sed -i '1i $website_1\n* Back to version 1' production/website.deploy
  git commit -am 'Back to version 1' -m 'Deploy-Rollback: trying it out' && git push -o follow origin main
  deploy-by-code -C ../../git/deploys.git status production
  deploy-by-code -C ../../git/deploys.git show 6
  deploy-by-code -C ../../git/deploys.git doctor

To see all of it on a page, run in the source of deploy-by-code: make demo-web
Or, with what is here:

  '${page:-deploy-by-code-web}' '$folder/git/deploys.git'     # then open http://127.0.0.1:8008

You can also give an application a command to run: see deploy-by-code.toml(5), or
packaging/config.toml in the source.
EOF
