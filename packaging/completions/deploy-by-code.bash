# bash completion for deploy-by-code: the program itself says what can come next.

_deploy_by_code() {
    mapfile -t COMPREPLY < <(deploy-by-code complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    [ "${#COMPREPLY[@]}" -gt 0 ] || compopt -o default
}
complete -F _deploy_by_code deploy-by-code
