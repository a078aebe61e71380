# git deploy in fish: git's own completion asks only newer versions of fish for what a program git-*
# completes.

function __fish_git_deploy_complete
    set -l words (commandline -opc)
    set -l at (contains -i -- deploy $words)
    git-deploy complete -- $words[(math $at + 1)..] (commandline -ct) 2>/dev/null
end

complete -c git -f -n '__fish_git_using_command deploy' -a '(__fish_git_deploy_complete)'
