# shellcheck shell=bash disable=SC2154
# What the six types of reservation allow to a second node: SPC-5's rules, for the disk's own READ and WRITE commands.
# The node that made the reservation may do both under each.
# targets: lio nvmet-tcp
#
#    a second node that is:  registered     not registered
#                            read   write   read   write
rules='
     1                       yes    no      yes    no      Write Exclusive
     3                       no     no      no     no      Exclusive Access
     5                       yes    yes     yes    no      Write Exclusive, registrants only
     6                       yes    yes     no     no      Exclusive Access, registrants only
     7                       yes    yes     yes    no      Write Exclusive, all registrants
     8                       yes    yes     no     no      Exclusive Access, all registrants
'

# judged yes|no VERB DEVICE STATUS: the last dd was allowed or, if not, refused by the reservation and nothing else.
judged() {
    local allowed=$1 verb=$2 device=$3 status=$4
    if [[ $allowed = yes ]]; then
        ((status == 0)) || fail "$verb $device: $(cat /run/err)"
    else
        ((status != 0)) || fail "$verb $device: allowed"
        same "error of $verb $device" "dd: error $verb '$device': Invalid exchange" /run/err || exit 1
    fi
}

# table TYPE registered|unregistered
table() {
    local type=$1 second=$2 number read write read_unregistered write_unregistered words status
    local generation=1 holder=abc123
    while read -r number read write read_unregistered write_unregistered words; do
        [[ $number != "$type" ]] || break
    done <<<"$rules"
    if [[ $second = registered ]]; then
        succeeds prout --register --param-sark=123abc "$node2"
        generation=2
    else
        read=$read_unregistered write=$write_unregistered
    fi
    succeeds prout --register --param-sark=abc123 "$node1"
    # Both can do both, as long as there is no reservation.
    writes "$node2" A
    first_block "$node1" A
    writes "$node1" B
    first_block "$node2" B

    succeeds prout --reserve --param-rk=abc123 "--prout-type=$type" "$node1"
    # No single key holds what all registrants hold.
    ((type < 7)) || holder=0
    reserved "$node2" $generation $holder "$words"
    reads "$node2" && status=0 || status=$?
    judged "$read" reading "$node2" "$status"
    writes "$node2" C && status=0 || status=$?
    judged "$write" writing "$node2" "$status"
    # The disk has been written if and only if that was allowed; who holds the reservation can read it and write it.
    if [[ $write = yes ]]; then first_block "$node1" C; else first_block "$node1" B; fi
    writes "$node1" D
    first_block "$node1" D

    succeeds prout --release --param-rk=abc123 "--prout-type=$type" "$node1"
    # All registrants lose a reservation that was theirs: that is a unit attention for the others.
    reads "$node2" || reads "$node2"
    writes "$node2" E
    first_block "$node1" E
}

test_type_1_registered() { table 1 registered; }
test_type_1_unregistered() { table 1 unregistered; }
test_type_3_registered() { table 3 registered; }
test_type_3_unregistered() { table 3 unregistered; }
test_type_5_registered() { table 5 registered; }
test_type_5_unregistered() { table 5 unregistered; }
test_type_6_registered() { table 6 registered; }
test_type_6_unregistered() { table 6 unregistered; }
test_type_7_registered() { table 7 registered; }
test_type_7_unregistered() { table 7 unregistered; }
test_type_8_registered() { table 8 registered; }
test_type_8_unregistered() { table 8 unregistered; }
