# shellcheck shell=bash disable=SC2154,SC2034
# Maps whose paths are silent, slow, not ready, or lose answers: each path is a scripted device, and what came to it is
# written down.
# needs: dmsetup:dmsetup fence_scsi:fence-agents sg_turs:sg3-utils
# tools: ours
. "$lab/guest/tcmu.sh"
. "$lab/guest/maps.sh"

# The target waits for the program for ever, and so does the kernel's error handling for the target.
patience=0

prepare() {
    local number
    paths=()
    for number in 1 2; do
        rules=/run/rules$number commands=/run/commands$number
        export_scripted
        paths+=("$disk")
        handlers[number]=$handler
    done
    make_map "scripted$scripted_number" "${paths[@]}"
}

# path NUMBER RULE...: the path answers by them; besides, it says which logical unit it leads to, and that the keys are
# abc twice and def. What came to it before is forgotten.
path() {
    local number=$1
    shift
    rules=/run/rules$number
    : >"/run/commands$number"
    answer_by "$@" "120183 data 00 83 00 14 01 03 00 08 5001405000000001 01 14 00 04 00 00 00 0$number" "$registered" 5f
}

registered='5e00 data 00000007 00000018 0000000000000abc 0000000000000abc 0000000000000def'
fenced='5e00@2+ data 00000008 00000010 0000000000000abc 0000000000000abc'
silent='wait 40000'

# came NUMBER: the service actions of PERSISTENT RESERVE OUT that came over the path, in one line.
came() {
    [[ ! -e /run/commands$1 ]] || sed -n 's/^5f\(..\).*/\1/p' "/run/commands$1" | tr '\n' ' '
}

# takes FROM TO COMMAND...: between so many milliseconds; its output is waited for to the end, as scripts do. Sets status
# and out.
takes() {
    local from=$1 to=$2 begin end
    shift 2
    begin=${EPOCHREALTIME/./}
    out=$("$@" 2>/run/err </dev/null) && status=0 || status=$?
    end=$(((${EPOCHREALTIME/./} - begin) / 1000))
    keep "$end ms, status $status: ${*//$map/MAP}"
    ((end >= from && end <= to)) || fail "after $end ms, status $status: $*: $(cat /run/err)"
}

test_a_silent_path_and_reads() {
    path 1 "5e $silent" "12 $silent"
    path 2
    takes 900 2500 sg_persist -n -k "$map"
    [[ $status = 0 && $out = *0xdef* ]] || fail "status $status: $out $(cat /run/err)"
    takes 0 5000 timeout 5 sg_persist --has-key=def "$map"
    ((status == 0)) || fail "status $status: $(cat /run/err)"
    # All of the path, and of what is read before.
    path 1 "12 $silent" "5e $silent" "00 $silent"
    takes 0 5000 timeout 5 sg_persist -k "$map"
    [[ $status = 0 && $out = *0xdef* ]] || fail "status $status: $out $(cat /run/err)"
}

# fence_scsi's script for the watchdog, which gives up after five seconds.
test_a_silent_path_and_the_watchdog() {
    cp /run/bin/sg_persist /usr/bin/sg_persist
    echo abc >/var/run/cluster.key
    echo "$map" >/var/run/cluster.dev
    path 1 "5e $silent"
    path 2
    takes 0 5000 /usr/share/cluster/fence_scsi_check
    ((status == 0)) || fail "status $status: $out $(cat /run/err)"
}

test_a_silent_path_and_a_fence() {
    path 1 "5e $silent" "12 $silent" "5f $silent"
    path 2
    takes 0 4000 sg_persist -n -o -A -K abc -S def -T 5 "$map"
    [[ $status = 0 && -z $out ]] || fail "status $status: $out $(cat /run/err)"
    [[ $(came 1) = '' && $(came 2) = '05 ' ]] || fail "came: $(came 1)/ $(came 2)"
}

test_a_silent_path_and_registering() {
    path 1 "5e $silent" "12 $silent" "5f $silent"
    path 2
    takes 2900 6000 sg_persist -n -o -I -S abc "$map"
    ((status == 0)) || fail "status $status: $(cat /run/err)"
    grep -q "path ${paths[0]##*/} of .* was not reached" /run/err || fail "$(cat /run/err)"
}

