# shellcheck shell=bash
# What the tests say about a command: its status, standard output and standard error, all three, to the byte. Sourced.

fail() {
    printf '%s\n' "$*"
    exit 1
}

# keep LINE: in the run's folder, for people; those of earlier runs are gone.
keep() {
    [[ -e /run/kept ]] || : >/run/job/figures
    printf '%s\n' "$*" >>/run/kept
    printf '%s\n' "$*" >>/run/job/figures
}

# same WHAT EXPECTED FILE: the file holds the expected lines; expecting '' is expecting nothing at all.
same() {
    if [[ -z $2 ]]; then
        [[ -s $3 ]] || return 0
        : >/run/wanted
    else
        printf '%s\n' "$2" >/run/wanted
        cmp -s /run/wanted "$3" && return
    fi
    printf '%s differs (-: expected, +: came)\n' "$1"
    diff -U 9 /run/wanted "$3" | tail -n +3
    return 1
}

# answers STATUS STDOUT STDERR COMMAND...
answers() {
    local wanted=$1 out=$2 err=$3 status right=1
    shift 3
    "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    ((status == wanted)) || { echo "status $status, expected $wanted" && right=0; }
    same 'standard output' "$out" /run/out || right=0
    same 'standard error' "$err" /run/err || right=0
    ((right)) || fail "of: $*"
}

# succeeds COMMAND...: status 0 and no output at all, as every PR OUT command without INQUIRY that was carried out.
succeeds() {
    answers 0 '' '' "$@"
}

# conflicts NAME COMMAND...: refused with RESERVATION CONFLICT. NAME is the service action's in messages.
conflicts() {
    local name=$1
    shift
    answers 24 '' "PR out ($name): Reservation conflict
sg_persist failed: Reservation conflict" "$@"
}

# The command as the tests use it most; what it prints without -n has tests of its own.
prin() {
    sg_persist -n --in "$@"
}

prout() {
    sg_persist -n --out "$@"
}

# holds DEVICE GENERATION KEY...: these keys are registered, in this order.
holds() {
    local device=$1 generation=$2 lines key
    shift 2
    case $# in
    0) lines="  PR generation=0x$generation, there are NO registered reservation keys" ;;
    1) lines="  PR generation=0x$generation, 1 registered reservation key follows:" ;;
    *) lines="  PR generation=0x$generation, $# registered reservation keys follow:" ;;
    esac
    for key in "$@"; do lines+=$'\n'"    0x$key"; done
    answers 0 "$lines" '' prin --read-keys "$device"
    confirmed keys "$device"
}

# reserved DEVICE GENERATION KEY TYPE: this reservation is held. TYPE in words.
reserved() {
    answers 0 "  PR generation=0x$2, Reservation follows:
    Key=0x$3
    scope: LU_SCOPE,  type: $4" '' prin --read-reservation "$1"
    confirmed reservation "$1"
}

unreserved() {
    answers 0 "  PR generation=0x$2, there is NO reservation held" '' prin --read-reservation "$1"
    confirmed reservation "$1"
}

# confirmed keys|reservation DEVICE: whether another program says of the device what was just asked, where there is one
# (nvmet.sh).
confirmed() { :; }

# The next command of a node that lost its registration is answered with a unit attention, whatever the command; this
# takes the condition away. Fails where there was none.
takes_attention() {
    local status
    prin --read-keys "$1" >/run/out 2>/run/err && status=0 || status=$?
    ((status == 6)) || fail "$1: no unit attention but status $status"
}

# Reading and writing the disk itself: one block, past every cache.
reads() {
    dd if="$1" of=/run/block iflag=direct bs=4096 count=1 status=none 2>/run/err
}

# writes DEVICE LETTER: fills the first block with the letter.
writes() {
    local letters
    printf -v letters '%4096s' ''
    printf %s "${letters// /$2}" >/run/letters
    dd if=/run/letters of="$1" oflag=direct bs=4096 count=1 status=none 2>/run/err
}

# first_block DEVICE LETTER: it is full of the letter.
first_block() {
    local letters
    reads "$1" || fail "$1: $(cat /run/err)"
    printf -v letters '%4096s' ''
    printf %s "${letters// /$2}" >/run/letters
    cmp -s /run/letters /run/block || fail "$1: the first block is not all $2"
}
