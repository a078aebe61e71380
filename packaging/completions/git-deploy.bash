# bash completion for git deploy. git's own completion finds this file by its name, calls the function,
# and has set the words; __git calls git in the folder that they name.

_git_deploy() {
    local first=$((${__git_cmd_idx:-1} + 1))
    # shellcheck disable=SC2154
    mapfile -t COMPREPLY < <(__git deploy complete -- "${words[@]:first:cword-first+1}")
}
