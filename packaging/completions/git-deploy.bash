# bash completion for git deploy: the program itself says what can come next. git's own completion
# finds this file by its name, and has set the words before it calls the function. Its function __git
# calls git in the folder that these words name.

_git_deploy() {
    local first=$((${__git_cmd_idx:-1} + 1))
    # shellcheck disable=SC2154
    __gitcomp_nl "$(__git deploy complete -- "${words[@]:first:cword-first+1}")"
}
