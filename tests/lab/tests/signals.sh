# shellcheck shell=bash disable=SC2154,SC2034
# needs: script:bsdutils
# tools: ours
# What a person or a service manager does while a command is at the device: signals, Ctrl-C, Ctrl-Z; and what a run keeps
# of the system meanwhile.
. "$lab/guest/tcmu.sh"

# One device serves all of the file's tests. Commands that are never answered are given up by the target after this time.
patience=6

prepare() {
    if [[ ! -e /run/scripted ]]; then
        export_scripted
        printf '%s=%q\n' disk "$disk" generic "$generic" bsg "$bsg" address "$address" scripted "$scripted" >/run/scripted
    fi
    . /run/scripted
    settle
    : >"$commands"
}

# Waits until the device is done with what was sent before: a command goes on when the program that waits for it is gone.
settle() {
    sg_persist -n -k "$bsg" >/run/settled 2>&1 || :
}

# What a terminal of this TERM gets from READ KEYS while the answer takes so many milliseconds: on_terminal TERM MILLISECONDS
on_terminal() {
    mkdir -p /dev/pts
    mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
    answer_by "5e wait $2 keys 0"
    TERM=$1 script --quiet --return --command "sg_persist -n -k --timeout=20 $generic" /dev/null </dev/null >/run/out ||
        fail "status $?"
}

test_a_long_wait_shows_on_a_terminal() {
    local answer=$'  PR generation=0x7, there are NO registered reservation keys\r'
    on_terminal vt100 2500
    local shown=$'\r\e[Ksg_persist: waiting ? s for '"$generic (Persistent reservation in, timeout 20 s)"
    # shellcheck disable=SC2053
    [[ $(head -n 1 /run/out) = $shown*$'\r\e[K'"$answer" ]] || fail "$(cat -v /run/out)"
    for terminal in '' dumb; do
        on_terminal "$terminal" 1500
        same "TERM=$terminal" "$answer" /run/out || exit 1
    done
    on_terminal vt100 0
    same 'at once' "$answer" /run/out || exit 1
    answer_by '5e wait 1500 keys 0'
    TERM=vt100 answers 0 "${answer%?}" '' prin -k --timeout=20 "$generic"
}

# A program at the device, and a signal for it: interrupted SIGNAL COMMAND...; sets $status.
interrupted() {
    local signal=$1
    shift
    timeout --preserve-status --signal="$signal" 1 "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
}

