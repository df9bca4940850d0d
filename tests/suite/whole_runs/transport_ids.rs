//! TransportIDs in every form that is typed.

use super::*;

/// REGISTER sends these TransportIDs.
#[track_caller]
fn sends(argument: &str, file: Option<&str>, ids: &str) {
    let ids: String = ids.split_ascii_whitespace().collect();
    let length = ids.len() / 2;
    let total = 28 + length;
    let scene = sg_persist_words(&["-n", "-o", "-G", "-X", argument, DEVICE]);
    let scene = match (argument, file) {
        ("-", Some(text)) => scene.stdin(text),
        (_, Some(text)) => scene.file("ids", text),
        _ => scene,
    };
    scene
        .changes(
            &format!("5f00000000000000{total:02x}00"),
            &format!("{}08000000{length:08x}{ids}", "0".repeat(40)),
            good(""),
        )
        .run()
        .is(0, "", "");
}

#[test]
fn symbolic_forms() {
    for (argument, id) in [
        ("sas,5000c50005b32001", SAS),
        ("SAS,5000C50005B32001", SAS),
        (
            "fcp,2000000011223344",
            "00000000 00000000 2000000011223344 0000000000000000",
        ),
        (
            "SBP,0011223344556677",
            "03000000 00000000 0011223344556677 0000000000000000",
        ),
        (
            "spi,258,772",
            "01000102 00000304 0000000000000000 0000000000000000",
        ),
        (
            "srp,0102030405060708090a0b0c0d0e0f10",
            "04000000 00000000 0102030405060708 090a0b0c0d0e0f10",
        ),
        (
            "sop,0e0f",
            "0a000e0f 00000000 0000000000000000 0000000000000000",
        ),
        (
            "iqn.abc",
            "05000014 69716e2e616263 00000000000000000000000000",
        ),
        (
            "iqn.a,i,0x23",
            "45000014 69716e2e612c692c30783233 0000000000000000",
        ),
    ] {
        sends(argument, None, id);
    }
}

#[test]
fn an_iscsi_name_takes_as_much_as_it_needs() {
    let name = "iqn.2005-03.org.open-iscsi:abc";
    let id = format!("05000020{}0000", hex::encode(name));
    sends(name, None, &id);
    // A name of twenty bytes needs a twenty-first for its NUL.
    let id = format!("05000018{}00000000", hex::encode("iqn.0123456789012345"));
    sends("iqn.0123456789012345", None, &id);
}

#[test]
fn hex_bytes() {
    let id = "06000000 5000c50005b32001 000000000000000000000000";
    sends("06,00,00,00,50,00,c5,00,05,b3,20,01", None, id);
    sends("6 0 0 0 50 0 c5 0 5 b3 20 1", None, id);
    sends(
        "06,00,00,00,50,00,c5,00,05,b3,20,01,00,00,00,00,00,00,00,00,00,00,00,00",
        None,
        id,
    );
    sends(
        "5,0,0,1c,69,71,6e,2e,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,10,11,12,13,14,15,16,17,18",
        None,
        "0500001c 69716e2e 0102030405060708 090a0b0c0d0e0f10 1112131415161718",
    );
}

#[test]
fn lines_of_a_file_and_of_standard_input() {
    let text = "# nodes\n\n  sas,5000c50005b32001   # the first\n07 01,02\n";
    let ids = format!("{SAS} 070102000000000000000000000000000000000000000000");
    sends("file=ids", Some(text), &ids);
    sends("FILE=ids", Some(text), &ids);
    sends("-", Some(text), &ids);
}

#[test]
fn what_is_refused() {
    let bad = "bad argument to '--transport-id'\n";
    for (argument, message) in [
        (
            "sas,5000c50005b3200",
            "badly formed symbolic SAS TransportID: 5000c50005b3200\nbuild_transportid: error at pos 1\n",
        ),
        (
            "fcp,1",
            "badly formed symbolic FCP TransportID: 1\nbuild_transportid: error at pos 3\n",
        ),
        (
            "spi,1",
            "badly formed symbolic SPI TransportID: 1\nbuild_transportid: error at pos 1\n",
        ),
        (
            "Sas,5000c50005b32001",
            "unable to parse symbolic TransportID: Sas,5000c50005b32001\nbuild_transportid: error at pos 1\n",
        ),
        (
            "06,100",
            "unable to parse symbolic TransportID: 06,100\nbuild_transportid: hex number larger than 0xff at pos 4\n",
        ),
        (
            "",
            "unable to parse symbolic TransportID: \nbuild_transportid: error at pos 1\n",
        ),
        ("file=none", "decode_file_tids: unable to open none\n"),
    ] {
        let ran = sg_persist_words(&["-n", "-o", "-G", "-X", argument, DEVICE]).run();
        ran.is(1, "", &format!("{message}{bad}"));
        ran.touched_nothing();
    }
    sg_persist("-n -o -G -X file=ids /dev/sda")
            .file("ids", "sas,5000c50005b32001\n06 zz\n")
            .run()
            .is(
                1,
                "",
                &format!(
                    "unable to parse symbolic TransportID: 06 zz\ndecode_file_tids: syntax error at line 2, pos 4\n{bad}"
                ),
            );
}

#[test]
fn they_are_tolerated_where_nothing_is_changed() {
    sg_persist("-n -k -X sas,5000c50005b32001 /dev/sda")
        .reads(READ_KEYS, good(TWO_KEYS))
        .run()
        .is(0, TWO_KEYS_TEXT, "");
}