# It is not ready when the command comes, and was when it was looked at.
test_not_ready() {
    local sense
    for sense in '04 0b' '04 0c' '04 0a'; do
        path 1 "5f sense 70 00 02 00*4 0a 00*4 $sense 00*4"
        path 2
        takes 0 3000 sg_persist -n -o -A -K abc -S def -T 5 "$map"
        ((status == 0)) || fail "status $status: $(cat /run/err)"
        [[ $(came 1) = '05 ' && $(came 2) = '05 ' ]] || fail "came: $(came 1)/ $(came 2)"
    done
}

# The fence was carried out, and nobody hears of it over that path.
test_a_lost_answer() {
    path 1 '5f wait 9000'
    # What the other path says of the keys decides.
    path 2 "$fenced"
    takes 0 8000 sg_persist --timeout=2 -n -o -P -K abc -S def -T 5 "$map"
    ((status == 0)) || fail "preempt: status $status: $(cat /run/err)"
    [[ $(came 2) = '' ]] || fail "came: $(came 2)"
}

test_a_lost_answer_of_an_abort() {
    path 1 '5f wait 9000'
    path 2 "$fenced"
    takes 0 8000 sg_persist --timeout=2 -n -o -A -K abc -S def -T 5 "$map"
    ((status == 38)) || fail "status $status: $(cat /run/err)"
    grep -q 'whether its commands were aborted' /run/err || fail "$(cat /run/err)"
    [[ $(came 2) = '' ]] || fail "came: $(came 2)"
}

# It was not carried out: the other path does it.
test_a_lost_command() {
    path 1 '5f wait 9000'
    path 2
    takes 0 8000 sg_persist --timeout=2 -n -o -A -K abc -S def -T 5 "$map"
    ((status == 0)) || fail "status $status: $(cat /run/err)"
    [[ $(came 2) = '05 ' ]] || fail "came: $(came 2)"
}

# An abort takes its time at the array. It is not sent twice.
test_a_slow_abort() {
    path 1 '5f wait 5000'
    path 2
    takes 4900 9000 sg_persist -n -o -A -K abc -S def -T 5 "$map"
    ((status == 0)) || fail "status $status: $(cat /run/err)"
    [[ $(came 1) = '05 ' && $(came 2) = '' ]] || fail "came: $(came 1)/ $(came 2)"
}

# The paths lead to two logical units, or do not say to which.
test_other_units() {
    local wanted rule
    while read -r wanted rule; do
        path 1
        path 2 "$rule"
        takes 0 3000 sg_persist -n -o -C -K abc "$map"
        ((status == wanted)) || fail "status $status: $(cat /run/err)"
        [[ $(came 1) = '' && $(came 2) = '' ]] || fail "came: $(came 1)/ $(came 2)"
    done <<'end'
97 120183 data 00 83 00 0c 01 03 00 08 5001405000000002
97 120183 data 00 83 00 00
5 120183 sense 70 00 05 00*4 0a 00*4 24 00 00*4
end
}

# LOGICAL UNIT NOT SUPPORTED is about the path.
test_not_there() {
    path 1 '5. sense 70 00 05 00*4 0a 00*4 25 00 00*4'
    path 2
    takes 0 3000 sg_persist -n -k "$map"
    [[ $status = 0 && $out = *0xdef* ]] || fail "status $status: $out $(cat /run/err)"
    takes 0 3000 sg_persist -n -o -A -K abc -S def -T 5 "$map"
    ((status == 0)) || fail "status $status: $(cat /run/err)"
    [[ $(came 2) = '05 ' ]] || fail "came: $(came 2)"
}

# An answer that makes no sense is not hidden by the other path's.
test_a_malformed_answer() {
    path 1 '5e00 keys 3 take 13'
    path 2
    takes 0 3000 sg_persist -n -k "$map"
    [[ $status = 97 && -z $out ]] || fail "status $status: $out $(cat /run/err)"
}

# SIGTERM after the first path is registered, while the second one takes its time.
test_ended_between_two_paths() {
    local process
    path 1
    path 2 '5f wait 2000'
    sg_persist -n -o -G -S abc "$map" >/run/out 2>/run/err &
    process=$!
    await grep -q ^5f /run/commands2
    kill -TERM $process
    wait $process && status=0 || status=$?
    keep "SIGTERM between two paths: status $status: $(tr '\n' '/' </run/err); $(came 1)/ $(came 2)"
    ((status == 143)) || fail "status $status: $(cat /run/err)"
    [[ -s /run/err ]] || fail 'not a word'
}
