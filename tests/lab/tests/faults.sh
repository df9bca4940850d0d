# shellcheck shell=bash disable=SC2154,SC2034
# needs: script:bsdutils
# tools: ours
# What the program makes of answers that are cut, malformed, refused, endless: an answer only where the device gave one,
# whole, and else a message and a status other than 0.
. "$lab/guest/tcmu.sh"
. "$lab/guest/matrix.sh"

# One device serves all of the file's tests. Commands that are never answered are given up by the target after this time.
patience=6

prepare() {
    if [[ ! -e /run/scripted ]]; then
        : >"$matrix"
        export_scripted
        printf '%s=%q\n' disk "$disk" generic "$generic" bsg "$bsg" address "$address" scripted "$scripted" >/run/scripted
        load_original
    fi
    . /run/scripted
    : >"$commands"
}

malformed='sg_persist failed: Malformed SCSI command response'

# refused ACTION PROBLEM: the lines on standard error; sets $err.
refused() {
    err="PR in ($1): $2
$malformed"
}

reservation='data 00000007 00000010 0000000000abc123 00*4 00 05 00*2'
capabilities='data 0008 1d 90 ea 01 00*2'

test_short_data() {
    begin_cells
    local take
    for take in 1 3; do
        refused 'Read keys' "the response is too short: PRGENERATION takes bytes 0 to 3, only $take bytes came"
        cell "READ KEYS, $take of 32 bytes" 97 '' "$err" "5e00 keys 3 take $take" -nk
        refused 'Read reservation' "the response is too short: PRGENERATION takes bytes 0 to 3, only $take bytes came"
        cell "READ RESERVATION, $take of 24 bytes" 97 '' "$err" "5e01 $reservation take $take" -nr
        refused 'Read full status' "the response is too short: PRGENERATION takes bytes 0 to 3, only $take bytes came"
        cell "READ FULL STATUS, $take of 104 bytes" 97 '' "$err" "5e03 full 2 take $take" -ns
    done
    for take in 4 7; do
        refused 'Read keys' "the response is too short: ADDITIONAL LENGTH takes bytes 4 to 7, only $take bytes came"
        cell "READ KEYS, $take of 32 bytes" 97 '' "$err" "5e00 keys 3 take $take" -nk
        refused 'Read reservation' "the response is too short: ADDITIONAL LENGTH takes bytes 4 to 7, only $take bytes came"
        cell "READ RESERVATION, $take of 24 bytes" 97 '' "$err" "5e01 $reservation take $take" -nr
        refused 'Read full status' "the response is too short: ADDITIONAL LENGTH takes bytes 4 to 7, only $take bytes came"
        cell "READ FULL STATUS, $take of 104 bytes" 97 '' "$err" "5e03 full 2 take $take" -ns
    done
    for take in 8 9 16 31; do
        refused 'Read keys' "the response takes 32 bytes, only $take came"
        cell "READ KEYS, $take of 32 bytes" 97 '' "$err" "5e00 keys 3 take $take" -nk
    done
    for take in 8 13 23; do
        refused 'Read reservation' "the response takes 24 bytes, only $take came"
        cell "READ RESERVATION, $take of 24 bytes" 97 '' "$err" "5e01 $reservation take $take" -nr
    done
    for take in 8 33 56 103; do
        refused 'Read full status' "the response takes 104 bytes, only $take came"
        cell "READ FULL STATUS, $take of 104 bytes" 97 '' "$err" "5e03 full 2 take $take" -ns
    done
    refused 'Report capabilities' 'the response is too short: LENGTH takes bytes 0 to 1, only 1 bytes came'
    cell 'REPORT CAPABILITIES, 1 of 8 bytes' 97 '' "$err" "5e02 $capabilities take 1" -nc
    for take in 2 5; do
        refused 'Report capabilities' \
            "the response is too short: capabilities and type mask takes bytes 2 to 5, only $take bytes came"
        cell "REPORT CAPABILITIES, $take of 8 bytes" 97 '' "$err" "5e02 $capabilities take $take" -nc
    done
    refused 'Report capabilities' 'the response is too short: reserved takes bytes 6 to 7, only 7 bytes came'
    cell 'REPORT CAPABILITIES, 7 of 8 bytes' 97 '' "$err" "5e02 $capabilities take 7" -nc
    # In hexadecimal, what came is shown, and still it is no answer.
    refused 'Read keys' 'the response takes 32 bytes, only 13 came'
    cell 'READ KEYS -HH, 13 of 32 bytes' 97 ' 00     00 00 00 07 00 00 00 18  00 00 00 00 00' "$err" \
        '5e00 keys 3 take 13' -nkHH
    end_cells 'short data'
}

