# shellcheck shell=bash disable=SC2154,SC2034
# Programs that write through the maps of two nodes all the while: the one on the node that is registered never sees an
# error, whatever is done to the map; nothing of the other one's reaches the disk after the fence has returned.
# needs: iscsid:open-iscsi dmsetup:dmsetup
# machines: 2
# tools: ours
. "$lab/guest/two_nodes.sh"

prepare() {
    two_nodes 2
    pattern A /run/a
    succeeds prout --register --param-sark=abc "$map"
    succeeds b sg_persist -n --out --register --param-sark=def "$map_b"
}

# As much as the writers write: the first MiB.
blocks=256

# pattern LETTER FILE
pattern() {
    head -c $((blocks * 4096)) /dev/zero | tr '\0' "$1" >"$2"
}

# write_on NODE FILE: again and again, until /run/stop is there. The first error ends it; it is in /run/writer.err.
write_on() {
    rm -f /run/stop
    : >/run/writer.err
    while [[ ! -e /run/stop ]]; do
        dd if="$2" of="$1" oflag=direct conv=notrunc bs=4096 status=none 2>>/run/writer.err || return
    done
}

# written MAP: so many writes it has completed.
written() {
    local fields
    read -ra fields <"/sys/class/block/$(basename "$(readlink -f "$1")")/stat"
    echo "${fields[4]}"
}

# goes_on WHAT: the writer writes.
goes_on() {
    local before
    before=$(written "$map")
    await more_than "$before" || fail "$1: the writer does not write any more: $(cat /run/writer.err)"
    kill -0 "$writer" 2>/run/null || fail "$1: the writer has ended: $(cat /run/writer.err)"
    [[ ! -s /run/writer.err ]] || fail "$1: $(cat /run/writer.err)"
}

more_than() {
    (($(written "$map") > $1 + 20))
}

test_a_writer_writes_on() {
    local round key=abc other
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    write_on "$map" /run/a &
    writer=$!
    goes_on 'at first'
    for round in 1 2 3; do
        succeeds prout --register-ignore --param-sark=$key "$map"
        goes_on 'registered again'
        succeeds prout --reserve --param-rk=$key --prout-type=5 "$map"
        goes_on 'reserved again'
        [[ $key = abc ]] && other=123 || other=abc
        succeeds prout --register --param-rk=$key --param-sark=$other "$map"
        key=$other
        goes_on 'another key'
        ends 0 'nothing was sent' prout --preempt --param-rk=$key --param-sark=$key --prout-type=5 "$map"
        goes_on 'its own key preempted'
        dies "${paths[round % 2]}"
        goes_on 'a path lost'
        prout --register-ignore --param-sark=$key "$map" >/run/out 2>/run/err || fail "$(cat /run/err)"
        prout --reserve --param-rk=$key --prout-type=5 "$map" >/run/out 2>/run/err || fail "$(cat /run/err)"
        goes_on 'registered and reserved without it'
        lives "${paths[round % 2]}"
        succeeds prout --register-ignore --param-sark=$key "$map"
        dmsetup message "${map##*/}" 0 "reinstate_path $(number_of "${paths[round % 2]}")"
        goes_on 'the path is back'
    done
    succeeds b sg_persist -n --out --register --param-rk=def "$map_b"
    goes_on 'the other node has left'
    : >/run/stop
    wait "$writer" || fail "$(cat /run/writer.err)"
    keep "a writer through register, reserve, key change, path loss and return: $(written "$map") writes, no error"
}

test_a_fenced_node_writes_no_more() {
    local tries=0 before
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    pattern B /run/b
    # The other node writes, and tries again whatever happens.
    second "$(declare -f pattern); blocks=$blocks; pattern B /run/b; rm -f /run/stop
        (while [[ ! -e /run/stop ]]; do
            dd if=/run/b of=$map_b oflag=direct conv=notrunc bs=4096 status=none && echo >>/run/rounds
            echo >>/run/tries
        done) </dev/null >/dev/null 2>&1 &"
    await b test -s /run/rounds
    succeeds prout --preempt-abort --param-rk=abc --param-sark=def --prout-type=5 "$map"
    is "a1:abc* a2:abc $registrants"
    write_all_and_look
    # What it does to get back does not help it.
    b sg_persist -n --out --register --param-rk=def --param-sark=456 "$map_b" >/run/out 2>&1 && fail 'it is back'
    b sg_persist -n --out --register --param-rk=def --param-sark=456 "$map_b" >/run/out 2>&1 && fail 'it is back'
    b sg_persist -n --out --reserve --param-rk=def --prout-type=5 "$map_b" >/run/out 2>&1 && fail 'it is back'
    b sg_persist -n --out --preempt --param-rk=def --param-sark=abc --prout-type=5 "$map_b" >/run/out 2>&1 &&
        fail 'it is back'
    is "a1:abc* a2:abc $registrants"
    write_all_and_look
    second ': >/run/stop'
    keep "a writer on the fenced node: $(b wc -l /run/tries) tries, none of them got through after the fence"
}

registrants='~Write Exclusive, registrants only'

# What is written now stays, while the other node goes on trying.
write_all_and_look() {
    local before
    dd if=/run/a of="$map" oflag=direct conv=notrunc bs=4096 status=none 2>/run/err || fail "$(cat /run/err)"
    before=$(b wc -l /run/tries)
    sleep 3
    [[ $(b wc -l /run/tries) != "$before" ]] || fail 'the other node does not try'
    dd if="$witness" of=/run/found iflag=direct bs=4096 count=$blocks status=none 2>/run/err || fail "$(cat /run/err)"
    cmp /run/a /run/found >/run/differs || fail "the fenced node has written: $(cat /run/differs)"
}