test_signals_at_the_device() {
    local node signal number
    answer_by '5e wait 2500 keys 2' '5f wait 2500'
    for node in "$disk" "$generic"; do
        for signal in INT:130 TERM:143 HUP:129 QUIT:131 ALRM:142; do
            number=${signal#*:} signal=${signal%:*}
            [[ $node = "$disk" || $signal = INT ]] || continue
            interrupted "$signal" sg_persist -n -o -C -K 1 "$node"
            ((status == number)) || fail "SIG$signal: status $status"
            same 'standard output' '' /run/out || exit 1
            same 'standard error' "sg_persist: SIG$signal while a command (Persistent reservation out) was at $node; its outcome is unknown: read the keys and the reservation to see" /run/err || exit 1
        done
    done
    interrupted INT sg_persist -n -k "$disk"
    ((status == 130)) || fail "READ KEYS, SIGINT: status $status"
    same 'standard output' '' /run/out || exit 1
}

# A signal that is ignored, as after nohup or in the background of a script, ends nothing and is nothing to tell.
test_ignored_signals() {
    local pid
    answer_by '5f wait 2000'
    trap '' HUP
    sg_persist -n -o -C -K 1 "$disk" >/run/out 2>/run/err &
    pid=$!
    sleep 1
    kill -HUP "$pid"
    kill -INT "$pid" # ignored, too: the shell started it in the background
    wait "$pid" && status=0 || status=$?
    trap - HUP
    ((status == 0)) || fail "status $status"
    same 'standard output' '' /run/out || exit 1
    same 'standard error' '' /run/err || exit 1
}

out='Persistent reservation out'
unknown='its outcome is unknown: read the keys and the reservation to see'

# Ctrl-C in the default invocation, where INQUIRY comes before the change; on a terminal that one is watched, too.
test_ctrl_c_after_inquiry() {
    local node seen
    mkdir -p /dev/pts
    mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
    answer_by '5f wait 2500'
    for node in "$disk" "$generic"; do
        TERM=vt100 script --quiet --return --command \
            "timeout --foreground --preserve-status --signal=INT 1 sg_persist -o -C -K 1 $node" /dev/null </dev/null \
            >/run/out && status=0 || status=$?
        ((status == 130)) || fail "$node: status $status: $(cat -v /run/out)"
        seen=$(tr -d '\r' </run/out)
        [[ $seen = *"sg_persist: SIGINT while a command ($out) was at $node; $unknown" ]] || fail "$(cat -v /run/out)"
    done
}

# Once the device has answered, nobody is told that the outcome is unknown.
test_ended_while_the_change_is_read_back() {
    local node signal number
    for node in "$disk" "$generic"; do
        for signal in TERM:143 INT:130; do
            number=${signal#*:} signal=${signal%:*}
            settle
            answer_by '5e00@1 keys 0' '5e00@2+ wait 2500 keys 1' '5e01 data 00000007 00000000' 5f
            interrupted "$signal" sg_persist -n -o -I -S 1 --verify "$node"
            ((status == number)) || fail "SIG$signal: status $status"
            same 'standard output' '' /run/out || exit 1
            same 'standard error' "sg_persist: SIG$signal while a command (Persistent reservation in) was at $node; the change was made, but it was not verified" /run/err || exit 1
        done
    done
}

# The state of a process: R, S, D, T ...
state_of() {
    local stat
    read -r stat <"/proc/$1/stat"
    stat=${stat##*) }
    printf '%s\n' "${stat%% *}"
}

is_stopped() {
    [[ $(state_of "$1") = T ]]
}

# Ctrl-Z, and the job continued: the sg driver's wait would end, and the command be sent again.
test_a_stopped_change_is_sent_once() {
    local node signal pid count
    set -m
    for node in "$generic" "$disk" "$bsg"; do
        for signal in TSTP TTIN TTOU; do
            [[ $node = "$generic" || $signal = TSTP ]] || continue
            # What cannot be kept away does no harm at the other nodes.
            [[ $node = "$generic" ]] || signal=STOP
            settle
            answer_by '5f@1 wait 2000' '5f@2+ status 18'
            : >"$commands"
            sg_persist -n -o -I -S 1 "$node" </dev/null >/run/out 2>/run/err &
            pid=$!
            sleep 1
            kill -"$signal" "$pid"
            # It stops when the device has answered.
            await is_stopped "$pid"
            kill -CONT "$pid"
            wait "$pid" && status=0 || status=$?
            count=$(grep -c ^5f "$commands")
            ((count == 1)) || fail "$node, SIG$signal: sent $count times, status $status"
            ((status == 0)) || fail "$node, SIG$signal: status $status"
            same 'standard error' '' /run/err || exit 1
        done
    done
    set +m
}

# What cannot be kept away from an sg node is at least told.
test_a_change_that_was_sent_twice() {
    local pid
    set -m
    settle
    answer_by '5f@1 wait 2000' '5f@2+ status 18'
    : >"$commands"
    sg_persist -n -o -G -S 1 "$generic" </dev/null >/run/out 2>/run/err &
    pid=$!
    sleep 1
    kill -STOP "$pid"
    await is_stopped "$pid"
    kill -CONT "$pid"
    wait "$pid" && status=0 || status=$?
    set +m
    ((status == 24)) || fail "status $status"
    (($(grep -c ^5f "$commands") == 2)) || fail "this kernel sends it once: the manual says otherwise"
    same 'standard error' "sg_persist: the program was stopped while a command ($out) was at $generic, and the kernel may have sent it twice: read the keys and the reservation to see
PR out (Register): Reservation conflict
sg_persist failed: Reservation conflict" /run/err || exit 1
}

# A signal that the parent has blocked ends nothing, as it ends nothing in the original.
test_blocked_signals() {
    local pid
    answer_by '5f wait 2000'
    env --block-signal=TERM --block-signal=INT sg_persist -n -o -C -K 1 "$disk" >/run/out 2>/run/err &
    pid=$!
    sleep 1
    kill -TERM "$pid"
    wait "$pid" && status=0 || status=$?
    ((status == 0)) || fail "status $status"
    same 'standard output' '' /run/out || exit 1
    same 'standard error' '' /run/err || exit 1
}

# Nor does one that comes to the first process of a container, which the kernel lets no such signal end.
test_signals_for_the_first_process() {
    answer_by '5f wait 2000'
    # shellcheck disable=SC2016
    unshare --pid --fork bash -c '(sleep 1 && kill -TERM 1 && kill -INT 1) & exec sg_persist -n -o -C -K 1 "$1"' - "$disk" \
        >/run/out 2>/run/err && status=0 || status=$?
    ((status == 0)) || fail "status $status"
    same 'standard output' '' /run/out || exit 1
    same 'standard error' '' /run/err || exit 1
}

# An overview keeps one device open at a time, on a terminal, too, and has one thread for all of them.
test_more_devices_than_descriptors() {
    local devices=() number count
    for ((number = 0; number < 40; number++)); do devices+=("$disk"); done
    answer_by '5e00 keys 0' '5e01 data 00000007 00000000' '5e03 data 00000007 00000000' \
        '5e02 sense 70 00 05 00*4 0a 00*4 24 00 00*4'
    (ulimit -n 16 && sg_persist --overview "${devices[@]}") >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    count=$(grep -c 'LAB SCRIPTED DISK' /run/out || :)
    ((count == 40)) || fail "$count tables: $(head -n 20 /run/out)"
    mkdir -p /dev/pts
    mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
    TERM=vt100 script --quiet --return --command "ulimit -n 16 && sg_persist --overview ${devices[*]}" /dev/null \
        </dev/null >/run/out || fail "on a terminal: status $?: $(tail -n 3 /run/out)"
}

# A tape can be opened once at a time: what INQUIRY came through is closed before the change's node is opened.
test_a_tape_is_opened_once() {
    local status
    modprobe st && modprobe scsi_debug ptype=1 || fail 'no tape'
    await test -c /dev/st0
    # It opens, and says that it does not know the command.
    sg_persist -o -C -K 1 /dev/st0 >/run/out 2>/run/err && status=0 || status=$?
    ((status == 9)) || fail "status $status: $(cat /run/err)"
    grep -qx '  Peripheral device type: tape' /run/out || fail "$(cat /run/out)"
    same 'standard error' 'PR out (Clear): command not supported
sg_persist failed: Illegal request, Invalid opcode
Sense data 5/20/00: Illegal Request, Invalid command operation code' /run/err || exit 1
}