test_lengths() {
    begin_cells
    local length
    for length in 1 7; do
        refused 'Read keys' "ADDITIONAL LENGTH $length is no multiple of the 8 bytes of an element"
        cell "READ KEYS, ADDITIONAL LENGTH $length" 97 '' "$err" "5e00 keys 2 length $length" -nk
        refused 'Read reservation' "ADDITIONAL LENGTH $length is no multiple of the 16 bytes of an element"
        cell "READ RESERVATION, ADDITIONAL LENGTH $length" 97 '' "$err" "5e01 $reservation length $length" -nr
        refused 'Read full status' \
            "descriptor 1 at byte 8 does not fit the list: RESERVATION KEY takes bytes 8 to 15, only $((8 + length)) bytes came"
        cell "READ FULL STATUS, ADDITIONAL LENGTH $length" 97 '' "$err" "5e03 full 2 length $length" -ns
    done
    refused 'Read reservation' 'ADDITIONAL LENGTH 15 is no multiple of the 16 bytes of an element'
    cell 'READ RESERVATION, ADDITIONAL LENGTH 15' 97 '' "$err" "5e01 $reservation length f" -nr
    for length in 7fffffff ffffffff; do
        local end=$((0x$length + 8)) never=$'\nNo command can ask for more than 65535 bytes, so the whole list cannot be read'
        err="PR in (Read keys): the response takes $end bytes, only 24 came$never
$malformed"
        cell "READ KEYS, ADDITIONAL LENGTH ${length}h" 97 '' "$err" "5e00 keys 2 length $length" -nk
        err="PR in (Read reservation): the response takes $end bytes, only 24 came$never
$malformed"
        cell "READ RESERVATION, ADDITIONAL LENGTH ${length}h" 97 '' "$err" "5e01 $reservation length $length" -nr
        err="PR in (Read full status): the response takes $end bytes, only 104 came$never
$malformed"
        cell "READ FULL STATUS, ADDITIONAL LENGTH ${length}h" 97 '' "$err" "5e03 full 2 length $length" -ns
    done
    for length in 0 7; do
        err="Unexpected response for PRIN Report Capabilities
PR in (Report capabilities): LENGTH is $length, the capabilities alone take 8 bytes
$malformed"
        cell "REPORT CAPABILITIES, LENGTH $length" 97 '' "$err" "5e02 data 000$length 1d 90 ea 01 00*2" -nc
    done
    cell 'READ RESERVATION, two' 97 '' \
        "PR in (Read reservation): the response lists 2 reservations, a logical unit has one at most
$malformed" \
        '5e01 data 00000007 00000020 0000000000abc123 00*5 05 00*2 0000000000123abc 00*5 06 00*2' -nr
    end_cells lengths
}

# A full status descriptor with these ADDITIONAL DESCRIPTOR LENGTH and TransportID, and a header before it.
descriptors() {
    refused 'Read full status' "descriptor $2"
    cell "READ FULL STATUS, $1" 97 '' "$err" "5e03 data 00000007 $3" -ns
}

