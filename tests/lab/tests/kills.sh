# shellcheck shell=bash disable=SC2154
# tools: ours
# The program killed at random moments, with SIGKILL and SIGINT: the command it was at was carried out or was not.
# LAB_SECONDS is how long; without, as long as a test may take.
. "$lab/guest/tcmu.sh"

# killed DEVICE1 DEVICE2 SECONDS
killed() {
    load_tools
    lab-tools kill /run/bin/sg_persist "${LAB_SECONDS-$3}" "$1" "$2" >/run/killed 2>&1 || fail "$(cat /run/killed)"
    local figures number
    figures=$(cat /run/killed)
    keep "$figures"
    local pattern=': ([0-9]+) commands, ([0-9]+) killed with SIGKILL, ([0-9]+) with SIGINT .* of the killed ([0-9]+) were carried out and ([0-9]+) '
    [[ $figures =~ $pattern ]] || fail 'no figures'
    for number in "${BASH_REMATCH[@]:1}"; do
        ((number >= 1)) || fail 'too little happened'
    done
}

test_killed_at_disks() {
    killed "$node1" "$node2" 40
}

test_killed_at_generic_nodes() {
    killed "$generic1" "$generic2" 20
}
