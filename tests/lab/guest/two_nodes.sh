# shellcheck shell=bash disable=SC2154,SC2034
# Two nodes of a cluster, a machine each, with several paths to one logical unit and a multipath map over them. Node a is
# this machine, which has the target as well; node b is the second one. Sourced in either, after check.sh and target.sh.
. "$lab/guest/iscsi.sh"
. "$lab/guest/network.sh"
. "$lab/guest/maps.sh"
. "$lab/guest/matrix.sh"

portal() {
    echo "$first_address:326$1"
}

# node_of HOST PATHS: logs in over so many ports as host HOST, and makes a map. Sets map, and paths (the nodes).
node_of() {
    local port session initiator disk generic bsg address
    paths=()
    for ((port = 1; port <= $2; port++)); do
        log_in "$1" "$port" && disk_of 0 || return
        paths+=("$disk")
    done
    make_map "${target##*:}" "${paths[@]}"
}

# second SCRIPT: in the second machine, with what is defined here.
second() {
    on_second bash -c "set -- ${target-}; lab=$(printf %q "$lab"); . \"\$lab/guest/check.sh\"
        . \"\$lab/guest/target.sh\"; . \"\$lab/guest/two_nodes.sh\"; target=\$1; $1"
}

# two_nodes PATHS: sets map and paths (those of node a), map_b and paths_b, witness (a path of a third initiator, which is
# never registered and has nothing to be told), ports (the ports' numbers for SCSI).
two_nodes() {
    local port relative found session initiator disk generic bsg address
    load_network
    load_initiator
    load_original
    make_store
    new_target
    ports=()
    for ((port = 1; port <= $1; port++)); do
        make_port "$port" && offer "$port" 0 && open_port "$port" || return
        ports+=("$relative")
    done
    node_of 1 "$1"
    log_in 3 1 && disk_of 0 && witness=$disk
    found=$(second "load_initiator && node_of 2 $1 && echo \$map \${paths[@]}") || return
    read -r map_b found <<<"$found"
    read -ra paths_b <<<"$found"
}

# a COMMAND..., b COMMAND...: on that node.
a() {
    "$@"
}

b() {
    on_second "$@"
}

# The state of the logical unit, as the original program has it over the witness, in one line: each registration as
# NODE PORT:KEY, with * if it holds the reservation, and its type.
state() {
    local program=(/run/original/ld-linux-x86-64.so.2 --library-path /run/original /run/original/sg_persist)
    [[ -e /run/original ]] || program=(sg_persist)
    "${program[@]}" -n -s "$witness" >/run/state 2>/run/state.err || fail "no witness: $(cat /run/state.err)"
    awk -v ports="${ports[*]}" '
        BEGIN { n = split(ports, of, " "); for (i = 1; i <= n; i++) number["0x" of[i]] = i }
        /Key=/ { key = substr($1, 7); star = "" }
        /Relative port/ { port = number[$4] }
        /<< Reservation holder/ { star = "*" }
        /type:/ { sub(/.*type: /, ""); type = $0 }
        /iSCSI/ { node = /:host1,/ ? "a" : /:host2,/ ? "b" : "?"; print node port ":" key star }
        END { if (type != "") print "~" type }' /run/state | sort | tr '\n' ' '
}

# is STATE
is() {
    local found
    found=$(state)
    [[ ${found% } = "$1" ]] || fail "the state is: ${found% }, expected: $1"
}

# ends STATUS WORDS COMMAND...: this status, nothing on standard output, and WORDS on standard error (nothing where empty).
ends() {
    local wanted=$1 words=$2 status
    shift 2
    "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    ((status == wanted)) || fail "status $status, expected $wanted: $(cat /run/out /run/err), of: $*"
    [[ ! -s /run/out ]] || fail "standard output: $(cat /run/out), of: $*"
    if [[ -n $words ]]; then
        grep -q -e "$words" /run/err || fail "not told ($words): $(cat /run/err), of: $*"
    else
        [[ ! -s /run/err ]] || fail "standard error: $(cat /run/err), of: $*"
    fi
}