test_descriptors() {
    begin_cells
    local fixed='0000000000abc123 00*4 01 05 00*4 0001' sas='06 00*3 5000000000000001 00*12'
    descriptors 'descriptor length -24 (for ever the same)' \
        '1 at byte 8 does not fit the list: TRANSPORTID takes bytes 32 to 4294967303, only 56 bytes came' \
        "00000030 $fixed ffffffe8 $sas"
    descriptors 'descriptor length -48 (backwards)' \
        '1 at byte 8 does not fit the list: TRANSPORTID takes bytes 32 to 4294967279, only 56 bytes came' \
        "00000030 $fixed ffffffd0 $sas"
    descriptors 'descriptor length 1 (overlap)' \
        '2 at byte 33 does not fit the list: ADDITIONAL DESCRIPTOR LENGTH takes bytes 53 to 56, only 56 bytes came' \
        "00000030 $fixed 00000001 $sas"
    descriptors 'descriptor length 23' \
        '2 at byte 55 does not fit the list: RESERVATION KEY takes bytes 55 to 62, only 56 bytes came' \
        "00000030 $fixed 00000017 $sas"
    descriptors 'descriptor length 25 (overrun)' \
        '1 at byte 8 does not fit the list: TRANSPORTID takes bytes 32 to 56, only 56 bytes came' \
        "00000030 $fixed 00000019 $sas"
    descriptors 'descriptor length 7fffffffh' \
        '1 at byte 8 does not fit the list: TRANSPORTID takes bytes 32 to 2147483678, only 56 bytes came' \
        "00000030 $fixed 7fffffff $sas"
    descriptors 'second descriptor cut' \
        '2 at byte 56 does not fit the list: ADDITIONAL DESCRIPTOR LENGTH takes bytes 76 to 79, only 79 bytes came' \
        "00000047 $fixed 00000018 $sas $fixed 00000018"
    descriptors 'second descriptor overruns' \
        '2 at byte 56 does not fit the list: TRANSPORTID takes bytes 80 to 104, only 104 bytes came' \
        "00000060 $fixed 00000018 $sas $fixed 00000019 $sas"
    # What is no TransportID is shown in hex.
    local held='  PR generation=0x7
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id'
    cell 'READ FULL STATUS, iSCSI name longer than its descriptor' 0 "$held of initiator:
      05 00 00 15 41 41 41 41  41 41 41 41 41 41 41 41
      41 41 41 41 41 41 41 00" '' "5e03 data 00000007 00000030 $fixed 00000018 05 00 00 15 41*19 00" -ns
    cell 'READ FULL STATUS, iSCSI name of 65535 bytes' 0 "$held of initiator:
      05 00 ff ff 41 41 41 41  41 41 41 41 41 41 41 41
      41 41 41 41 41 41 41 00" '' "5e03 data 00000007 00000030 $fixed 00000018 05 00 ff ff 41*19 00" -ns
    cell 'READ FULL STATUS, a host identifier' 0 "$held short or not multiple of 4 [length=16]:
      06 00 00 00 aa 11 bb 22  cc 33 dd 44 ee 55 ff 66" '' \
        "5e03 data 00000007 00000028 $fixed 00000010 06000000aa11bb22 cc33dd44ee55ff66" -ns
    # No TransportID at all: what else the descriptor says is whole.
    cell 'READ FULL STATUS, descriptor length 0' 0 '  PR generation=0x7
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only' '' "5e03 data 00000007 00000018 $fixed 00000000" -ns
    end_cells descriptors
}

# Keys as `keys` of the rules makes them, shown; sets $shown.
show_keys() {
    local numbers
    printf -v numbers '%x ' $(eval "echo {1..$1}") # one process and nothing else
    printf -v shown '\n    0x%s' $numbers
    shown="  PR generation=0x7, $1 registered reservation keys follow:$shown"
}

