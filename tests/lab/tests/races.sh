# shellcheck shell=bash disable=SC2154
# tools: ours
# Two nodes race for one logical unit: every result is compared with a model of the standard's rules.
# LAB_SECONDS is how long; without, as long as a test may take.
. "$lab/guest/tcmu.sh"

# raced DEVICE1 DEVICE2 SECONDS
raced() {
    load_tools
    lab-tools race /run/bin/sg_persist "${LAB_SECONDS-$3}" "$1" "$2" >/run/raced 2>&1 || fail "$(cat /run/raced)"
    local figures number
    figures=$(cat /run/raced)
    keep "$figures"
    # Something has to have happened: changes carried out, refused, and reservations held.
    local pattern=' ([0-9]+) of them changes carried out, ([0-9]+) conflicts, ([0-9]+) unit attentions.* ([0-9]+) exclusive'
    [[ $figures =~ $pattern ]] || fail 'no figures'
    for number in "${BASH_REMATCH[@]:1}"; do
        ((number >= 1)) || fail 'too little happened'
    done
}

test_race_of_disks() {
    raced "$node1" "$node2" 40
}

test_race_of_generic_nodes() {
    raced "$generic1" "$generic2" 20
}
