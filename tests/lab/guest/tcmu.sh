# shellcheck shell=bash disable=SC2154,SC2034
# A device whose answers the tests write down: Linux's target hands its commands to a program of ours (TCMU). Sourced in
# the guest, after target.sh.

tools=${lab%/*/*}/target/lab/tools
# What the scripted device answers, and the commands that came to it.
rules=/run/rules
commands=/run/commands

# The program, from where it starts fast.
load_tools() {
    [[ -x /run/bin/lab-tools ]] || cp "$tools" /run/bin/lab-tools
}

# Takes the rules (see tools/rules.rs), one a line. Those given before are forgotten, their counting too.
answer_by() {
    # The first line makes it another text than before in any case.
    printf '%s\n' "# $EPOCHREALTIME" "$@" >"$rules"
}

is_ready() {
    [[ -s $1 ]]
}

# A new scripted device that answers by the file $rules; sets scripted (its folder in configfs) and handler (the process
# that answers).
make_scripted() {
    local number=0
    load_tools
    load_target tcm_loop target_core_user
    while [[ -e $config/core/user_$number ]]; do number=$((number + 1)); done
    scripted=$config/core/user_$number/lab
    mkdir -p "$scripted"
    # Nobody listens for news of new devices, so no answer to them is to be waited for.
    echo "dev_config=lab/$number,dev_size=16777216,hw_block_size=512,nl_reply_supported=-1,max_data_area_mb=4" \
        >"$scripted/control"
    # Not the target but the program answers PERSISTENT RESERVE IN and OUT.
    echo 0 >"$scripted/attrib/pgr_support"
    echo "${patience-300}" >"$scripted/attrib/cmd_time_out"
    echo 1 >"$scripted/enable"
    answer_by
    lab-tools tcmu "$number" "$rules" "$commands" >"/run/handler$number" 2>&1 &
    handler=$!
    scripted_number=$number
    await is_ready "/run/handler$number"
}

# A scripted device behind a port of its own. Sets, besides, disk, generic and bsg (its nodes), address (H:C:T:L), lun
# (the logical unit's folder in configfs, in which "lab" leads to the device).
export_scripted() {
    local initiator port tpg
    make_scripted || return
    printf -v port 'naa.6001405002%06x' "$scripted_number"
    printf -v initiator '6001405003%06x' "$scripted_number"
    tpg=$config/loopback/$port/tpgt_1
    lun=$tpg/lun/lun_0
    mkdir -p "$lun"
    echo "naa.$initiator" >"$tpg/nexus"
    ln -s "$scripted" "$lun/"
    read -r address <"$tpg/address"
    address+=:0
    nodes_of "$address"
}