test_many_keys() {
    begin_cells
    local count
    for count in 1022 1023 1024 5000 8189; do
        show_keys "$count"
        cell "READ KEYS, $count keys" 0 "$shown" '' "5e00 keys $count" -nk
    done
    local never='No command can ask for more than 65535 bytes, so the whole list cannot be read'
    err="PR in (Read keys): the response takes 65536 bytes, only 8192 came
$never
$malformed"
    cell 'READ KEYS, 8190 keys' 97 '' "PR in (Read keys): the response takes 65528 of 65535 bytes of room, so the device may have left out what did not fit
$malformed" '5e00 keys 8190' -nk
    cell 'READ KEYS, 8191 keys' 97 '' "$err" '5e00 keys 8191' -nk
    err="PR in (Read keys): the response takes 560008 bytes, only 8192 came
$never
$malformed"
    cell 'READ KEYS, 70000 keys' 97 '' "$err" '5e00 keys 70000' -nk
    err="PR in (Read keys): the response takes 40 bytes, only 24 came
Ask for all of it with --alloc-length=28 or --maxlen=40, or leave the option out
$malformed"
    cell 'READ KEYS -m 24, 4 keys' 97 '' "$err" '5e00 keys 4' -nk -m 24
    end_cells 'many keys'
}

test_growing_lists() {
    begin_cells
    show_keys 2100
    cell 'READ KEYS, grown by 100 before the second read' 0 "$shown" '' '5e00@1 keys 2000
5e00@2+ keys 2100' -nk
    show_keys 1500
    cell 'READ KEYS, shrunk before the second read' 0 "$shown" '' '5e00@1 keys 2000
5e00@2+ keys 1500' -nk
    show_keys 2100
    cell 'READ KEYS, grown before each read' 0 "$shown" '' '5e00@1 keys 2000
5e00@2 keys 2100
5e00@3+ keys 2200' -nk
    err='PR in (Read keys): Reservation conflict
sg_persist failed: Reservation conflict'
    cell 'READ KEYS, second read refused' 24 '' "$err" '5e00@1 keys 2000
5e00@2+ status 18' -nk
    end_cells 'growing lists'
}

