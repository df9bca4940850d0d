# shellcheck shell=bash disable=SC2154,SC2001
# PERSISTENT RESERVE IN: four service actions, as text and as the bytes that came. (Those of NVMe that are not the same are
# in nvme.sh.)
# targets: lio nvmet-loop

two_nodes_one_reservation() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
}

test_read_keys_none() {
    answers 0 '  PR generation=0x0, there are NO registered reservation keys' '' \
        sg_persist -n --in --read-keys "$node1"
}

test_read_keys_is_assumed() {
    answers 0 '  PR generation=0x0, there are NO registered reservation keys' \
        '>> No service action given; assume Persistent Reserve In command
>> with Read Keys service action' sg_persist -n "$node1"
}

test_read_keys_one() {
    succeeds prout --register --param-sark=fedcba9876543210 "$node1"
    answers 0 '  PR generation=0x1, 1 registered reservation key follows:
    0xfedcba9876543210' '' sg_persist -n --in --read-keys "$node1"
}

test_read_keys_two() {
    two_nodes_one_reservation
    answers 0 '  PR generation=0x2, 2 registered reservation keys follow:
    0xabc123
    0x123abc' '' sg_persist -nk "$node2"
}

test_read_keys_hex() {
    two_nodes_one_reservation
    answers 0 '  PR generation=0x2, Additional length=16
 00     00 00 00 00 00 ab c1 23  00 00 00 00 00 12 3a bc' '' sg_persist -n -k -H "$node1"
    answers 0 ' 00     00 00 00 02 00 00 00 10  00 00 00 00 00 ab c1 23
 10     00 00 00 00 00 12 3a bc' '' sg_persist -n -k -HH "$node1"
    answers 0 '00 00 00 02 00 00 00 10  00 00 00 00 00 ab c1 23
00 00 00 00 00 12 3a bc' '' sg_persist -n -k -HHH "$node1"
}

test_read_keys_none_hex() {
    # The length twice, as the original has it: programs count lines.
    answers 0 '  PR generation=0x0, Additional length=0
Additional length=0' '' sg_persist -n -k -H "$node1"
    answers 0 ' 00     00 00 00 00 00 00 00 00' '' sg_persist -n -k -HH "$node1"
    answers 0 '00 00 00 00 00 00 00 00' '' sg_persist -n -k -HHH "$node1"
}

test_read_reservation_none() {
    succeeds prout --register --param-sark=abc123 "$node1"
    answers 0 '  PR generation=0x1, there is NO reservation held' '' \
        sg_persist -n --in --read-reservation "$node1"
}

test_read_reservation_held() {
    two_nodes_one_reservation
    for node in "$node1" "$node2"; do
        answers 0 '  PR generation=0x2, Reservation follows:
    Key=0xabc123
    scope: LU_SCOPE,  type: Write Exclusive, registrants only' '' sg_persist -n --in --read-reservation "$node"
    done
}

test_read_reservation_of_all_registrants() {
    # No single key holds it: 0 is the answer, and not the lack of a reservation.
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=7 "$node1"
    answers 0 '  PR generation=0x1, Reservation follows:
    Key=0x0
    scope: LU_SCOPE,  type: Write Exclusive, all registrants' '' sg_persist -n --in --read-reservation "$node1"
}

test_read_reservation_hex() {
    two_nodes_one_reservation
    answers 0 '  PR generation=0x2, Additional length=16
 00     00 00 00 00 00 ab c1 23  00 00 00 00 00 05 00 00' '' sg_persist -n -r -H "$node1"
    answers 0 ' 00     00 00 00 02 00 00 00 10  00 00 00 00 00 ab c1 23
 10     00 00 00 00 00 05 00 00' '' sg_persist -n -r -HH "$node1"
    answers 0 '00 00 00 02 00 00 00 10  00 00 00 00 00 ab c1 23
00 00 00 00 00 05 00 00' '' sg_persist -n -r -HHH "$node1"
}

# only: lio
test_report_capabilities() {
    answers 0 'Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 0
  Compatible Reservation Handling(CRH): 1
  Specify Initiator Ports Capable(SIP_C): 1
  All Target Ports Capable(ATP_C): 1
  Persist Through Power Loss Capable(PTPL_C): 1
  Type Mask Valid(TMV): 1
  Allow Commands: 1
  Persist Through Power Loss Active(PTPL_A): 0
    Support indicated in Type mask:
      Write Exclusive, all registrants: 1
      Exclusive Access, registrants only: 1
      Write Exclusive, registrants only: 1
      Exclusive Access: 1
      Write Exclusive: 1
      Exclusive Access, all registrants: 1' '' sg_persist -n --in --report-capabilities "$node1"
}

# only: lio
test_report_capabilities_hex() {
    for count in -H -HH -HHH; do
        answers 0 ' 00     00 08 1d 90 ea 01 00 00' '' sg_persist -n -c $count "$node1"
    done
}

test_read_full_status_none() {
    answers 0 '  PR generation=0x0
  No full status descriptors' '' sg_persist -n --in --read-full-status "$node1"
}

# only: lio
test_read_full_status() {
    two_nodes_one_reservation
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        SAS address: 0x$initiator1
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x2
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator2" '' sg_persist -n --in --read-full-status "$node1"
}

# only: lio
test_read_full_status_hex() {
    local id1 id2
    two_nodes_one_reservation
    # The initiators' addresses as bytes; they lie across the ends of lines.
    id1=$(sed 's/../ &/g' <<<"$initiator1")
    id2=$(sed 's/../ &/g' <<<"$initiator2")
    answers 0 "  PR generation=0x2, Additional length=96
 00     00 00 00 00 00 ab c1 23  00 00 00 00 01 05 00 00
 10     00 00 00 01 00 00 00 18  06 00 00 00${id1:0:12}
 20    ${id1:12} 00 00 00 00  00 00 00 00 00 00 00 00
 30     00 00 00 00 00 12 3a bc  00 00 00 00 00 00 00 00
 40     00 00 00 02 00 00 00 18  06 00 00 00${id2:0:12}
 50    ${id2:12} 00 00 00 00  00 00 00 00 00 00 00 00" '' sg_persist -n -s -H "$node1"
    answers 0 " 00     00 00 00 02 00 00 00 60  00 00 00 00 00 ab c1 23
 10     00 00 00 00 01 05 00 00  00 00 00 01 00 00 00 18
 20     06 00 00 00${id1:0:12} ${id1:12} 00 00 00 00
 30     00 00 00 00 00 00 00 00  00 00 00 00 00 12 3a bc
 40     00 00 00 00 00 00 00 00  00 00 00 02 00 00 00 18
 50     06 00 00 00${id2:0:12} ${id2:12} 00 00 00 00
 60     00 00 00 00 00 00 00 00" '' sg_persist -n -s -HH "$node1"
    answers 0 "00 00 00 02 00 00 00 60  00 00 00 00 00 ab c1 23
00 00 00 00 01 05 00 00  00 00 00 01 00 00 00 18
06 00 00 00${id1:0:12} ${id1:12} 00 00 00 00
00 00 00 00 00 00 00 00  00 00 00 00 00 12 3a bc
00 00 00 00 00 00 00 00  00 00 00 02 00 00 00 18
06 00 00 00${id2:0:12} ${id2:12} 00 00 00 00
00 00 00 00 00 00 00 00" '' sg_persist -n -s -HHH "$node1"
}
