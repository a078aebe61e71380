# Types words into an interactive shell that has its own terminal. Ends the words with the tab key,
# and runs the line that the shell has completed.
#
#   zsh tab.zsh SHELL-COMMAND LINE     in LINE, ^ stands for the tab key
zmodload zsh/zpty
shell=$1 line=$2 done=/tmp/tab-done
rm -f $done

# heard SECONDS: reads what the shell shows, until it has been silent for half a second.
heard() {
    local chunk silent=0
    repeat $(($1 * 20)); do
        if zpty -r -t tested chunk; then silent=0; else ((++silent > 10)) && return; sleep 0.05; fi
    done
}

zpty -b tested $shell
heard 10
parts=("${(@s:^:)line}")
for part in "${(@)parts[1,-2]}"; do
    zpty -w -n tested "$part"$'\t'
    heard 10
done
zpty -w -n tested "$parts[-1]; touch $done"$'\r'
repeat 200; do
    [[ -e $done ]] && break
    zpty -r -t tested chunk || sleep 0.05
done
zpty -d tested
[[ -e $done ]]