test_statuses() {
    begin_cells
    local code exit text
    while read -r code exit text; do
        nodes="$disk $generic"
        # The sg driver adds "sense data came" to a status with this bit, though none did.
        [[ $code != 06 && $code != ff ]] || nodes=$disk
        err="PR in (Read keys): $text
sg_persist failed: $text"
        [[ $exit != 99 ]] || err="Persistent reservation in: scsi status: ${text#* }
PR in (Read keys): Some other error
sg_persist failed: Some other error"
        cell "READ KEYS, status ${code}h, with data" "$exit" '' "$err" "5e00 status $code keys 2" -nk
        err=${err//Persistent reservation in/Persistent reservation out}
        err=${err//PR in (Read keys)/PR out (Preempt)}
        cell "PREEMPT, status ${code}h" "$exit" '' "$err" "5f status $code" -no -P -K 1 -S 2 -T 1
    done <<'END'
04 25 Condition met
05 25 Condition met
18 24 Reservation conflict
99 24 Reservation conflict
30 28 ACA aactive
40 29 Task aborted
10 99 - Intermediate (obsolete)
14 99 - Intermediate-Condition Met (obsolete)
01 99 - Unknown status [0x1]
06 99 - Unknown status [0x6]
80 99 - Unknown status [0x80]
ff 99 - Unknown status [0xff]
END
    # The kernel repeats these until the command's time is over; the original's is a minute.
    nodes=$disk original_runs=0
    cell 'READ KEYS, status 08h for ever' 26 '' 'PR in (Read keys): Busy
sg_persist failed: Busy' '5e00 status 08' -nk --timeout=1
    cell 'READ KEYS, status 28h for ever' 27 '' 'PR in (Read keys): Task set full
sg_persist failed: Task set full' '5e00 status 28' -nk --timeout=1
    end_cells statuses
}

test_sense() {
    begin_cells
    local key exit shown name last in out text form sense data got more
    while IFS='|' read -r key exit shown name last in out; do
        for form in fixed descriptor; do
            if [[ $form = fixed ]]; then
                sense="sense 70 00 0$key 00*4 0a 00*4 29 00 00*4"
                text="Fixed format, current; Sense key: $name"
            else
                sense="sense 72 0$key 29 00 00*4"
                text="Descriptor format, current; Sense key: $name"
            fi
            text+=$'\nAdditional sense: Power on, reset, or bus device reset occurred\n'
            more=
            if [[ $shown = 0 ]]; then
                text=
                more=$'\n'"Sense data $key/29/00: $name, Power on, reset, or bus device reset occurred"
            fi
            for data in '' 'keys 2'; do
                # Both nodes get their share, the target's answers are the same on them.
                if [[ $nodes = "$disk" ]]; then nodes=$generic; else nodes=$disk; fi
                got=
                [[ -z $text || -z $data ]] ||
                    got=$'    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes\n'
                err="${text:+Persistent reservation in:
}$text${got}PR in (Read keys): ${in:-$last}
sg_persist failed: $last$more"
                cell "READ KEYS, $form sense key $key${data:+ with data}" "$exit" '' "$err" "5e00 $sense $data" -nk
            done
            err="${text:+Persistent reservation out:
}${text}PR out (Clear): ${out:-$last}
sg_persist failed: $last$more"
            cell "CLEAR, $form sense key $key" "$exit" '' "$err" "5f $sense" -no -C -K 1
        done
    done <<'END'
2|2|0|Not Ready|Device not ready
3|3|1|Medium Error|Medium or hardware error
4|3|1|Hardware Error|Medium or hardware error
5|5|0|Illegal Request|Illegal request|bad field in cdb or parameter list (perhaps unsupported service action)|bad field in cdb (perhaps unsupported service action)
6|6|1|Unit Attention|Unit attention
7|7|0|Data Protect|Data protect
8|3|1|Blank Check|Medium or hardware error
9|98|1|Vendor specific(9)|Some other sense error
a|10|0|Copy Aborted|Copy aborted
b|11|0|Aborted Command|Aborted command
c|98|1|Equal|Some other sense error
d|98|1|Volume Overflow|Some other sense error
e|14|0|Miscompare|Miscompare
f|98|1|Completed|Some other sense error
END
    end_cells sense
}

