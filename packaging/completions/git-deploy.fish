# fish completion for git-deploy: the program itself says what can come next.

complete -c git-deploy -f -a '(git-deploy complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
