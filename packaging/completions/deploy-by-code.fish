# fish completion for deploy-by-code: the program itself says what can come next.

complete -c deploy-by-code -f -a '(deploy-by-code complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
complete -c deploy-by-code -s C -l repository -r -F
complete -c deploy-by-code -l config -r -F