test_sense_that_says_more() {
    begin_cells
    local sense exit text last words advice
    while IFS='|' read -r sense exit text last words advice; do
        cell "READ KEYS, sense $sense" "$exit" '' "PR in (Read keys): $text
sg_persist failed: $last
Sense data $words${advice:+
$advice}" "5e00 sense $sense keys 2" -nk
    done <<'END'
70 00 05 00*4 0a 00*4 20 00 00*4|9|command not supported|Illegal request, Invalid opcode|5/20/00: Illegal Request, Invalid command operation code
72 05 24 00 00*4|5|bad field in cdb or parameter list (perhaps unsupported service action)|Illegal request|5/24/00: Illegal Request, Invalid field in cdb
70 00 05 00*4 0a 00*4 26 00 00*4|19|Illegal request, Invalid field in parameter list|Illegal request, Invalid field in parameter list|5/26/00: Illegal Request, Invalid field in parameter list
70 00 02 00*4 0a 00*4 04 0b 00*4|12|Device not ready, standby|Device not ready, standby|2/04/0b: Not Ready, Logical unit not accessible, target port in standby state|This path is in standby (ALUA): use another path to the device (multipath -ll lists them)
70 00 02 00*4 0a 00*4 04 0c 00*4|13|Device not ready, unavailable|Device not ready, unavailable|2/04/0c: Not Ready, Logical unit not accessible, target port in unavailable state|This path is unavailable (ALUA, ANA): use another path to the device (multipath -ll lists them)
72 0b 10 01 00*4|40|Aborted command, protection error|Aborted command, protection error|b/10/01: Aborted Command, Logical block guard check failed
END
    err='Persistent reservation in:
Fixed format, <<<deferred>>>; Sense key: Hardware Error
Additional sense: Internal target failure
PR in (Read keys): Medium or hardware error
sg_persist failed: Medium or hardware error
The sense data is about an earlier command; this one was not carried out'
    cell 'READ KEYS, deferred error' 3 '' "$err" '5e00 sense 71 00 04 00*4 0a 00*4 44 00 00*4' -nk
    err='Persistent reservation in:
Vendor specific sense buffer, in hex:
7f 11 11 11 11 11 11 11  11 11 11 11 11 11 11 11
11 11 00 00 00 00 00 00  00
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes
PR in (Read keys): Some other sense error
sg_persist failed: Some other sense error'
    cell 'READ KEYS, sense data of response code 7fh' 98 '' "$err" '5e00 sense 7f 11*17 keys 2' -nk
    # Nothing worse than a recovered error: the answer counts if it is whole.
    local answer='  PR generation=0x7, 2 registered reservation keys follow:
    0x1
    0x2'
    cell 'READ KEYS, NO SENSE with data' 0 "$answer" '' '5e00 sense 70 00 00 00*4 0a 00*10 keys 2' -nk
    err='Persistent reservation in:
Fixed format, current; Sense key: Recovered Error
Additional sense: Recovered data with no error correction applied
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes'
    cell 'READ KEYS, RECOVERED ERROR with data' 0 "$answer" "$err" \
        '5e00 sense 70 00 01 00*4 0a 00*4 17 00 00*4 keys 2' -nk
    cell 'READ KEYS, descriptor NO SENSE with data' 0 "$answer" '' '5e00 sense 72 00 00 00 00*4 keys 2' -nk
    cell 'READ KEYS, descriptor RECOVERED ERROR with data' 0 "$answer" "${err/Fixed/Descriptor}" \
        '5e00 sense 72 01 17 00 00*4 keys 2' -nk
    refused 'Read keys' 'the response is too short: ADDITIONAL LENGTH takes bytes 4 to 7, only 5 bytes came'
    cell 'READ KEYS, NO SENSE with 5 bytes' 97 '' "$err" '5e00 sense 70 00 00 00*4 0a 00*10 keys 2 take 5' -nk
    end_cells 'sense data that says more'
}

# INQUIRY ends the run, the command is not sent. $generic has no other users that could ask.
inquiry_ends() {
    local name=$1 exit=$2 err=$3 rule=$4 node
    for node in $disk $generic; do
        nodes=$node
        : >"$commands"
        cell "INQUIRY, $name, then READ KEYS" "$exit" "sg_persist: SCSI INQUIRY failed on $node" "$err" \
            "12 $rule"$'\n5e keys 2' -k
        original_runs=0
        cell "INQUIRY, $name, then CLEAR" "$exit" "sg_persist: SCSI INQUIRY failed on $node" "$err" \
            "12 $rule"$'\n5f' -o -C -K 1
    done
    original_runs=1
}

test_inquiry() {
    begin_cells
    local take shown
    for take in 1 3; do
        inquiry_ends "$take of 36 bytes" 97 '' "data 00 00 06 02 1f 00*31 take $take"
    done
    inquiry_ends 'status 18h' 24 '' 'status 18'
    inquiry_ends 'status 14h' 99 'inquiry: scsi status: Intermediate-Condition Met (obsolete)' 'status 14'
    inquiry_ends 'ILLEGAL REQUEST' 5 'Sense data 5/24/00: Illegal Request, Invalid field in cdb' 'sense 70 00 05 00*4 0a 00*4 24 00 00*4'
    inquiry_ends 'HARDWARE ERROR' 3 'inquiry:
Fixed format, current; Sense key: Hardware Error
Additional sense: Internal target failure' 'sense 70 00 04 00*4 0a 00*4 44 00 00*4'
    nodes="$disk $generic"
    # What identifies the device may be missing, the command is for it all the same.
    shown='  Peripheral device type: disk
  PR generation=0x7, 1 registered reservation key follows:
    0x1'
    cell 'INQUIRY, 5 of 36 bytes' 0 "      "$'\n'"$shown" '' $'12 data 00 00 06 02 1f 00*31 take 5\n5e keys 1' -k
    cell 'INQUIRY, 19 of 36 bytes' 0 "  LLLLLLLL  LLL  "$'\n'"$shown" '' $'12 data 00 00 06 02 1f 00*3 4c*28 take 19\n5e keys 1' -k
    end_cells INQUIRY
}

test_command_is_not_sent_after_a_failed_inquiry() {
    local rule node sent
    for rule in 'data 00 00 06 02 1f 00*31 take 3' 'status 18' 'status 10' 'sense 70 00 03 00*4 0a 00*10' 'sense 72 06 29'; do
        for node in "$disk" "$generic"; do
            answer_by "12 $rule" '5e keys 2' '5f'
            : >"$commands"
            ! sg_persist -k "$node" >/run/out 2>/run/err || fail "$rule: READ KEYS succeeded"
            ! sg_persist -o -C -K 1 "$node" >/run/out 2>/run/err || fail "$rule: CLEAR succeeded"
            mapfile -t sent <"$commands"
            [[ ${sent[*]} = '120000002400 120000002400' ]] || fail "$rule: sent ${sent[*]}"
        done
    done
}

# iSCSI name and INQUIRY strings with what takes a terminal over: ESC ] 0 ; x BEL, CSI 2 J, and the one byte CSI.
hostile_inquiry='12 data 00 00 06 02 1f 00*3 1b5b324a1b5d303b 78071b5b33316d9b324a7f0a41424344 1b635c5d'
hostile_name='5e03 data 00000007 00000030 0000000000abc123 00*4 01 05 00*4 0001 00000018 05 00 0014 69716e2e1b5b324a9b314a070d0a7f c3a4 00*3'

test_escape_sequences_in_a_pipe() {
    begin_cells
    cell 'READ FULL STATUS, escape sequences in names' 0 $'  \e[2J\e]0;  x\a\e[31m\x9b2J\x7f\nABCD  \ec\\]
  Peripheral device type: disk
  PR generation=0x7
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        iSCSI name: iqn.\e[2J\x9b1J\a\r\n\x7f\xc3\xa4' '' "$hostile_inquiry
$hostile_name" -s
    end_cells 'escape sequences'
}

test_escape_sequences_on_a_terminal() {
    local node
    mkdir -p /dev/pts
    mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
    for node in "$disk" "$generic"; do
        answer_by "$hostile_inquiry" "$hostile_name"
        script --quiet --return --command "sg_persist -s $node" /dev/null </dev/null >/run/seen || fail "status $?"
        tr -d '\r' </run/seen >/run/out
        same 'on the terminal' '  .[2J.]0;  x..[31m.2J..ABCD  .c\]
  Peripheral device type: disk
  PR generation=0x7
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        iSCSI name: iqn..[2J.1J......' /run/out || exit 1
        ! grep -q '[^ -~]' /run/out || fail 'a control character'
    done
}

test_the_time_limit() {
    # The target's own patience is longer: the limit is what ends it. Whether the kernel's abort leaves the host status or
    # the target's last word depends on which of them is first.
    answer_by '5e wait 5000 keys 2' '5f wait 5000'
    answers 35 '' 'Persistent reservation in: transport: Host_status=0x03 [DID_TIME_OUT]

PR in (Read keys): Transport error
sg_persist failed: Transport error' prin --timeout=1 -k "$generic"
    answers 35 '' 'Persistent reservation out: transport: Host_status=0x03 [DID_TIME_OUT]

PR out (Clear): Transport error
sg_persist failed: Transport error' prout --timeout=1 -C -K 1 "$generic"
    # With time enough it is answered.
    answer_by '5e wait 1500 keys 0'
    answers 0 '  PR generation=0x7, there are NO registered reservation keys' '' prin --timeout=20 -k "$generic"
}
